"""`jobctl get`: output files, checked against their sha256, never outside the directory that was named."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import click

from ..model.ids import parse_task_or_job
from . import exits

View = dict[str, Any]


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="(TASK | JOB)...")
@click.option(
    "-d", "--dir", "folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where to put them."
)
@click.option("--name", "names", multiple=True, metavar="NAME", help="Only outputs of this name.")
@click.option("--list", "only_list", is_flag=True, help="List them, fetch nothing.")
def command(ids: tuple[str, ...], folder: Path, names: tuple[str, ...], only_list: bool) -> int:
    """Fetch the output files of finished jobs.

    A task of one job puts them at DIR/NAME, a larger one at DIR/<index>/NAME. Files that are there already with the
    right content are left alone, so an interrupted get goes on where it was.

    \b
    Examples:
      jobctl get 48213 -d out
      jobctl get 48213.7 --name fit.root -d out
      jobctl get 48213 --list
    """
    from .session import people

    api = people()
    wanted = [parse_task_or_job(one) for one in ids]
    found = _outputs(api, wanted, names)
    if only_list:
        from .tables import Column, plain
        from .words import size

        items = [output for output, _place in found]
        columns = (
            Column("JOB", lambda one: one["job"], right=True),
            Column("NAME", lambda one: one["name"]),
            Column("SIZE", lambda one: size(one["size"]), right=True),
            Column("SHA256", lambda one: one["blob"][:16]),
        )
        sys.stdout.write(plain(items, columns) if items else "")
        return exits.OK
    return _fetch(api, found, folder, ids)


def _fetch(api: Any, found: Iterator[tuple[View, str]], folder: Path, ids: tuple[str, ...]) -> int:
    from .fetch import fetch_all
    from .words import plural, size

    done = fetch_all(api, found, folder)
    if not done.count and not done.kept and not done.failures:
        raise exits.Stop(f"{', '.join(ids)}: no finished job has outputs" + _why_none(api, ids), exits.NOT_FOUND)
    kept = f", {done.kept:,} already there" if done.kept else ""
    click.echo(f"{plural(done.count, 'file')}, {size(done.octets)}, in {folder}{kept}", err=True)
    for line in done.failures:
        click.echo(f"error: {line}", err=True)
    return exits.FAILED if done.failures else exits.OK


def _outputs(api: Any, wanted: list[tuple[int, Optional[int]]], names: tuple[str, ...]) -> Iterator[tuple[View, str]]:
    """Each output with its place below the directory."""
    for task, index in wanted:
        alone = int(api.task(task)["jobs"]) == 1
        for name in names or (None,):
            for output in api.outputs(task, name=name, job=index):
                yield output, str(output["name"]) if alone else f"{output['index']}/{output['name']}"


def _why_none(api: Any, ids: tuple[str, ...]) -> str:
    task, _index = parse_task_or_job(ids[0])
    spec = api.task(task).get("spec") or {}
    return "" if spec.get("outputs") else f"; task {task} was submitted without --output"
