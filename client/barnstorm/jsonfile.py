"""JSON as people write it in files: read with the line of every value, and refused with a line when it is wrong.

`json.loads` tells positions only of broken syntax; here a wrong value, an unknown field, one that stands twice has one.
"""

import json
import re
from dataclasses import dataclass, field
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any, Union

Key = Union[str, int]
Where = tuple[Key, ...]
MAX_DEPTH = 100

_BLANK = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "false": False, "null": None}


@dataclass(frozen=True)
class Problem:
    """Something wrong in a file: `file:line: field: message (value …; allowed …)`."""

    file: str
    line: int
    field: str
    message: str
    value: Any = None
    allowed: Any = None

    def __str__(self) -> str:
        details = []
        if self.value is not None:
            text = json.dumps(self.value, ensure_ascii=False)
            details.append("value " + (text if len(text) <= 80 else text[:79] + "…"))
        if self.allowed is not None:
            allowed = self.allowed if isinstance(self.allowed, str) else ", ".join(str(one) for one in self.allowed)
            details.append(f"allowed {allowed}")
        field = f"{self.field}: " if self.field else ""
        rest = f" ({'; '.join(details)})" if details else ""
        return f"{self.file}:{self.line}: {field}{self.message}{rest}"


class BadFile(Exception):
    """A file that cannot be used; `problems` says all that is wrong, each with its line."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(one) for one in problems))
        self.problems = problems


@dataclass
class Document:
    """A value read from a file. `lines` has the line of every path: of a member, that of its name."""

    file: str
    value: Any
    lines: dict[Where, int]
    problems: list[Problem] = field(default_factory=list)

    def line(self, where: Where) -> int:
        """The line of a path, or of the nearest thing around it that is there."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where, 1)


def read(file: Union[str, Path]) -> Document:
    """Read a file. Raises BadFile when it is no JSON; fields that stand twice are in the document's `problems`."""
    try:
        text = Path(file).read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile([Problem(str(file), 1, "", f"is not UTF-8 text (byte {error.start})")]) from error
    except OSError as error:
        raise BadFile([Problem(str(file), 1, "", f"cannot be read: {error.strerror}")]) from error
    return parse(text, str(file))


def parse(text: str, file: str = "text") -> Document:
    """Parse a text. Raises BadFile."""
    return _Parser(text, file).document()


def dotted(where: Where) -> str:
    """`("lanes", 2, "if")` as `lanes[2].if`."""
    text = ""
    for key in where:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


class _Parser:
    """Recursive descent over one text; `at` is where it stands."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.at = text, file, 0
        self.found = Document(file, None, {})
        self._counted, self._line = 0, 1

    def document(self) -> Document:
        self._blank()
        self.found.lines[()] = self.line()
        self.found.value = self._value(())
        self._blank()
        if self.at < len(self.text):
            self._fail("there is more text after the end of the document")
        return self.found

    def line(self) -> int:
        """The line of `at`, which only grows."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def _fail(self, message: str) -> None:
        line = self.text.count("\n", 0, self.at) + 1
        raise BadFile([Problem(self.file, line, "", message)])

    def _blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def _value(self, where: Where) -> Any:
        if len(where) > MAX_DEPTH:
            self._fail(f"is nested deeper than {MAX_DEPTH} levels")
        sign = self.text[self.at : self.at + 1]
        if sign == "{":
            return self._object(where)
        if sign == "[":
            return self._array(where)
        if sign == '"':
            return self._string()
        number = _NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return float(number[0]) if number[1] or number[2] else int(number[0])
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        return self._fail(self._no_value(sign))

    def _no_value(self, sign: str) -> str:
        if self.text.startswith(("//", "/*", "#"), self.at):
            return 'JSON has no comments; write a note: "note": "…"'
        if sign in ("}", "]", ""):
            return "a value is missing here" if sign else "the file ends too early: a bracket or a value is missing"
        return f"expected a value, not {sign!r}" + ("; texts have double quotes" if sign == "'" else "")

    def _string(self) -> str:
        try:
            text, self.at = scanstring(self.text, self.at + 1, True)
        except json.JSONDecodeError as error:
            self._fail(f"a text is wrong: {error.msg.lower()}")
        return str(text)

    def _object(self, where: Where) -> dict[str, Any]:
        made: dict[str, Any] = {}
        self.at += 1
        self._blank()
        if self._takes("}"):
            return made
        while True:
            if self.text[self.at : self.at + 1] != '"':
                self._fail(self._no_name())
            line = self.line()
            name = self._string()
            path = (*where, name)
            if name in made:
                first = self.found.lines[path]
                message = f"stands twice in this object; first on line {first}"
                self.found.problems.append(Problem(self.file, line, dotted(path), message))
            self.found.lines[path] = line
            self._blank()
            if not self._takes(":"):
                self._fail(f'expected ":" after "{name}"')
            self._blank()
            made[name] = self._value(path)
            self._blank()
            if self._takes("}"):
                return made
            self._comma("}")

    def _no_name(self) -> str:
        if self.text.startswith("}", self.at):
            return 'a comma stands before "}"'
        if self.text.startswith(("//", "/*", "#"), self.at):
            return self._no_value("/")
        return "expected a field's name in double quotes" if self.at < len(self.text) else self._no_value("")

    def _array(self, where: Where) -> list[Any]:
        made: list[Any] = []
        self.at += 1
        self._blank()
        if self._takes("]"):
            return made
        while True:
            path = (*where, len(made))
            self.found.lines[path] = self.line()
            made.append(self._value(path))
            self._blank()
            if self._takes("]"):
                return made
            self._comma("]")

    def _takes(self, sign: str) -> bool:
        if self.text.startswith(sign, self.at):
            self.at += 1
            return True
        return False

    def _comma(self, end: str) -> None:
        if not self._takes(","):
            self._fail(f'expected "," or "{end}"' if self.at < len(self.text) else self._no_value(""))
        self._blank()
        if self.text.startswith(end, self.at):
            self._fail(f'a comma stands before "{end}"')
