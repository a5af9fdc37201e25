"""pydantic's errors about a document of the model, as sentences: the field, its value, what is allowed or was meant."""

import dataclasses
import difflib
import typing
from typing import Any, NamedTuple, Optional

from .jsonfile import Where


class Wrong(NamedTuple):
    """One thing wrong with a document."""

    where: Where
    message: str
    value: Any = None
    allowed: Any = None


_KINDS = {
    "dataclass_type": "an object",
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "string_too_long": ("max_length", "is longer than {} signs"),
}
_PATTERNS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$": "letters, digits, _ . -, beginning with a letter or digit, up to 100",
}


def problems_of(error: Any, cls: type, document: Any) -> list[Wrong]:
    """The errors of a pydantic ValidationError about `document`, which should have been a `cls`; one a place."""
    found: dict[Where, Wrong] = {}
    for one in _meant(error.errors(include_url=False)):
        where, branch = _place(one["loc"], document)
        if branch and isinstance(_at(document, where), dict) and branch.startswith("literal["):
            continue  # an object was meant: what the words of the union say is beside the point
        wrong = _wrong(one, where, cls)
        before = found.get(where)
        found[where] = wrong if before is None else _joined(before, wrong)
    return list(found.values())


def _meant(errors: list[Any]) -> list[Any]:
    """Of a union's variants only the one that the value's `kind` names counts; if it names none, that is the error."""
    others = {one["loc"][:-1]: one for one in errors if one["type"] == "literal_error" and one["loc"][-1:] == ("kind",)}
    kept = [one for one in errors if not any(one["loc"][: len(loc)] == loc for loc in others)]
    for union in dict.fromkeys(loc[:-1] for loc in others):
        if not any(one["loc"][: len(union)] == union for one in kept):
            refused = [one for loc, one in others.items() if loc[:-1] == union]
            kinds = ", ".join(str(one["ctx"]["expected"]) for one in refused)
            kept.append({**refused[0], "loc": (*union, "kind"), "ctx": {"expected": kinds}})
    return kept


def _wrong(one: Any, where: Where, cls: type) -> Wrong:
    kind, value, context = one["type"], one.get("input"), one.get("ctx") or {}
    if kind == "missing":
        return Wrong(where, "is missing")
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        return _unknown(where, fields_at(cls, where[:-1]))
    if kind == "literal_error":
        return Wrong(where, "is not one of those allowed", value, str(context.get("expected", "")).replace("'", '"'))
    if kind in _BOUNDS:
        key, text = _BOUNDS[kind]
        limit = context[key]
        return Wrong(where, text.format(f"{limit:,}" if isinstance(limit, int) else limit), value)
    if kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        return Wrong(where, "has a form that is not allowed", value, _PATTERNS.get(pattern, pattern))
    if kind in _KINDS:
        return Wrong(where, f"must be {_KINDS[kind]}", value)
    return Wrong(where, str(one["msg"]), value)


def _unknown(where: Where, known: list[str]) -> Wrong:
    name = str(where[-1])
    close = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return Wrong(where, f"unknown field{hint}", None, None if close else known or None)


def _joined(one: Wrong, other: Wrong) -> Wrong:
    """Two branches of a union refused the same value."""
    if one.allowed and other.message.startswith("must be "):
        return Wrong(one.where, one.message, one.value, f"{one.allowed} or {other.message[len('must be ') :]}")
    return one


def _place(loc: tuple[Any, ...], document: Any) -> tuple[Where, str]:
    """A pydantic location as a path of the document, and the name of the union's branch in it, if any."""
    where: list[Any] = []
    here, branch = document, ""
    for n, part in enumerate(loc):
        last = n == len(loc) - 1
        if isinstance(here, dict) and (part in here or (last and not _is_branch(part))):
            where.append(part)
            here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            where.append(part)
            here = here[part]
        else:
            branch = str(part)
    return tuple(where), branch


def _is_branch(part: Any) -> bool:
    """Pydantic names a union's branch by its class, or as `literal['a','b']`."""
    return isinstance(part, str) and (part.startswith("literal[") or part[:1].isupper())


def _at(document: Any, where: Where) -> Any:
    here = document
    for key in where:
        here = here.get(key) if isinstance(here, dict) else here[key]
    return here


def fields_at(cls: type, where: Where) -> list[str]:
    """The fields that an object at a path of a `cls` may have."""
    hint: Any = cls
    for key in where:
        hint = _step(hint, key)
    found = _class_of(hint)
    return [f.metadata.get("alias", f.name) for f in dataclasses.fields(found)] if found else []


def _step(hint: Any, key: Any) -> Any:
    """The type of member `key` of something of type `hint`."""
    for choice in _choices(hint):
        origin, args = typing.get_origin(choice), typing.get_args(choice)
        if origin is list and isinstance(key, int):
            return args[0]
        if origin is dict:
            return args[1]
        if dataclasses.is_dataclass(choice):
            types = typing.get_type_hints(choice)
            for f in dataclasses.fields(choice):
                if f.metadata.get("alias", f.name) == key:
                    return types[f.name]
    return None


def _choices(hint: Any) -> list[Any]:
    return list(typing.get_args(hint)) if typing.get_origin(hint) is typing.Union else [hint]


def _class_of(hint: Any) -> Optional[Any]:
    return next((choice for choice in _choices(hint) if dataclasses.is_dataclass(choice)), None)
