"""What every noun of the model is made of: plain dataclasses whose constraints are metadata.

The server reads the same classes through pydantic, which enforces the constraints and refuses unknown fields; pilot and
client, which trust the server's answers and must live with a newer server, read them through `from_wire` below.
"""

import dataclasses
import typing
from typing import Any, Optional, TypeVar

T = TypeVar("T", bound="Spec")


@dataclasses.dataclass
class Spec:
    """Base of all messages and documents; pydantic refuses fields it does not know (it would drop them silently)."""

    __pydantic_config__: typing.ClassVar[dict[str, Any]] = {"extra": "forbid", "allow_inf_nan": False}


def field(
    default: Any = dataclasses.MISSING,
    *,
    factory: Any = dataclasses.MISSING,
    ge: Optional[float] = None,
    le: Optional[float] = None,
    min_length: Optional[int] = None,
    max_length: Optional[int] = None,
    pattern: Optional[str] = None,
    alias: Optional[str] = None,
    unit: Optional[str] = None,
    doc: Optional[str] = None,
) -> Any:
    """A dataclass field with its constraints (`ge`, `le`, …), its unit and its description, as pydantic reads them."""
    constraints = {"ge": ge, "le": le, "min_length": min_length, "max_length": max_length, "pattern": pattern}
    metadata: dict[str, Any] = {key: value for key, value in constraints.items() if value is not None}
    metadata.update({key: value for key, value in (("alias", alias), ("description", doc)) if value is not None})
    if unit is not None:
        metadata["json_schema_extra"] = {"unit": unit}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def to_wire(value: Any) -> Any:
    """The JSON form of a value: dataclasses become objects without their default-valued fields, so messages stay
    short.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        wire = {}
        for f in dataclasses.fields(value):
            item = getattr(value, f.name)
            if f.default is not dataclasses.MISSING and item == f.default and f.name != "kind":
                continue
            if f.default_factory is not dataclasses.MISSING and item == f.default_factory():
                continue
            wire[f.metadata.get("alias", f.name)] = to_wire(item)
        return wire
    if isinstance(value, dict):
        return {key: to_wire(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(item) for item in value]
    return value


def from_wire(cls: type[T], data: dict[str, Any]) -> T:
    """Build `cls` from a trusted answer; fields this version does not know are left out, so old clients outlive
    servers.

    Raises TypeError when a required field is missing.
    """
    kwargs = {}
    for name, (key, hint) in _hints(cls).items():
        if key in data:
            kwargs[name] = _read(hint, data[key])
    return cls(**kwargs)


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        types = typing.get_type_hints(cls)
        _HINTS[cls] = {f.name: (f.metadata.get("alias", f.name), types[f.name]) for f in dataclasses.fields(cls)}
    return _HINTS[cls]


def _read(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Union:
        return _read(_variant(args, value), value)
    if origin is list:
        return [_read(args[0], item) for item in value]
    if origin is dict:
        return {key: _read(args[1], item) for key, item in value.items()}
    if isinstance(hint, type) and dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return from_wire(hint, value)  # type: ignore[type-var]
    return value


def _variant(choices: Any, value: Any) -> Any:
    """Of a union's classes the one whose `kind` the value names; of others the one dataclass, if the value is an
    object.
    """
    classes = [choice for choice in choices if dataclasses.is_dataclass(choice)]
    if not isinstance(value, dict) or not classes:
        others = [choice for choice in choices if choice is not type(None) and not dataclasses.is_dataclass(choice)]
        return others[0] if len(others) == 1 else Any
    for cls in classes:
        if getattr(cls, "kind", None) == value.get("kind", None):
            return cls
    return classes[0]
