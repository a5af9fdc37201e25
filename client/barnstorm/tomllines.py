"""Which line of a TOML text each top-level key or table stands on: tomllib does not say, and errors should."""

import re
from typing import Dict

_KEY = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')\s*[=.]""")
_TABLE = re.compile(r"""\s*\[\[?\s*(?:([A-Za-z0-9_-]+)|"([^"\\]*)"|'([^']*)')""")
_QUOTES = ('"""', "'" * 3)


def key_lines(text: str) -> Dict[str, int]:
    """The line (from 1) where each top-level key first appears. Lines inside multi-line strings are passed over."""
    found: Dict[str, int] = {}
    in_table, inside = False, ""
    for number, line in enumerate(text.splitlines(), start=1):
        if inside:
            inside = "" if inside in line else inside
            continue
        table, key = _TABLE.match(line), _KEY.match(line)
        if table:
            in_table = True
            found.setdefault(_name(table), number)
        elif key and not in_table:
            found.setdefault(_name(key), number)
        inside = next((quote for quote in _QUOTES if line.count(quote) % 2 == 1), "")
    return found


def _name(match: "re.Match[str]") -> str:
    return next(group for group in match.groups() if group is not None)
