"""The Python interface, against the same server."""

import threading
from pathlib import Path

import pytest

import barnstorm as bs
from barnstorm.api.errors import NotFound
from barnstorm.model.task import InvalidSpec

from .conftest import Run
from .fake import Fake, job_view


@pytest.fixture
def client(jobctl: Run) -> bs.Client:
    client = bs.Client.from_context()
    yield client  # type: ignore[misc]
    client.api.connection.transport.close()


def test_submit_wait_read(client: bs.Client, fake: Fake, tmp_path: Path) -> None:
    tool = tmp_path / "tool.py"
    tool.write_text("print()")
    task = client.submit(
        ["python3", "tool.py", "{seed}"],
        over=bs.Seeds(2),
        name="toys",
        memory_mib=500,
        inputs=[tool, "site:/data/x"],
        outputs=["a.json", "b?"],
        env={"K": "V"},
        after=[],
    )
    spec = fake.bodies("POST", "/v1/tasks")[0]["spec"]
    assert spec["over"] == {"kind": "seeds", "count": 2}
    assert spec["needs"] == {"memory_mib": 500}
    assert spec["outputs"] == [{"name": "a.json"}, {"name": "b", "optional": True}]
    assert [one["source"][:5] for one in spec["inputs"]] == ["blob:", "site:"]
    assert list(fake.blobs.values()) == [b"print()"]
    assert (task.id, task.state, task.ended) == (1, "running", False)

    fake.add_output(1, 0, "a.json", b"{}")
    fake.add_output(1, 1, "a.json", b"[]")
    fake.jobs["1.1"] = job_view(1, 1, state="finished")
    fake.logs["1.1", 1, "stdout"] = b"a long line of log\n"
    threading.Timer(
        0.1, lambda: (fake.tasks[1].update(state="finished", counts={"finished": 2}), fake.events.set())
    ).start()
    assert task.wait(10) is task
    assert [one.read() for one in task.outputs()] == [b"{}", b"[]"]
    assert [path.relative_to(tmp_path) for path in task.save(tmp_path / "out")] == [
        Path("out/0/a.json"),
        Path("out/1/a.json"),
    ]
    assert task.log(1) == b"a long line of log\n"
    assert [job["id"] for job in task.jobs()] == ["1.1"]


def test_failure_and_timeout(client: bs.Client, fake: Fake) -> None:
    task = client.submit(["false"])
    with pytest.raises(TimeoutError):
        task.wait(0.1)
    fake.tasks[1].update(state="failed", counts={"failed": 1})
    with pytest.raises(bs.JobsFailed, match=r"task 1 ended failed: 1 failed; why: jobctl explain 1"):
        task.wait()
    assert task.wait(check=False).state == "failed"


def test_errors(client: bs.Client, fake: Fake) -> None:
    with pytest.raises(InvalidSpec, match="unknown placeholder"):
        client.submit(["x", "{i}"])
    with pytest.raises(FileNotFoundError, match="site:/path"):
        client.submit(["x"], inputs=["nothing"])
    with pytest.raises(NotFound):
        client.task(9)
    assert fake.bodies("POST", "/v1/tasks") == []
