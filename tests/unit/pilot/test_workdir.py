"""Nothing stays of a work directory, and no path leads out of it."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnstorm.model.ids import AttemptId
from barnstorm_pilot.workdir import PathEscapes, WorkDir, confined, make_parents, open_regular, remove_tree, used_bytes


def test_layout_and_removal(tmp_path: Path) -> None:
    place = WorkDir(str(tmp_path), AttemptId(5, 2, 1))
    assert place.path == str(tmp_path / "5.2.1")
    assert {path.name for path in Path(place.path).iterdir()} == {"work", "tmp", "stdout", "stderr"}
    assert Path(place.work).stat().st_mode & 0o777 == 0o700
    os.write(place.logs["stdout"], b"x")
    assert os.pread(place.logs["stdout"], 10, 0) == b"x"
    place.close_logs()
    place.remove()
    place.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_tree_without_permissions_is_removed(tmp_path: Path) -> None:
    inner = tmp_path / "top" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    for path in (inner, inner.parent, tmp_path / "top"):
        path.chmod(0)
    remove_tree(str(tmp_path / "top"))
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("x")
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(keep)
    (top / "broken").symlink_to("/no/such")
    os.mkfifo(top / "pipe")
    remove_tree(str(top))
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]
    assert (keep / "file").exists()


def test_a_very_deep_tree_is_removed(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    fd = os.open(tmp_path / "top", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    remove_tree(str(tmp_path / "top"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a/..", ".", "a\0b"])
def test_names_that_lead_out(name: str) -> None:
    with pytest.raises(PathEscapes):
        confined("/base", name)


@given(st.text(alphabet="ab./", max_size=12))
def test_what_is_confined_is_below(name: str) -> None:
    try:
        path = confined("/base", name)
    except PathEscapes:
        return
    assert path.startswith("/base/")
    assert ".." not in path.split("/")


def test_only_regular_files_inside_are_opened(tmp_path: Path) -> None:
    base = tmp_path / "work"
    (base / "d").mkdir(parents=True)
    (base / "d" / "file").write_text("x")
    (base / "inside").symlink_to("d/file")
    (base / "outside").symlink_to("/etc/passwd")
    (base / "up").symlink_to("..")
    os.mkfifo(base / "pipe")
    for good in ("d/file", "inside"):
        fd = open_regular(str(base), good)
        assert os.read(fd, 10) == b"x"
        os.close(fd)
    for bad in ("outside", "pipe", "d", "up"):
        with pytest.raises(PathEscapes):
            open_regular(str(base), bad)
    with pytest.raises(FileNotFoundError):
        open_regular(str(base), "nothing")


def test_parents_are_not_made_through_links(tmp_path: Path) -> None:
    base, other = tmp_path / "work", tmp_path / "other"
    base.mkdir()
    other.mkdir()
    (base / "link").symlink_to(other)
    make_parents(str(base), str(base / "a" / "b" / "c"))
    assert (base / "a" / "b").is_dir()
    with pytest.raises(PathEscapes):
        make_parents(str(base), str(base / "link" / "x" / "y"))
    assert list(other.iterdir()) == []


def test_used_bytes(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "big").write_bytes(b"x" * 100_000)
    (tmp_path / "link").symlink_to("/")
    assert 100_000 <= used_bytes(str(tmp_path)) < 300_000
