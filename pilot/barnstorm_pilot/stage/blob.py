"""`blob:<sha256>`: bytes that were uploaded to the server, checked against their name."""

from barnstorm.api.errors import ApiError, NotFound, Stale, Unreachable
from barnstorm.model.collection import FileIn

from .base import Abandoned, StageContext, StageFault, Stager
from .cache import BlobMismatch
from .retry import with_patience


class BlobStager(Stager):
    """Downloads blobs, through the cache that the owner's jobs on this node share."""

    schemes = ("blob",)

    def fetch(self, file: FileIn, target: str, context: StageContext) -> None:
        fetch_blob(file.source[len("blob:") :], target, context)


def fetch_blob(digest: str, target: str, context: StageContext) -> None:
    """Bring one blob to `target`. A download that arrives broken is made once more."""

    def get() -> None:
        context.cache.get(context.owner, digest, target, lambda: context.api.blob(digest, context.attempt))

    try:
        try:
            with_patience(get, context)
        except BlobMismatch:
            with_patience(get, context)
    except BlobMismatch as error:
        raise StageFault("stage_in", f"blob {digest[:16]}… arrived damaged twice: {error}") from None
    except NotFound:
        raise StageFault("input_missing", f"the server has no blob {digest[:16]}…") from None
    except Stale:
        raise Abandoned(context.attempt) from None
    except (ApiError, Unreachable) as error:
        raise StageFault("stage_in", f"blob {digest[:16]}…: {error}") from None
