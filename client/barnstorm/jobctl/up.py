"""`jobctl up`: a whole system on this machine."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import click
from click.core import ParameterSource

from . import exits
from .quantities import MEMORY

if TYPE_CHECKING:
    from .localsystem import Plan

PACKAGES = ("alembic", "fastapi", "jwt", "psutil", "sqlalchemy", "uvicorn", "barnstorm_server", "barnstorm_harvester")


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port; left out: the last one, else 8787 or a free one."
)
@click.option("--detach", is_flag=True, help="Go on in the background; jobctl down stops it.")
@click.option("--cores", type=click.IntRange(min=1), metavar="N", help="Cores for jobs; left out: all.")
@click.option("--memory", type=MEMORY, metavar="SIZE", help="Memory for jobs; left out: nine tenths of it.")
@click.option("--ready-fd", type=int, hidden=True)
def command(
    data_dir: Optional[Path],
    host: str,
    port: Optional[int],
    detach: bool,
    cores: Optional[int],
    memory: Optional[int],
    ready_fd: Optional[int],
) -> int:
    """Start a server and a harvester on this machine, log you in to them, and keep them running.

    Everything is kept in one directory ($BARNSTORM_DATA_DIR, else $XDG_DATA_HOME/barnstorm, that is
    ~/.local/share/barnstorm). Started again it goes on where it was. Settings of your own go to server.toml and
    harvester.toml there. Ctrl-C lets pilots end in peace, a second one hurries.

    \b
    Examples:
      jobctl up
      jobctl up --detach --cores 4 --memory 8G
      jobctl up --data-dir /scratch/me/barnstorm --port 0
    """
    check_machine()
    from ..datadir import default_data_dir
    from .datahold import AlreadyRunning, DataDir
    from .localsystem import Plan
    from .supervisor import Supervisor

    data = DataDir((data_dir or default_data_dir()).expanduser().absolute())
    plan = Plan(data, host, port, cores, memory, _context_name())
    if detach:
        return start_detached(plan)
    try:
        with data.hold():
            return Supervisor(plan, ready_fd).run()
    except AlreadyRunning as running:
        return say_running(plan, running.pid)


def _context_name() -> str:
    """`local`, or what `--context` says; BARNSTORM_CONTEXT names another system, whose context is not to be lost."""
    root = click.get_current_context().find_root()
    typed = root.get_parameter_source("context") is ParameterSource.COMMANDLINE
    return str(root.params["context"]) if typed else "local"


def check_machine() -> None:
    """Say in one sentence what is missing, if anything is. Raises Stop."""
    import importlib.util

    if not sys.platform.startswith("linux"):
        raise exits.Stop("jobctl up needs Linux; from here: jobctl login --server URL of a system that runs elsewhere")
    version = sys.version_info[:2]
    if version < (3, 11):
        raise exits.Stop(f"jobctl up needs Python 3.11 or newer; this is {version[0]}.{version[1]}")
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise exits.Stop(f"{', '.join(missing)} not installed", exits.USAGE, ["pip install 'barnstorm[all]'"])


def say_running(plan: "Plan", pid: int) -> int:
    """A system runs on this data directory already: log in to it, and say so."""
    from .localsystem import log_in

    url = plan.data.url()
    where = f"at {url} " if url else ""
    click.echo(f"already running {where}(pid {pid}, {plan.data.path}); jobctl down stops it")
    if url:
        log_in(plan, url)
    return exits.OK


def start_detached(plan: "Plan") -> int:
    """Start the same in a session of its own, and wait until it is ready or says why not."""
    import subprocess

    pid = plan.data.running()
    if pid:
        return say_running(plan, pid)
    read, write = os.pipe()
    words = [sys.executable, "-m", "barnstorm.jobctl", "--context", plan.context, "up", "--ready-fd", str(write)]
    words += ["--data-dir", str(plan.data.path), "--host", plan.host]
    for option, value in (("--port", plan.port), ("--cores", plan.cores), ("--memory", plan.memory_mib)):
        words += [option, str(value)] if value is not None else []
    with open(plan.data.log("up"), "ab") as log:
        subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[write],
            start_new_session=True,
            cwd="/",
        )
    os.close(write)
    with open(read, encoding="utf-8") as told:
        text = told.read()
    if not text:
        raise exits.Stop(f"it did not start; see {plan.data.log('up')}", exits.FAILED)
    code, _, said = text.partition("\n")
    click.echo(said.rstrip("\n"), err=code != "0")
    return int(code)
