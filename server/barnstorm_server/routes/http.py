"""HTTP for all routes: reading bodies and queries, JSON answers, errors in their one shape, who asks."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from barnstorm.model.base import to_wire
from barnstorm.model.ids import AttemptId, InvalidId, JobId, parse_attempt, parse_job, parse_prefixed, parse_task
from barnstorm.model.task import InvalidSpec
from barnstorm_server.auth.errors import AuthError, BadGrant, Denied, Unauthenticated
from barnstorm_server.auth.policy import Scope
from barnstorm_server.auth.principal import Principal
from barnstorm_server.services import Services
from barnstorm_server.store.errors import Busy, DomainError, Invalid, TooLarge
from barnstorm_server.store.read_tasks import Asker

from .plain_json import plain

T = TypeVar("T")

_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")

STATUS = {
    "invalid": 422,
    "unauthenticated": 401,
    "denied": 403,
    "not_found": 404,
    "stale": 409,
    "conflict": 409,
    "too_large": 413,
    "busy": 503,
}


@dataclass
class Ask:
    """One request: the server's services, who asks, and how far that one's scope reaches."""

    request: Request
    services: Services
    principal: Principal | None
    scope: Scope

    @property
    def who(self) -> Principal:
        """The principal, where the policy wants one."""
        if self.principal is None:
            raise Unauthenticated("this needs a token")
        return self.principal

    @property
    def asker(self) -> Asker:
        """Whose things may be seen: everyone's for operators."""
        return Asker(None) if self.scope == "any" else Asker(self.who.subject, self.who.groups)

    def path(self, name: str) -> str:
        return _text(str(self.request.path_params[name]), name)

    def task(self) -> int:
        return _id(parse_task, self.path("task"), "task")

    def job(self) -> JobId:
        return _id(parse_job, self.path("job"), "job")

    def attempt(self) -> AttemptId:
        return _id(parse_attempt, f"{self.path('job')}/{self.path('number')}", "number")

    def numbered(self, prefix: str, name: str) -> int:
        """The number of a worker ("w") or pilot ("p") in the path."""
        return _id(lambda text: parse_prefixed(prefix, text), self.path(name), name)

    def query(self, name: str, default: str = "") -> str:
        return _text(self.request.query_params.get(name, default), name)

    def query_list(self, name: str) -> list[str]:
        return [_text(value, name) for value in self.request.query_params.getlist(name) if value]

    def query_int(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number of the query string. Raises Invalid outside least..most."""
        told = self.query(name)
        value = int(told) if _WHOLE.fullmatch(told) else None if told else default
        if value is None or not least <= value <= most:
            raise _no_number(name, told, least, most)
        return value

    def query_float(self, name: str, default: float, least: float, most: float) -> float:
        """A number of the query string. Raises Invalid outside least..most."""
        told = self.query(name)
        value = float(told) if _DECIMAL.fullmatch(told) else None if told else default
        if value is None or not least <= value <= most:
            raise _no_number(name, told, least, most)
        return value

    def query_attempt(self) -> AttemptId | None:
        told = self.query("attempt")
        return _id(parse_attempt, told, "attempt") if told else None

    def page(self) -> tuple[str | None, int]:
        """`cursor` and `limit` of a list."""
        return self.query("cursor") or None, self.query_int("limit", 100, 1, 1000)

    async def body(self, most: int = 0) -> bytes:
        """The request's body. Raises TooLarge past `most` bytes (default: the server's limit)."""
        most = most or self.services.settings.max_body_mib * 2**20
        told = self.request.headers.get("content-length", "0")
        if told.isdigit() and int(told) > most:
            raise TooLarge(f"the body has more than {most:,} bytes", field="body", value=int(told), allowed=most)
        pieces, size = [], 0
        async for piece in self.request.stream():
            size += len(piece)
            if size > most:
                raise TooLarge(f"the body has more than {most:,} bytes", field="body", value=size, allowed=most)
            pieces.append(piece)
        return b"".join(pieces)

    async def message(self, adapter: "TypeAdapter[T]", mend: bool = False) -> T:
        """The body as a message of the model. Raises ValidationError.

        Texts and numbers that are not plain (`plain_json.py`) are refused, or replaced with `mend`: no pilot's report
        is lost for an odd byte in it.
        """
        return adapter.validate_json(plain(await self.body() or b"null", mend))


def _text(text: str, field: str) -> str:
    if "\0" in text:
        raise Invalid("holds a NUL byte", field=field)
    return text


def _no_number(name: str, told: str, least: float, most: float) -> Invalid:
    allowed = {"min": least, "max": most}
    return Invalid(f"is a number from {least:g} to {most:g}", field=name, value=told[:200], allowed=allowed)


def _id(parse: Callable[[str], T], text: str, field: str) -> T:
    try:
        return parse(text)
    except InvalidId as error:
        raise Invalid(str(error), field=field, value=text[:200]) from None


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer of plain values."""
    return Response(json.dumps(value, separators=(",", ":")), status, media_type="application/json")


