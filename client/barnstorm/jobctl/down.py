"""`jobctl down`."""

import time
from pathlib import Path
from typing import Optional

import click

from . import exits
from .quantities import TIME


@click.command()
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Where everything is kept.")
@click.option("--now", is_flag=True, help="Do not wait for pilots to end in peace.")
@click.option(
    "--timeout", type=TIME, default="90", metavar="TIME", help="Give up waiting then (exit 6).  [default: 90]"
)
def command(data_dir: Optional[Path], now: bool, timeout: int) -> int:
    """Stop the system that `jobctl up` started; its data stay, and `jobctl up` goes on with them.

    \b
    Examples:
      jobctl down
      jobctl down --now
    """
    import os
    import signal

    from ..datadir import default_data_dir
    from .datahold import DataDir

    data = DataDir((data_dir or default_data_dir()).expanduser().absolute())
    pid = data.running()
    if not pid:
        click.echo(f"nothing runs on {data.path}")
        return exits.OK
    os.kill(pid, signal.SIGTERM)
    if now:
        time.sleep(0.5)
        if data.running() == pid:
            os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + timeout
    while data.running() == pid:
        if time.monotonic() > until:
            raise exits.Stop(f"pid {pid} has not ended in {timeout} s; jobctl down --now hurries", exits.TIMED_OUT)
        time.sleep(0.1)
    click.echo("stopped")
    return exits.OK
