"""What README and the user's first page tell to type works as they say, one line after the other."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.integration.system.conftest import System

ROOT = Path(__file__).resolve().parents[3]
NOT_HERE = ("jobctl up", "jobctl down", "jobctl login")


def typed(text: str, prompt: str) -> list[tuple[str, str]]:
    """The lines that begin with `prompt`, each with what the page shows below it."""
    found = re.findall(rf"^{re.escape(prompt)}((?:jobctl|cat) .*)\n((?:(?!{re.escape(prompt)}|```).*\n)*)", text, re.M)
    return [(line, shown) for line, shown in found if not line.startswith(NOT_HERE)]


def run(system: System, folder: Path, line: str) -> "subprocess.CompletedProcess[str]":
    """Type one line into a shell."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**system.environ, "PATH": path, "COLUMNS": "120"}
    return subprocess.run(["sh", "-c", line], cwd=folder, env=environ, capture_output=True, text=True, timeout=100)


@pytest.mark.slow
def test_the_tour_of_the_readme_works(system: System, tmp_path: Path) -> None:
    folder = tmp_path / "tour"
    folder.mkdir()
    (folder / "etc").symlink_to(ROOT / "etc")
    (folder / "points.csv").write_text("mass\n100\n125\n")
    (folder / "fit.py").write_text("import sys\nopen('fit.json', 'w').write('{\"mass\": %s}\\n' % sys.argv[1])\n")
    lines = typed((ROOT / "README.md").read_text(), "    ")
    assert len(lines) > 10
    for line, _ in lines:
        done = run(system, folder, line)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    assert (folder / "results/7/out.txt").read_text() == "7\n"
    assert run(system, folder, "jobctl logs 4").stdout == '{"mass": 100}\n{"mass": 125}\n'


@pytest.mark.slow
def test_the_first_page_for_users_works(system: System, tmp_path: Path) -> None:
    page = (ROOT / "docs/user/getting-started.md").read_text()
    folder = tmp_path / "first"
    folder.mkdir()
    blocks = re.findall(r"```python\n(.*?)```", page, re.S)
    for name, block in zip(("walk.py", "mean.py"), blocks, strict=False):
        (folder / name).write_text(block)
    for line, shown in typed(page, "$ "):
        done = run(system, folder, line)
        said = done.stdout + done.stderr
        assert done.returncode == (1 if "failed: used" in shown else 0), f"{line}\n{said}"
        for expected in re.findall(r"^(task .*|\d+ walks|hello|\d+ job ended)", shown, re.M):
            assert expected in said, f"{line}\n{said}"
    script = subprocess.run(
        [sys.executable, "-c", blocks[2]], cwd=folder, env=system.environ, capture_output=True, text=True, timeout=100
    )
    assert script.returncode == 0, script.stderr
    assert "ended at" in script.stdout
