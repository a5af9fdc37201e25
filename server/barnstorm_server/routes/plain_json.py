"""JSON that every reader and both databases can hold: no NUL in a text, no number that is not finite.

Python reads `NaN` and `1e999` and would write them into answers that no browser can read; PostgreSQL has no NUL.
"""

import json
import math
import re
from typing import Any

from barnstorm_server.store.errors import Invalid

_ODD = re.compile(rb"\\u0000|NaN|Infinity|[eE]\+?[0-9]{3}")
_IN_PLACE_OF_NUL = "\ufffd"


def plain(body: bytes, mend: bool) -> bytes:
    """The body, if it is plain; with `mend` odd texts and numbers in it are replaced, else Invalid names the first.

    What is no JSON at all comes back as it is.
    """
    if not _ODD.search(body):
        return body
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(_mended(value, mend, "")).encode()


def _mended(value: Any, mend: bool, where: str) -> Any:
    if isinstance(value, dict):
        return {_text(key, mend, where): _mended(one, mend, f"{where}.{key}") for key, one in value.items()}
    if isinstance(value, list):
        return [_mended(one, mend, f"{where}.{n}") for n, one in enumerate(value)]
    if isinstance(value, str):
        return _text(value, mend, where)
    if isinstance(value, float) and not math.isfinite(value):
        if not mend:
            raise Invalid("is no number that JSON knows", field=where.strip(".") or "body")
        return None
    return value


def _text(text: str, mend: bool, where: str) -> str:
    if "\0" in text and not mend:
        raise Invalid("holds a NUL byte", field=where.strip(".").replace("\0", "") or "body")
    return text.replace("\0", _IN_PLACE_OF_NUL)
