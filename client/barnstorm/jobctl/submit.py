"""`jobctl submit`: one task from a command, a script or a task file."""

import json
import sys
from typing import TYPE_CHECKING, Any, Optional

import click

from . import exits
from .arguments import SubmitCommand
from .quantities import MEMORY, PAIR, TIME
from .spec import Document, Draft, draft, sources

if TYPE_CHECKING:
    from ..jsonfile import Document as JsonFile

OPTIONS = (
    click.option("--name", metavar="TEXT", help="A name for people."),
    click.option("--array", metavar="RANGES", help="One job per number: 0-999 or 1-9,20,30-90:10. Placeholder {i}."),
    click.option("--params", metavar="FILE.csv", help="One job per row; its columns are placeholders."),
    click.option(
        "--seeds", type=click.IntRange(min=1), metavar="N", help="One job per random seed. Placeholder {seed}."
    ),
    click.option("--seed-base", type=click.IntRange(min=0), metavar="B", help="Other seeds for another B."),
    click.option(
        "--files",
        "--each-file",
        "files",
        multiple=True,
        metavar="PATH...",
        help="One job per file. Placeholder {file}.",
    ),
    click.option("--task-file", metavar="FILE.json", help="A task document; other options are laid over it. -: stdin."),
    click.option("--cores", type=click.IntRange(min=1), metavar="N", help="Cores of each job."),
    click.option("--memory", type=MEMORY, metavar="SIZE", help="Memory of each job: 2000 (MiB), 500M, 4G."),
    click.option(
        "--walltime", type=TIME, metavar="TIME", help="Longest time of each job: 3600, 90m, 12h, 2d, 01:30:00."
    ),
    click.option("--disk", type=MEMORY, metavar="SIZE", help="Scratch space of each job."),
    click.option("--gpus", type=click.IntRange(min=0), metavar="N", help="GPUs of each job."),
    click.option("--arch", metavar="NAME", help="Processor architecture, as uname -m prints it."),
    click.option("--tag", "tags", multiple=True, metavar="TAG", help="The queue must offer this."),
    click.option("--queue", "queues", multiple=True, metavar="QUEUE", help="Only at this queue."),
    click.option("--site", "sites", multiple=True, metavar="SITE", help="Only at this site."),
    click.option("--priority", type=click.IntRange(-1000, 1000), metavar="N", help="Higher is first among your own."),
    click.option("--env", multiple=True, type=PAIR, metavar="KEY=VALUE", help="A variable of each job's environment."),
    click.option(
        "--input", "inputs", multiple=True, metavar="PATH[:NAME]", help="A file each job finds in its work directory."
    ),
    click.option(
        "--output", "outputs", multiple=True, metavar="NAME[?]", help="A file each job leaves; ?: it may be absent."
    ),
    click.option(
        "--retries", type=click.IntRange(0, 100), metavar="N", help="Further tries after a failure of the job itself."
    ),
    click.option("--after", multiple=True, metavar="TASK", help="Wait until this task has ended well."),
    click.option("-l", "--label", "labels", multiple=True, type=PAIR, metavar="KEY=VALUE", help="A label of the task."),
    click.option("--campaign", metavar="NAME", help="The label campaign."),
    click.option("--group", metavar="GROUP", help="The group that owns the task together."),
    click.option("--wait", is_flag=True, help="Wait until it has ended; exit 1 if a job failed."),
    click.option("--timeout", type=TIME, metavar="TIME", help="With --wait: give up waiting then (exit 6)."),
    click.option("--key", metavar="TEXT", help="Repeating a submit with the same key makes no second task."),
    click.option("--dry-run", is_flag=True, help="Check, print the task document, submit nothing."),
    click.option(
        "-o", "--format", "form", type=click.Choice(["table", "json", "ids"]), default="table", help="How to print it."
    ),
)


