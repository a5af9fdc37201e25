"""`jobctl queue lint`, `apply` and `schema`."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from . import exits

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))


@click.command()
@FILES
@click.option("-o", "--format", "--output", "form", type=click.Choice(["table", "json"]), default="table")
def lint(files: tuple[Path, ...], form: str) -> int:
    """Check queue files without a server: each problem with its file and line. Exits 2 when there is one.

    A folder stands for the .json files in it.

    \b
    Examples:
      jobctl queue lint etc/queues/*.json
      jobctl queue lint queues/
    """
    from ..queuefile import load_queues

    wanted = _expanded(files)
    _good, problems = load_queues(wanted)
    if form == "json":
        keys = ("file", "line", "field", "message", "value", "allowed")
        click.echo(json.dumps([{key: getattr(one, key) for key in keys} for one in problems], indent=2))
    else:
        _print(problems)
        bad = len({one.file for one in problems})
        click.echo(f"{len(wanted)} checked, {f'{bad} with problems' if bad else 'no problems'}", err=True)
    return exits.USAGE if problems else exits.OK


@click.command()
@FILES
def apply(files: tuple[Path, ...]) -> int:
    """Check queue files and send the good ones to the server. Exits 2 when one was not good.

    Each field belongs to somebody: `submitter` and `pilot` to the site's admin, the rest to the operator.

    \b
    Examples:
      jobctl queue apply etc/queues/local.json
      jobctl queue apply queues/
    """
    from ..api.errors import ApiError
    from ..queuefile import load_queues
    from .session import people

    good, problems = load_queues(_expanded(files))
    _print(problems)
    code = exits.USAGE if problems else exits.OK
    if not good:
        return code
    api = people()
    for one in good:
        try:
            view = api.apply_queue(one.document)
        except ApiError as error:
            failure = exits.describe(error)
            assert failure is not None
            file, line = _origin(one, error.field)
            click.echo("\n".join([f"{file}:{line}: {error}", *failure.lines[1:]]), err=True)
            if failure.code == exits.UNREACHABLE:
                return failure.code
            code = code or failure.code
        else:
            click.echo(f"{one.config.name}: config {view.get('version')} is in force")
    return code


@click.command()
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
def schema(out: Path) -> None:
    """Print the JSON Schema of queue files: editors check and complete with it, by "$schema" in the file.

    \b
    Example:
      jobctl queue schema --out etc/queue.schema.json
    """
    from ..queuefile import schema as make

    text = json.dumps(make(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text, encoding="utf-8")


def _print(problems: list[Any]) -> None:
    for one in problems:
        click.echo(str(one), err=True)


def _expanded(files: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for file in files:
        found += sorted(file.glob("*.json")) if file.is_dir() else [file]
    return list(dict.fromkeys(found))


def _origin(one: Any, field: Any) -> tuple[str, int]:
    """Where a file says the field that the server refused."""
    from ..queuefile import where_of

    where = where_of(str(field or ""))
    while where and where not in one.origins:
        where = where[:-1]
    file, line = one.origins.get(where, (str(one.path), 1))
    return str(file), int(line)
