"""Registers with its join token, leaves a note, and behaves as BARNSTORM_PILOT_FAKE says.

    stay         until it is told to leave (SIGTERM)
    leave        registers and leaves at once
    fail         exits with 7, after words on both streams
    stubborn     stays, and does not hear SIGTERM; has a child in a session of its own

Notes are files in BARNSTORM_PILOT_NOTES: `<worker>.<pid>` with the environment and arguments it was given.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

HOW = os.environ.get("BARNSTORM_PILOT_FAKE", "stay")
NOTES = Path(os.environ["BARNSTORM_PILOT_NOTES"])


def register() -> None:
    with open(os.environ["BARNSTORM_JOIN_TOKEN_FILE"], encoding="ascii") as file:
        token = file.read().strip()
    hello = {"key": str(os.getpid()), "queue": os.environ["BARNSTORM_QUEUE"], "worker": os.environ["BARNSTORM_WORKER"]}
    hello["shape"] = {"cores": int(sys.argv[sys.argv.index("--cores") + 1])}
    request = urllib.request.Request(
        os.environ["BARNSTORM_SERVER"] + "/v1/pilots",
        json.dumps(hello).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            print("registered", answer.status, flush=True)
    except (urllib.error.URLError, OSError) as error:
        print("not registered:", error, flush=True)


def main() -> int:
    left = threading.Event()
    if HOW == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
        (NOTES / f"child.{child.pid}").touch()
    else:
        signal.signal(signal.SIGTERM, lambda *_: left.set())
    ours = {name: value for name, value in os.environ.items() if name.startswith("BARNSTORM_")}
    note = NOTES / f"{os.environ['BARNSTORM_WORKER']}.{os.getpid()}"
    note.with_suffix(note.suffix + ".new").write_text(json.dumps({"environment": ours, "arguments": sys.argv[1:]}))
    note.with_suffix(note.suffix + ".new").rename(note)
    if HOW == "fail":
        print("words on stdout", flush=True)
        print("words on stderr", file=sys.stderr, flush=True)
        return 7
    register()
    if HOW != "leave":
        left.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
