"""The single settings of a settings class, by dotted names where one of its fields is a table (a dataclass itself)."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

T = TypeVar("T")

_UNITS = {"s": "seconds"}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: `kind` is its type (`Optional[X]` as X, a list as `list`), `words` what a Literal allows."""

    name: str
    kind: Any
    words: "tuple[str, ...]"
    default: Any
    doc: str = ""
    unit: str = ""
    least: Any = None
    most: Any = None
    pattern: str = ""


def settings_of(cls: type) -> "dict[str, Setting]":
    """All settings of a class, in its order."""
    return {setting.name: setting for setting in _walk(cls, "", None)}


def build(cls: "type[T]", values: Mapping[str, Any]) -> T:
    """The class filled with values by dotted name; what is missing has its default."""
    own: dict[str, Any] = {}
    for field in _fields(cls):
        inner = {
            name[len(field.name) + 1 :]: value for name, value in values.items() if name.startswith(field.name + ".")
        }
        if field.name in values:
            own[field.name] = values[field.name]
        elif inner:
            own[field.name] = dataclasses.replace(default_of(field), **inner)
    return cls(**own)


def value_of(settings: Any, name: str) -> Any:
    """A setting's value by its dotted name."""
    for part in name.split("."):
        settings = getattr(settings, part)
    return settings


def default_of(field: "dataclasses.Field[Any]") -> Any:
    """A field's default; a factory is called."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _walk(cls: type, prefix: str, defaults: Any) -> Iterator[Setting]:
    hints = typing.get_type_hints(cls)
    for field in _fields(cls):
        name = prefix + field.name
        default = default_of(field) if defaults is None else getattr(defaults, field.name)
        kind, words = _kind_of(hints[field.name])
        if dataclasses.is_dataclass(kind):
            yield from _walk(typing.cast(type, kind), name + ".", default)
            continue
        said = field.metadata
        unit = str(said.get("json_schema_extra", {}).get("unit", ""))
        yield Setting(
            name,
            kind,
            words,
            default,
            said.get("description", ""),
            _UNITS.get(unit, unit),
            said.get("ge"),
            said.get("le"),
            said.get("pattern", ""),
        )


def _kind_of(hint: Any) -> "tuple[Any, tuple[str, ...]]":
    if typing.get_origin(hint) is typing.Literal:
        return str, typing.get_args(hint)
    args = typing.get_args(hint)
    if type(None) in args:
        return _kind_of(next(arg for arg in args if arg is not type(None)))
    return (list if typing.get_origin(hint) is list else hint), ()


def _fields(cls: type) -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(cls)
