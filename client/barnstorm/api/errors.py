"""What can go wrong between a client and the server, as exceptions that carry the server's own words."""

import contextlib
from typing import Any, Optional


class ApiError(Exception):
    """The server refused a request. `field`, `value`, `allowed` and `ids` are as on the wire."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        self.status = status
        self.code: str = error.get("code", "error")
        self.message: str = error.get("message", f"HTTP status {status}")
        self.field: Optional[str] = error.get("field")
        self.value: Any = error.get("value")
        self.allowed: Any = error.get("allowed")
        self.ids: list[str] = error.get("ids") or []
        super().__init__(self.message if not self.field else f"{self.field}: {self.message}")


class NotFound(ApiError):
    """No such thing, or not yours to see (404)."""


class Denied(ApiError):
    """No token, a bad one (401), or one that is not for this (403)."""


class Stale(ApiError):
    """The thing has moved on (409)."""


class Busy(ApiError):
    """The server has no room now (503); `retry_after_s` says when to come again."""

    retry_after_s: float = 1.0


class Unreachable(Exception):
    """No answer: connection refused, cut or timed out, or something answered that is no Barnstorm server."""


_BY_STATUS = {401: Denied, 403: Denied, 404: NotFound, 409: Stale, 503: Busy}


def from_answer(status: int, body: Any, retry_after: Optional[str] = None) -> Exception:
    """The exception for an answer that is no success."""
    if not isinstance(body, dict) or not isinstance(body.get("error"), dict):
        if status == 503:
            body = {"error": {"code": "busy", "message": "the server has no room now"}}
        else:
            return Unreachable(f"HTTP status {status} from something that is no Barnstorm server")
    error = _BY_STATUS.get(status, ApiError)(status, body["error"])
    if isinstance(error, Busy) and retry_after:
        with contextlib.suppress(ValueError):
            error.retry_after_s = float(retry_after)
    return error