def wire(value: Any, status: int = 200) -> Response:
    """A JSON answer of a message of the model."""
    return answer(to_wire(value), status)


def page(items: list[dict[str, Any]], following: str | None) -> Response:
    """A page of a list."""
    return answer({"items": items, "next": following})


def refusal(error: Exception) -> JSONResponse | None:
    """The answer to an error that is the caller's, in the one shape; None for errors that are ours."""
    headers: dict[str, str] = {}
    if isinstance(error, DomainError):
        code = error.code
        body = {
            "message": error.message,
            "field": error.field,
            "value": error.value,
            "allowed": error.allowed,
            "ids": error.ids,
        }
        if isinstance(error, Busy):
            headers["Retry-After"] = f"{error.retry_after_s:g}"
    elif isinstance(error, AuthError):
        code = error.code
        body = {"message": error.message}
        if isinstance(error, Denied):
            body.update({"allowed": error.allowed, "ids": list(error.ids)})
        if code == "unauthenticated":
            headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, ValidationError):
        code, body = "invalid", _first(error)
    elif isinstance(error, InvalidSpec):
        code, body = (
            "invalid",
            {"message": error.message, "field": error.field, "value": error.value, "allowed": error.allowed},
        )
    elif isinstance(error, BadGrant):
        code, body = (
            "invalid",
            {"message": error.why, "field": error.field, "value": error.value, "allowed": error.allowed},
        )
    else:
        return None
    told = {key: value for key, value in body.items() if value is not None}
    return JSONResponse(shape(code, **told), STATUS[code], headers)


def shape(code: str, message: str, **told: Any) -> dict[str, Any]:
    """The one shape of errors."""
    nothing: dict[str, Any] = {"field": None, "value": None, "allowed": None, "ids": []}
    return {"error": {"code": code, "message": message, **nothing, **told}}


def _first(error: ValidationError) -> dict[str, Any]:
    """What the weightiest of pydantic's complaints means for a person."""
    found = error.errors(include_url=False)
    # Of a union's variants only the one that the value's `kind` names has anything to say.
    others = [one["loc"][:-1] for one in found if one["type"] == "literal_error" and one["loc"][-1] == "kind"]
    meant = [one for one in found if not any(one["loc"][: len(loc)] == loc for loc in others)]
    worst = (meant or found)[0]
    parts = [str(part) for part in worst["loc"] if not (isinstance(part, str) and (part[:1].isupper() or "[" in part))]
    value, context = worst.get("input"), worst.get("ctx", {})
    allowed: Any = {key: told for key, told in context.items() if isinstance(told, (str, int, float))} or None
    message = "there is no such field" if worst["type"] == "unexpected_keyword_argument" else worst["msg"]
    if not meant and others:
        allowed = sorted({str(one["ctx"]["expected"]).strip("'") for one in found if one["type"] == "literal_error"})
        message = f"there is no such kind; it is one of {', '.join(allowed)}"
    if len(meant) > 1:
        message += f" (and {len(meant) - 1} more)"
    shown = value if isinstance(value, (int, float, bool, type(None))) else str(value)[:200]
    return {"message": message, "field": ".".join(parts) or "body", "value": shown, "allowed": allowed}
