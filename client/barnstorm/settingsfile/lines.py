"""Which line of a TOML text each key and table stands on: tomllib does not say, and errors should."""

import re

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')"""
_PATH = rf"{_PART}(?:\s*\.\s*{_PART})*"
_KEY = re.compile(rf"\s*({_PATH})\s*=")
_TABLE = re.compile(rf"\s*\[\[?\s*({_PATH})\s*\]")
_QUOTES = ('"""', "'" * 3)


def key_lines(text: str) -> "dict[str, int]":
    """The line (from 1) on which each dotted key, and each table that holds one, first appears.

    Keys of inline tables are not found, what stands in multi-line strings is passed over.
    """
    found: dict[str, int] = {}
    table, inside = "", ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if inside in line else inside
            continue
        header, key = _TABLE.match(line), _KEY.match(line)
        if header:
            table = _dotted(header[1])
            _note(found, table, number)
        elif key:
            _note(found, f"{table}.{_dotted(key[1])}" if table else _dotted(key[1]), number)
        inside = next((quote for quote in _QUOTES if line.count(quote) % 2 == 1), "")
    return found


def line_of(lines: "dict[str, int]", name: str) -> int:
    """The line of a dotted key, else that of the nearest table around it, else 1."""
    while name not in lines and "." in name:
        name = name.rpartition(".")[0]
    return lines.get(name, 1)


def _note(found: "dict[str, int]", name: str, number: int) -> None:
    parts = name.split(".")
    for end in range(1, len(parts) + 1):
        found.setdefault(".".join(parts[:end]), number)


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in re.findall(_PART, path))
