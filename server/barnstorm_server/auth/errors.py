"""What can be wrong with who asks. Messages are for people, say what to do, and never hold a token."""


class AuthError(Exception):
    """Base of the refusals; `code` is the word on the wire."""

    code = "denied"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Unauthenticated(AuthError):
    """Nobody known asks: no token, or one that is not good (401)."""

    code = "unauthenticated"


class BadToken(Unauthenticated):
    """A token that this server did not sign, that has ended, or that was revoked (401)."""


class Denied(AuthError):
    """A good token, but not for this (403). `allowed` names what would do, `ids` what it is about."""

    def __init__(self, message: str, allowed: object = None, ids: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.allowed, self.ids = allowed, ids


class BadGrant(ValueError):
    """A token was asked for that makes no sense, whoever asks; `field` names the wrong part (422)."""

    def __init__(self, field: str, value: object, why: str, allowed: object = None) -> None:
        super().__init__(f"{field}: {why}")
        self.field, self.value, self.why, self.allowed = field, value, why, allowed


class UnsafeFiles(Exception):
    """Secret files that others could read or change, or that cannot be used; the server does not start with them."""


class UnknownKey(KeyError):
    """No key of that id: never made here, or its last token has ended."""
