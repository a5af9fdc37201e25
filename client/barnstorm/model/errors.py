"""The one shape of errors on the wire: {"error": {"code", "message", "field", "value", "allowed", "ids"}}."""

from dataclasses import dataclass
from typing import Any, Optional

from . import base


@dataclass
class WireError(base.Spec):
    """What went wrong, where, and what to do about it."""

    code: str = base.field(
        doc="not_found, invalid, denied, unauthenticated, conflict, stale, busy, too_large, internal"
    )
    message: str = base.field(doc="a sentence for a person")
    field: Optional[str] = base.field(None, doc="the path of the field at fault")
    value: Any = None
    allowed: Any = None
    ids: list[str] = base.field(factory=list)
