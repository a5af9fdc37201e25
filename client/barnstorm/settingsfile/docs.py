"""Settings written down for people: a Markdown table, an example file, and what is in force now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .fields import Setting, settings_of, value_of
from .reading import Loaded, variable_of
from .value import shown

# Defaults that depend on the machine or on other settings, as words, by the setting's name.
Told = Mapping[str, str]


def table(cls: type, prefix: str, variables: Mapping[str, str], told: Told) -> str:
    """All settings as a Markdown table."""
    lines = ["| setting | variable | default | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for one in settings_of(cls).values():
        name, variable = f"`{one.name}`", f"`{variable_of(one.name, prefix, variables)}`"
        cells = [name, variable, _default(one, told), _allowed(one), one.doc]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def example(cls: type, head: str, told: Told) -> str:
    """A TOML file with every setting commented out at its default."""
    parts = ["".join(f"# {line}".rstrip() + "\n" for line in head.strip().splitlines())]
    of_table = ""
    for one in settings_of(cls).values():
        within, _, key = one.name.rpartition(".")
        lines = [f"# {line}" for line in _wrapped(one.doc + _in_brackets(one))]
        if within != of_table:
            lines[:0] = [f"#[{within}]"]
            of_table = within
        if one.default in (None, "") or one.name in told:
            lines.append(f'#{key} = ""' + (f"  # {told[one.name]}" if one.name in told else ""))
        else:
            lines.append(f"#{key} = {shown(one.default)}")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def effective(loaded: "Loaded[Any]", masked: Mapping[str, str]) -> str:
    """The settings in force, one a line with the place it is from. `masked` replaces values that hold a secret."""
    lines = []
    for name, one in settings_of(type(loaded.settings)).items():
        value = masked.get(name, value_of(loaded.settings, name))
        where = "; ".join(filter(None, [one.unit, loaded.places[name]]))
        lines.append(f"{name} = {shown('' if value is None else value)}  # {where}")
    return "\n".join(lines) + "\n"


def _default(one: Setting, told: Told) -> str:
    if one.name in told:
        return told[one.name]
    if one.default in (None, ""):
        return "none"
    return f"`{shown(one.default)}`" + (f" {one.unit}" if one.unit else "")


def _allowed(one: Setting) -> str:
    if one.words:
        return ", ".join(one.words)
    if one.least is not None and one.most is not None:
        return f"{shown(one.least)} to {shown(one.most)}"
    if one.least is not None:
        return f"{shown(one.least)} or more"
    return {bool: "true, false", Path: "a path", list: "a list of texts"}.get(one.kind, "")


def _in_brackets(one: Setting) -> str:
    """What an example says after the meaning."""
    said = _allowed(one) if one.kind is not Path else ""
    both = " ".join(filter(None, [said, one.unit]))
    return f" ({both})" if both else ""


def _wrapped(text: str, width: int = 110) -> "list[str]":
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) + 1 > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