def _all_options(command: Any) -> Any:
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.command(cls=SubmitCommand, context_settings={"allow_interspersed_args": False}, options_metavar="[OPTIONS]")
@_all_options
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="(-- COMMAND... | SCRIPT [ARGS]...)")
def command(**options: Any) -> int:
    """Submit a task: a command after --, a script with its arguments, or a task file.

    The command runs as it stands, without a shell. {name} in its words, in --env, --input and --output names is filled
    for each job; {task}, {index} and {job} are always there, and {{name}} stands for the text {name}. A script's first
    comment lines may hold options as `#JOB --cores 4 --memory 4G`; what is typed wins.

    --input takes a file of this machine (uploaded by content, up to 2 GiB), site:/path for one already there, or
    task:N[/NAME] for the outputs of task N, laid down as N/<index>/<name>; while N goes on, this task waits for it.

    \b
    Examples:
      jobctl submit -- echo hello
      jobctl submit --array 0-999 --cores 1 --memory 2G -- ./simulate --point {i}
      jobctl submit --seeds 200 --input toy.py --output toys.json -- python3 toy.py --seed {seed}
      jobctl submit --params points.csv --output 'fit-{mass}.root?' fit.sh {mass} {width}
      jobctl submit --files data/*.root --walltime 2h -- ./convert {file}
      jobctl submit --after 48213 --input task:48213 --input merge.py --wait -- python3 merge.py 48213
      id=$(jobctl submit -o ids -- true)
    """
    from .session import people

    file = read_document(options["task_file"]) if options["task_file"] else None
    made = draft(options, file.value if file is not None else None)
    check(made, file)
    if options["dry_run"]:
        click.echo(json.dumps(made.document, indent=2))
        return exits.OK
    api = people()
    going_on = [task for task in sources(made.document) if api.task(task).get("ended_at") is None]
    if going_on:
        made.document["after"] = [*made.document.get("after", []), *going_on]
    if made.uploads:
        from .upload import upload_all

        upload_all(api.connection, made.uploads)
    task = api.submit_document(made.document, options["key"])
    announce(task, options["form"])
    if not options["wait"]:
        return exits.OK
    from .waiting import wait_for

    return wait_for(api, [str(task["id"])], options["timeout"])


def read_document(file: str) -> "JsonFile":
    """A task file. Raises BadFile with the line of what is no JSON."""
    from ..jsonfile import BadFile, Problem, parse, read

    document = parse(sys.stdin.read(), "stdin") if file == "-" else read(file)
    if not isinstance(document.value, dict):
        raise BadFile([Problem(document.file, 1, "", "a task file holds one JSON object")])
    if document.problems:
        raise BadFile(document.problems)
    return document


def check(made: Draft, file: Optional["JsonFile"]) -> None:
    """The server's own check, before anything is uploaded. Raises InvalidSpec, BadFile or click.UsageError."""
    from ..model.base import from_wire
    from ..model.task import TaskSpec, check_task

    if file is not None:
        _check_fields(made.document, file)
    check_task(from_wire(TaskSpec, made.document))


def _check_fields(document: Document, file: "JsonFile") -> None:
    """Names and types of a task file's fields. Raises BadFile with their lines."""
    from pydantic import TypeAdapter, ValidationError

    from ..jsonfile import BadFile, Problem, dotted
    from ..model.task import TaskSpec
    from ..modelcheck import problems_of

    try:
        TypeAdapter(TaskSpec).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        found = problems_of(error, TaskSpec, document)
        raise BadFile(
            [Problem(file.file, file.line(one.where), dotted(one.where), *one[1:]) for one in found]
        ) from None


def announce(task: dict[str, Any], form: str) -> None:
    """Say which task it is."""
    from .words import plural

    if form == "ids":
        click.echo(task["id"])
    elif form == "json":
        click.echo(json.dumps(task, indent=2, ensure_ascii=False))
    else:
        click.echo(f"task {task['id']}: {plural(int(task['jobs']), 'job')} accepted")
