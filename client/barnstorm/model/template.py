"""Placeholders: `{seed}` in commands, environment and file names; `{{seed}}` stands for the text `{seed}` itself.

Only `{lower_case_name}` counts: `awk '{print $1}'`, `${HOME}`, `{"a": {"b": 1}}` and `{{.Id}}` stay as they are.
"""

import re
from collections.abc import Iterable
from typing import Any

ALWAYS = ("task", "index", "job")

_TOKEN = re.compile(r"\{(\{[a-z][a-z0-9_]*\})\}|(?<!\$)\{([a-z][a-z0-9_]*)\}")


class UnknownPlaceholder(ValueError):
    """A placeholder that neither the task nor its collection gives."""

    def __init__(self, name: str, text: str, known: Iterable[str]) -> None:
        self.name, self.text, self.known = name, text, sorted(known)
        super().__init__(
            f"unknown placeholder {{{name}}} in {text[:80]!r}; known here: "
            + ", ".join(f"{{{k}}}" for k in self.known)
            + f". Write {{{{{name}}}}} for the text itself"
        )


def placeholders(text: str) -> list[str]:
    """The names of the placeholders in a text, in order."""
    return [match[2] for match in _TOKEN.finditer(text) if match[2]]


def check(text: str, known: Iterable[str]) -> None:
    """Raise UnknownPlaceholder unless each placeholder of `text` is among `known`."""
    known = set(known)
    for name in placeholders(text):
        if name not in known:
            raise UnknownPlaceholder(name, text, known)


def fill(text: str, values: dict[str, Any]) -> str:
    """`text` with its placeholders replaced; raises UnknownPlaceholder."""

    def replace(match: "re.Match[str]") -> str:
        if match[1]:
            return str(match[1])
        if match[2] not in values:
            raise UnknownPlaceholder(match[2], text, values)
        return str(values[match[2]])

    return _TOKEN.sub(replace, text)
