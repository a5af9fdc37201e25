"""Writes what is made from code: `docs/reference/states.md`, `faults.md`, `rest.md`, and the numbers in README.

    python docs/generate.py [--check]

`--check` writes nothing and fails when a page is not fresh; a test calls it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from barnstorm.model.faults import FAULTS
from barnstorm.model.states import JOB_WORDS, MACHINES, Machine
from barnstorm_server.auth.policy import POLICIES
from barnstorm_server.routes.table import CALLS

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/generate.py from the code; edit that instead. -->\n\n"


def states() -> str:
    """All state tables, each with its diagram."""
    intro = "# States\n\nOne table for each noun (`barnstorm.model.states`). A state without a successor is final.\n"
    return MADE + intro + "".join(_machine(machine) for machine in MACHINES)


def _machine(machine: Machine) -> str:
    lines = [f"\n## {machine.noun}\n", "```mermaid", "stateDiagram-v2"]
    lines += [f"    {old} --> {new}" for old, after in machine.moves.items() for new in after]
    words = machine.noun == "job"
    lines += [
        "```",
        "",
        "| state | may become |" + (" screens say |" if words else ""),
        "| --- | --- |" + (" --- |" if words else ""),
    ]
    for state, after in machine.moves.items():
        said = f" {JOB_WORDS[state]} |" if words else ""
        lines.append(f"| {state} | {', '.join(after) or '(final)'} |{said}")
    return "\n".join(lines) + "\n"


def faults() -> str:
    """The table of error codes."""
    lines = [
        "# Why attempts end badly\n",
        "The code stands in `fault` of a job and an attempt. Blame says who can mend it: only the user's own failures",
        "use up a task's retries; a fault of the site or of the system costs the user nothing.\n",
        "| code | blame | meaning | remedy |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| `{one.code}` | {one.blame} | {one.meaning} | {one.remedy} |" for one in FAULTS.values()]
    return MADE + "\n".join(lines) + "\n"


def rest() -> str:
    """Every call with who may make it."""
    lines = [
        "# REST calls and who may make them\n",
        "The shapes of bodies and answers are in [the protocol](../architecture/protocol.md) and in the server's",
        "`/openapi.json`. `own`: the caller's own things and his groups'; `any`: everyone's.\n",
        "| call | what it does | who |",
        "| --- | --- | --- |",
    ]
    for call in CALLS:
        policy = POLICIES[call.method, call.path]
        who = "everyone" if policy.public else ", ".join(f"{kind} ({scope})" for kind, scope in policy.scopes.items())
        told = (call.handler.__doc__ or "").split("\n")[0]
        lines.append(f"| `{call.method} {call.path}` | {told} | {who} |")
    return MADE + "\n".join(lines) + "\n"


ASKED = {
    "submit_to_running_fresh": ("submission to the payload running, no pilot there yet", "2 s"),
    "submit_to_running_warm": ("the same with an idle pilot", "0.05 s"),
    "end_to_report": ("the payload's end to its report", "50 ms"),
    "spine_true": ("`true` jobs through one pilot of 2 slots", "150 jobs/s"),
    "server_idle_cpu": ("the server, idle", "0.01 cores"),
    "server_rss": ("the server's memory", "120 MiB"),
}


def readme() -> str:
    """README with the numbers of the last benchmark between its marks."""
    text = (HERE.parent / "README.md").read_text(encoding="utf-8")
    rows = json.loads((HERE.parent / "benchmarks/results/spine.json").read_text(encoding="utf-8"))
    lines = ["| what | measured | asked | floor: the same by hand |", "| --- | --- | --- | --- |"]
    for row in rows:
        what, asked = ASKED[row["name"]]
        floor = "" if row["floor"] is None else f"{row['floor']:,.4g} {row['unit']}"
        lines.append(f"| {what} | {row['value']:,.4g} {row['unit']} | {asked} | {floor} |")
    begin, end = "<!-- numbers:begin -->\n", "<!-- numbers:end -->"
    before, _, rest = text.partition(begin)
    return before + begin + "\n".join(lines) + "\n" + end + rest.partition(end)[2]


PAGES = {
    "../README.md": readme,
    "reference/states.md": states,
    "reference/faults.md": faults,
    "reference/rest.md": rest,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with --check tell which are not fresh."""
    stale = []
    for name, make in PAGES.items():
        path, page = HERE / name, make()
        if path.exists() and path.read_text(encoding="utf-8") == page:
            continue
        stale.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(page, encoding="utf-8")
    if "--check" in arguments and stale:
        print(f"not fresh: {', '.join(stale)}; run: ./dev docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
