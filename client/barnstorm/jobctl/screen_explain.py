"""The screen of `explain`: why something is where it is, which queues fit, what would change it."""

import shutil
import textwrap
from typing import Any, Optional

from .layout import LABEL, bold, labelled, styled
from .tables import printable
from .words import clock, needs_text

View = dict[str, Any]


def lines(found: View) -> list[str]:
    """All parts of an explanation that are there, a blank line between them."""
    parts = [
        _head(found),
        [*_needs(found), *_facts(found.get("facts"))],
        _queues(found.get("queues")),
        _advice(found.get("advice")),
        _history(found.get("history")),
    ]
    joined: list[str] = []
    for part in parts:
        if part:
            joined += [""] * bool(joined) + part
    return joined


def _head(found: View) -> list[str]:
    word = str(found.get("word") or found.get("state") or "")
    head = str(found.get("head") or "")
    rest = head[len(word) :] if head.lower().startswith(word.lower()) else f": {head}"
    first = f"{bold(str(found['id']))}  {printable(str(found.get('title') or ''))}".rstrip()
    mark = styled(word.upper(), word)
    return [first, *_wrapped(mark + printable(rest), "", len(mark) - len(word))]


def _needs(found: View) -> list[str]:
    needs = found.get("needs")
    if not needs or any(fact.get("label") == "Needs" for fact in found.get("facts") or []):
        return []
    text = needs if isinstance(needs, str) else needs_text(needs)
    return labelled([("Needs", text)])


def _facts(facts: Optional[list[View]]) -> list[str]:
    made = []
    for fact in facts or []:
        label = str(fact.get("label") or "")
        gap = label if len(label) < LABEL else label + " "
        made += _wrapped(f"{gap:<{LABEL}}{printable(str(fact.get('text') or ''))}", " " * LABEL)
    return made


def _queues(queues: Optional[list[View]]) -> list[str]:
    if not queues:
        return []
    fitting = sum(1 for one in queues if one.get("fits"))
    width = max(len(str(one["queue"])) for one in queues)
    made = [f"{'Queues':<{LABEL}}{fitting} of {len(queues)} {'fits' if fitting == 1 else 'fit'}"]
    for one in sorted(queues, key=lambda queue: not queue.get("fits")):
        lane = f"lane {one['lane']}" if one.get("lane") else ""
        text = str(one.get("text") or "")
        text = ": ".join(part for part in (lane if lane not in text else "", text) if part)
        mark = styled("FITS", "finished") if one.get("fits") else "no  "
        lead = f"  {one['queue']!s:<{width}}  "
        made += _wrapped(f"{lead}{mark}  {printable(text)}".rstrip(), " " * (len(lead) + 6), len(mark) - 4)
    return made


def _advice(advice: Optional[list[View]]) -> list[str]:
    if not advice:
        return []
    width = min(max(len(str(one["text"])) for one in advice), 60)
    made = ["What would change it"]
    for one in advice:
        made.append(f"  {printable(str(one['text'])):<{width}}   {one.get('command') or ''}".rstrip())
    return made


def _history(history: Optional[list[View]]) -> list[str]:
    if not history:
        return []
    texts = [f"{clock(one.get('at'))} {printable(str(one.get('text')))}".strip() for one in history]
    return _wrapped(f"{'History':<{LABEL}}" + " · ".join(texts), " " * LABEL)


def _wrapped(text: str, indent: str, invisible: int = 0) -> list[str]:
    """`text` in lines that fit the terminal; `invisible` signs of it are colour."""
    width = max(60, min(shutil.get_terminal_size((110, 24)).columns, 120))
    found = textwrap.wrap(
        text,
        width + invisible,
        subsequent_indent=indent,
        drop_whitespace=True,
        replace_whitespace=False,
        break_on_hyphens=False,
    )
    return found or [text]
