"""One setting's value: read from TOML or from a variable's text, and held against its type and bounds."""

import json
import math
import re
from pathlib import Path
from typing import Any

from .fields import Setting

_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    list: "a list of texts",
}


class Wrong(ValueError):
    """What is wrong with a value, as the end of a sentence that begins with the setting's name."""


def from_text(setting: Setting, text: str) -> Any:
    """A variable's text as a value. Raises Wrong."""
    if setting.kind in (int, float):
        try:
            value = setting.kind(text)
        except (ValueError, OverflowError) as error:
            raise _not_a(setting, text) from error
        return _checked(setting, value)
    if setting.kind is bool:
        if text.lower() not in _WORDS:
            raise _not_a(setting, text)
        return _WORDS[text.lower()]
    if setting.kind is list:
        return [part.strip() for part in text.split(",") if part.strip()]
    return _checked(setting, Path(text).expanduser() if setting.kind is Path else text)


def from_toml(setting: Setting, value: Any) -> Any:
    """A TOML value as a value of the setting; an empty path is none, which is the default. Raises Wrong."""
    if setting.kind is Path and isinstance(value, str):
        return Path(value).expanduser() if value else setting.default
    if setting.kind is float and type(value) is int:
        value = float(value)
    if type(value) is not setting.kind or (type(value) is list and not all(isinstance(part, str) for part in value)):
        raise _not_a(setting, value)
    return _checked(setting, value)


def shown(value: Any) -> str:
    """A value as TOML and JSON write it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False, default=str)


def _checked(setting: Setting, value: Any) -> Any:
    if setting.words and value not in setting.words:
        raise Wrong(f"{shown(value)} is none of {', '.join(setting.words)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Wrong(f"{value} is no finite number")
    unit = f" ({setting.unit})" if setting.unit else ""
    if setting.least is not None and value < setting.least:
        raise Wrong(f"{shown(value)} is below {shown(setting.least)}{unit}")
    if setting.most is not None and value > setting.most:
        raise Wrong(f"{shown(value)} is above {shown(setting.most)}{unit}")
    if setting.pattern and not re.search(setting.pattern, value):
        raise Wrong(f"{shown(value)} does not match {setting.pattern}")
    return value


def _not_a(setting: Setting, value: Any) -> Wrong:
    return Wrong(f"{shown(value)} is not {_KINDS.get(setting.kind, 'of the right type')}")
