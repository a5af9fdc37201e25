"""Fetching outputs: whole, right, and never outside the directory."""

from pathlib import Path

import pytest

from .conftest import Run
from .fake import Fake, job_view, task_view


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_one_job(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1)
    fake.add_output(1, 0, "a.txt", b"alpha")
    fake.add_output(1, 0, "sub/b c.txt", b"")
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert (done.exit_code, done.output) == (0, f"2 files, 5 B, in {tmp_path / 'out'}\n")
    assert files(tmp_path / "out") == {"a.txt": b"alpha", "sub/b c.txt": b""}


def test_an_array_and_a_second_time(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1, jobs=300)
    for index in range(300):
        fake.add_output(1, index, "r.json", b"%d" % index)
    assert jobctl("get", "1.7", "-d", tmp_path / "one").exit_code == 0
    assert files(tmp_path / "one") == {"7/r.json": b"7"}
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert done.exit_code == 0
    assert len(files(tmp_path / "out")) == 300
    (tmp_path / "out" / "8" / "r.json").write_text("x")
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert done.output == f"1 file, 1 B, in {tmp_path / 'out'}, 299 already there\n"
    assert (tmp_path / "out" / "8" / "r.json").read_text() == "8"


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/../../x", "..", "a//b", "", "a\nb"])
def test_names_that_lead_outside(jobctl: Run, fake: Fake, tmp_path: Path, name: str) -> None:
    fake.tasks[1] = task_view(1)
    fake.add_output(1, 0, name, b"evil")
    fake.add_output(1, 0, "good", b"good")
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert done.exit_code == 1
    assert f"error: 1.0 {name!r}: " in done.output
    assert files(tmp_path / "out") == {"good": b"good"}
    assert not (tmp_path / "x").exists()


def test_links_in_the_way(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1)
    fake.add_output(1, 0, "sub/x", b"evil")
    fake.add_output(1, 0, "y", b"evil")
    fake.add_output(1, 0, "d", b"evil")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "out" / "y").symlink_to(tmp_path / "elsewhere" / "y")
    (tmp_path / "out" / "d").mkdir()
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert done.exit_code == 1
    assert done.output.count("is in the way") == 3
    assert files(tmp_path / "elsewhere") == {}


def test_the_folder_itself_may_be_a_link(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1)
    fake.add_output(1, 0, "a", b"1")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert jobctl("get", "1", "-d", tmp_path / "link").exit_code == 0
    assert files(tmp_path / "real") == {"a": b"1"}


def test_wrong_bytes_leave_nothing(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1)
    fake.add_output(1, 0, "a", b"1", digest="0" * 64)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("old")
    done = jobctl("get", "1", "-d", tmp_path / "out")
    assert done.exit_code == 1
    assert "another sha256" in done.output
    assert files(tmp_path / "out") == {"a": b"old"}


def test_nothing_there(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1)
    done = jobctl("get", "1", "-d", tmp_path)
    assert done.exit_code == 3
    assert "submitted without --output" in done.output


def test_list_and_name(jobctl: Run, fake: Fake, tmp_path: Path) -> None:
    fake.tasks[1] = task_view(1, jobs=2)
    fake.jobs["1.0"] = job_view(1, 0)
    fake.add_output(1, 0, "a", b"1")
    fake.add_output(1, 1, "b", b"22")
    assert [line.split()[:4] for line in jobctl("get", "1", "--list").output.splitlines()[1:]] == [
        ["1.0", "a", "1", "B"],
        ["1.1", "b", "2", "B"],
    ]
    assert jobctl("get", "1", "--name", "b", "-d", tmp_path / "out").exit_code == 0
    assert files(tmp_path / "out") == {"1/b": b"22"}
