"""`site:/path`: a file or directory that is already there on the node."""

import os
import shutil

from barnstorm.model.collection import FileIn

from .base import StageContext, StageFault, Stager


class SiteStager(Stager):
    """Makes a link; nothing is copied, unless the input must become executable."""

    schemes = ("site",)

    def fetch(self, file: FileIn, target: str, context: StageContext) -> None:
        path = file.source[len("site:") :]
        try:
            os.stat(path)
        except OSError as error:
            raise StageFault("input_missing", f"{path} on this node: {error.strerror}") from None
        if file.executable and os.path.isfile(path) and not os.access(path, os.X_OK):
            shutil.copyfile(path, target)
        else:
            os.symlink(path, target)
