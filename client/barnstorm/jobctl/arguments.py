"""How `submit` reads its words: options, then `--` and a command, or a script whose head may carry `#JOB` options."""

import re
import shlex
from pathlib import Path
from typing import Optional

import click

LISTS = ("--files", "--each-file")
_DIRECTIVE = re.compile(r"#JOB\s(.*)")


class SubmitCommand(click.Command):
    """Splits at `--`, lets `--files` take several words, and puts a script's `#JOB` options before those typed.

    The words after the options land in the parameter `words`; `is_command` says whether a `--` stood before them.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        head, tail = split(args)
        head = expand_lists(head)
        if tail is None:
            words = self._positional(ctx, head)
            directives = self._directives(ctx, words[0]) if words else []
            rest = super().parse_args(ctx, directives + head)
            ctx.params["words"], ctx.params["is_command"] = tuple(words), False
            return rest
        if self._positional(ctx, head):  # a script that takes a `--` of its own
            words = self._positional(ctx, [*head, "--", *tail])
            at = len(head) - len(self._positional(ctx, head))
            script = [*head[at:], "--", *tail]
            rest = super().parse_args(ctx, self._directives(ctx, script[0]) + head[:at])
            ctx.params["words"], ctx.params["is_command"] = tuple(script), False
            return rest
        rest = super().parse_args(ctx, head)
        ctx.params["words"], ctx.params["is_command"] = tuple(tail), True
        return rest

    def _positional(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words after the options, without running callbacks."""
        values, _left, _order = self.make_parser(ctx).parse_args(list(args))
        words = values.get("words")
        return [str(word) for word in words] if isinstance(words, (list, tuple)) else []

    def _directives(self, ctx: click.Context, script: str) -> list[str]:
        found: list[str] = []
        for number, words in directives(script):
            try:
                values, _left, _order = self.make_parser(ctx).parse_args(list(words))
            except click.UsageError as error:
                raise click.UsageError(f"{script}:{number}: {error.format_message()}", ctx) from error
            left = values.get("words")
            if isinstance(left, (list, tuple)) and left:
                raise click.UsageError(f"{script}:{number}: #JOB takes options only, not {left[0]!r}", ctx)
            found += words
        return found


def split(args: list[str]) -> tuple[list[str], Optional[list[str]]]:
    """The words before the first `--`, and those after it, or None without one."""
    if "--" not in args:
        return list(args), None
    at = args.index("--")
    return list(args[:at]), list(args[at + 1 :])


def expand_lists(args: list[str]) -> list[str]:
    """`--files a b c` as `--files a --files b --files c`: it takes all words up to the next option."""
    found: list[str] = []
    taking = ""
    for word in args:
        if word.startswith("-") and word != "-":
            taking = word if word in LISTS else ""
            if not taking:
                found.append(word)
        elif taking:
            found += [taking, word]
        else:
            found.append(word)
    return found


def directives(script: str) -> list[tuple[int, list[str]]]:
    """The `#JOB` lines in a script's head: its comments and empty lines before the first line that does something."""
    path = Path(script)
    if not path.is_file():
        return []
    found: list[tuple[int, list[str]]] = []
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text and not text.startswith("#"):
                break
            match = _DIRECTIVE.match(text)
            if match:
                try:
                    found.append((number, shlex.split(match[1], comments=True)))
                except ValueError as error:
                    raise click.UsageError(f"{script}:{number}: {error}") from error
    return found
