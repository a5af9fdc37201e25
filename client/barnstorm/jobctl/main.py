"""The root of `jobctl`. It knows the name and one line of each verb; only the module of the one typed is imported."""

import contextlib
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn, Optional

import click

from . import exits

# A section of the help, its commands, and what each does in one line.
SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "up": "Start a whole system on this machine.",
        "down": "Stop the system on this machine.",
        "login": "Log in to a server.",
        "logout": "Forget the token of a context.",
        "whoami": "Say who you are to the server.",
        "context": "List, choose and remove contexts.",
    },
    "Work": {
        "submit": "Submit a command, a script or a task file.",
        "ls": "List tasks.",
        "show": "Show a task, job, worker, pilot or queue.",
        "wait": "Wait until tasks or jobs have ended.",
        "logs": "Print what a job wrote, also while it runs.",
        "get": "Fetch output files.",
        "explain": "Say why a job, task or queue is as it is.",
        "kill": "End tasks or jobs.",
        "retry": "Run the failed jobs of a task again.",
    },
    "Nouns": {
        "task": "Tasks: ls, show.",
        "job": "Jobs: ls, show.",
        "queue": "Queues: ls, show, lint, apply, mark, unmark, schema.",
        "pilot": "Pilots: ls, show.",
        "worker": "Workers: ls, show, kill.",
        "harvester": "Harvesters: ls, show.",
        "token": "Tokens: ls, show, issue, revoke.",
    },
}
SUMMARIES = {name: text for commands in SECTIONS.values() for name, text in commands.items()}


class Jobctl(click.Group):
    """A group that loads its commands late and turns every error into a sentence and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Optional[click.Command]:
        if cmd_name not in SUMMARIES:
            return None
        command: click.Command = import_module(f"barnstorm.jobctl.{cmd_name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in SUMMARIES and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], SUMMARIES, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise click.UsageError(f"there is no command {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(list(commands.items()), col_max=12)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            _forget_stdout()
            raise exits.Stop("", exits.BROKEN_PIPE) from None

    def main(  # type: ignore[override]
        self, args: Optional[Sequence[str]] = None, prog_name: Optional[str] = None, **extra: Any
    ) -> NoReturn:
        """Run and exit; a command may return its exit code."""
        extra.pop("standalone_mode", None)
        sys.exit(self._run(args, prog_name, extra))

    def _run(self, args: Optional[Sequence[str]], prog_name: Optional[str], extra: dict[str, Any]) -> int:
        try:
            result = super().main(args, prog_name, standalone_mode=False, **extra)
            return result if isinstance(result, int) else exits.OK
        except (click.Abort, KeyboardInterrupt):
            return exits.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets a sentence
            if type(error).__name__ == "NoArgsIsHelpError":  # click 8.2 on; older ones print the help themselves
                click.echo(str(error) or cli.get_help(click.Context(cli)), err=True)
                return exits.USAGE
            return _say(error)


def _say(error: Exception) -> int:
    if os.environ.get("BARNSTORM_DEBUG"):
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__)
    failure = exits.describe(error)
    if failure is None:
        text = f"error: jobctl itself failed: {type(error).__name__}: {error}"
        failure = exits.Failure([text, "BARNSTORM_DEBUG=1 shows where; please report it"], exits.INTERNAL)
    for line in failure.lines:
        click.echo(line, err=True)
    return failure.code


def _forget_stdout() -> None:
    """Nobody reads any more: let the interpreter flush into nothing at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version

    try:
        click.echo(f"jobctl {version('barnstorm')}")
    except PackageNotFoundError:
        click.echo("jobctl (not installed)")
    ctx.exit()


@click.group(
    cls=Jobctl, name="jobctl", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option(
    "--context", "context", metavar="NAME", envvar="BARNSTORM_CONTEXT", help="Use this context, not the current one."
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
@click.pass_context
def cli(ctx: click.Context, context: Optional[str]) -> None:
    """Submit work, follow it, fetch its results; look after queues, workers and pilots.

    \b
    Examples:
      jobctl up                                  start everything on this machine
      jobctl submit -- echo hello                submit one job; prints the task's id
      jobctl wait 1 && jobctl logs 1             wait for it, read what it wrote
      jobctl explain 1.0                         why is this job where it is?

    Exit codes: 0 ok, 1 the work failed, 2 usage, 3 not found, 4 not allowed, 5 server unreachable, 6 timed out waiting.
    """
    ctx.obj = {"context": context or ""}


def main() -> NoReturn:
    """The `jobctl` program."""
    cli.main(prog_name="jobctl")
