"""One setting's value: read from TOML or from a variable's text, and held against its type and bounds."""

import dataclasses
import json
import math
import typing
from pathlib import Path
from typing import Any, Dict, List, Tuple

UNITS = {"s": "seconds", "MiB": "MiB", "bytes": "bytes", "days": "days"}
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    list: "a list",
}


class Wrong(ValueError):
    """What is wrong with a value, as the end of a sentence that begins with the setting's name."""


def types_of(cls: type) -> Dict[str, Any]:
    """Each field's type, `Optional[X]` as X; a list of texts is `list`."""
    found = {}
    for name, hint in typing.get_type_hints(cls).items():
        inner = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if typing.get_origin(hint) is not typing.Literal and type(None) in typing.get_args(hint):
            hint = inner[0]
        found[name] = list if typing.get_origin(hint) is list else hint
    return found


def words_of(hint: Any) -> Tuple[Any, ...]:
    """The words that a Literal allows; of other types none."""
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()


def from_text(field: "dataclasses.Field[Any]", hint: Any, text: str) -> Any:
    """A variable's text as a value. Raises Wrong."""
    if hint in (int, float):
        try:
            return _checked(field, hint, hint(text))
        except (ValueError, OverflowError) as error:
            raise error if isinstance(error, Wrong) else _not_a(hint, text) from error
    if hint is bool:
        if text.lower() not in _WORDS:
            raise _not_a(hint, text)
        return _WORDS[text.lower()]
    if hint is list:
        return _checked(field, hint, [part.strip() for part in text.split(",") if part.strip()])
    return _checked(field, hint, Path(text).expanduser() if hint is Path else text)


def from_toml(field: "dataclasses.Field[Any]", hint: Any, value: Any) -> Any:
    """A TOML value as a value of the setting. Raises Wrong."""
    if hint is Path and isinstance(value, str) and value:
        return _checked(field, hint, Path(value).expanduser())
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    wanted = str if words_of(hint) else hint
    if type(value) is not wanted or (hint is list and not all(isinstance(part, str) for part in value)):
        raise _not_a(wanted, value)
    return _checked(field, hint, value)


def shown(value: Any) -> str:
    """A value as TOML and JSON write it."""
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def bounds_of(field: "dataclasses.Field[Any]") -> Tuple[Any, Any]:
    """The least and the greatest value, None where there is none."""
    return field.metadata.get("ge"), field.metadata.get("le")


def unit_of(field: "dataclasses.Field[Any]") -> str:
    """The unit as a word, or nothing."""
    unit = field.metadata.get("json_schema_extra", {}).get("unit", "")
    return UNITS.get(unit, unit)


def _checked(field: "dataclasses.Field[Any]", hint: Any, value: Any) -> Any:
    words: List[Any] = list(words_of(hint))
    if words and value not in words:
        raise Wrong(f"{shown(value)} is none of {', '.join(words)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Wrong(f"{value} is no finite number")
    least, most = bounds_of(field)
    unit = f" ({unit_of(field)})" if unit_of(field) else ""
    if least is not None and value < least:
        raise Wrong(f"{shown(value)} is below {shown(least)}{unit}")
    if most is not None and value > most:
        raise Wrong(f"{shown(value)} is above {shown(most)}{unit}")
    return value


def _not_a(hint: Any, value: Any) -> Wrong:
    return Wrong(f"{shown(value)} is not {_KINDS.get(hint, 'of the right type')}")
