"""Blobs: bytes under their sha256, for those who brought them or whose job needs them."""

import re

from starlette.responses import JSONResponse, Response, StreamingResponse

from barnstorm_server.commands.tokens import RecordBlob
from barnstorm_server.store.errors import Invalid, NotFound
from barnstorm_server.store.read_jobs import has_blob

from .access import check_input, holds
from .http import Ask, answer, shape

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_RANGE = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})\Z")


async def put(ask: Ask) -> Response:
    """Keep bytes whose sha256 is the path's last part; 200 when they were there, 201 when they are new."""
    digest, owner = _digest(ask), await _owner(ask)
    ask.services.check_disk()
    blobs = ask.services.blobs
    known = blobs.size(digest)
    with blobs.incoming(digest) as incoming:
        async for piece in ask.request.stream():
            await ask.services.file(incoming.add, piece)
        await ask.services.file(incoming.keep)
    await ask.services.do(RecordBlob(digest, owner, incoming.size))
    return answer({"blob": digest, "size": incoming.size}, 201 if known is None else 200)


async def head(ask: Ask) -> Response:
    """Whether the caller has brought these bytes before: then they need not travel again."""
    digest, owner = _digest(ask), await _owner(ask)
    size = ask.services.blobs.size(digest)
    if size is None or not await ask.services.read(has_blob, digest, owner):
        raise NotFound("blob", digest)
    return Response(status_code=200, headers={"X-Barnstorm-Size": str(size)})


async def get(ask: Ask) -> Response:
    """A blob's bytes; `Range: bytes=N-` continues a broken download."""
    digest = _digest(ask)
    if ask.scope == "own_attempt":
        await check_input(ask, blob=digest)
    elif ask.scope != "any" and not await ask.services.read(has_blob, digest, ask.who.subject):
        raise NotFound("blob", digest)
    size = ask.services.blobs.size(digest)
    if size is None:
        raise NotFound("blob", digest)
    first, last, status = 0, size - 1, 200
    asked = _RANGE.match(ask.request.headers.get("range", ""))
    if asked and (not asked[2] or int(asked[1]) <= int(asked[2])):  # any other form is none, and may be passed over
        if int(asked[1]) >= size:
            error = shape("invalid", f"the blob has {size:,} bytes", field="Range", allowed=size)
            return JSONResponse(error, 416, {"Content-Range": f"bytes */{size}"})
        first, last, status = int(asked[1]), min(int(asked[2] or last), last), 206
    headers = {"Content-Length": str(last - first + 1), "Accept-Ranges": "bytes"}
    if status == 206:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return StreamingResponse(
        ask.services.blobs.pieces(digest, first, last), status, headers, "application/octet-stream"
    )


async def _owner(ask: Ask) -> str:
    if ask.scope == "own_attempt":
        return (await holds(ask))[1].owner
    return ask.who.subject


def _digest(ask: Ask) -> str:
    digest = ask.path("digest")
    if not _DIGEST.match(digest):
        raise Invalid("is the sha256 of the bytes, 64 small hexadecimal digits", field="digest", value=digest[:100])
    return digest
