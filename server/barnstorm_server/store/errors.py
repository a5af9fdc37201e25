"""Domain errors: small, and they carry what they are about. Only routes turn them into HTTP."""

from typing import Any


class DomainError(Exception):
    """Something asked for cannot be. Raised before anything is written, so it has no effect."""

    code = "invalid"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        value: Any = None,
        allowed: Any = None,
        ids: list[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.field, self.value, self.allowed, self.ids = message, field, value, allowed, ids or []


class Invalid(DomainError):
    """The request is wrong in itself."""


class NotFound(DomainError):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"

    def __init__(self, noun: str, name: object) -> None:
        super().__init__(f"there is no {noun} {name}", ids=[str(name)])


class Conflict(DomainError):
    """The request was right once, but the thing has moved on."""

    code = "conflict"


class Stale(DomainError):
    """A write by who has lost the right to it."""

    code = "stale"


class TooLarge(DomainError):
    """A body over its limit."""

    code = "too_large"


class Forbidden(DomainError):
    """The token is good, but not for this."""

    code = "denied"


class Busy(DomainError):
    """No room now; come again after `retry_after_s`."""

    code = "busy"

    def __init__(self, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(Exception):
    """The store cannot be opened or used as it must be; says what to do."""
