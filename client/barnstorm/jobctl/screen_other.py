"""The screen of a worker, pilot, harvester or token: what the server says of it, field by field."""

import time
from typing import Any

from .layout import bold, styled
from .tables import printable
from .words import ago, clock, needs_text

View = dict[str, Any]
HEAD = ("id", "jti", "name", "state")


def lines(noun: str, name: str, view: View) -> list[str]:
    """The id and state, then each field that has a value; long texts, such as a worker's log, come last."""
    state = str(view.get("state") or "")
    title = str(view.get("id") or view.get("jti") or view.get("name") or name)
    head = f"{bold(title)}   {noun}   {styled(state.upper(), state)}".rstrip()
    pairs: list[tuple[str, str]] = []
    texts: list[str] = []
    for key, value in view.items():
        if key in HEAD or value in (None, "", [], {}):
            continue
        if isinstance(value, str) and "\n" in value.strip():
            texts += [
                "",
                key.replace("_", " ") + ":",
                *("  " + printable(line) for line in value.rstrip().splitlines()),
            ]
        else:
            pairs += _pairs(key, value)
    width = max((len(label) for label, _text in pairs), default=0)
    return [head, *(f"{label:<{width}}  {text}".rstrip() for label, text in pairs), *texts]


def _pairs(key: str, value: Any) -> list[tuple[str, str]]:
    label = key.replace("_", " ")
    if key.endswith("_at") and isinstance(value, (int, float)):
        when = clock(value)
        return [(label[:-3], when if value > time.time() else f"{when}, {ago(value)} ago")]
    if key == "checks":
        return [(label if n == 0 else "", _check(item)) for n, item in enumerate(value)]
    if key in ("shape", "needs"):
        return [(label, needs_text(value))]
    if isinstance(value, dict):
        return [(f"{label} {inner}", _text(item)) for inner, item in value.items() if item not in (None, "", [], {})]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [(label if n == 0 else "", _text(item)) for n, item in enumerate(value)]
    return [(label, _text(value))]


def _check(check: View) -> str:
    """`disk  ok  79,895 MiB free`; what is not said is good."""
    good = "ok" if check.get("ok", True) else styled("FAILED", "failed")
    return f"{check.get('name', ''):<10}  {good}  {printable(str(check.get('said') or ''))}".rstrip()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, list):
        return printable(", ".join(str(one) for one in value))
    if isinstance(value, dict):
        return printable(
            " · ".join(f"{key} {_text(item)}" for key, item in value.items() if item not in (None, "", [], {}))
        )
    return printable(str(value))
