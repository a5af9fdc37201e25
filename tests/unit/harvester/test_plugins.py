"""Finding submitters: by entry points alone, and one that does not load hurts no other."""

from importlib.metadata import EntryPoint

import pytest

from barnstorm_harvester import plugins
from barnstorm_plugins.submitters.local import LocalSubmitter

GROUP = "barnstorm.submitters"


def having(monkeypatch: pytest.MonkeyPatch, **points: str) -> plugins.Plugins:
    found = [EntryPoint(name, value, GROUP) for name, value in points.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda group: found if group == GROUP else [])
    return plugins.load()


def test_the_group_is_what_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    found = having(monkeypatch, mine="barnstorm_plugins.submitters.local:LocalSubmitter")
    assert found.get("mine") is LocalSubmitter
    with pytest.raises(plugins.NoSubmitter, match="there is no submitter 'local'; installed here: mine"):
        found.get("local")


def test_errors_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    found = having(
        monkeypatch,
        gone="not_there:X",
        wrong="barnstorm.model.shape:Shape",
        local="barnstorm_plugins.submitters.local:LocalSubmitter",
    )
    assert list(found.classes) == ["local"]
    with pytest.raises(plugins.NoSubmitter, match="does not load: ModuleNotFoundError"):
        found.get("gone")
    with pytest.raises(plugins.NoSubmitter, match="is no subclass of"):
        found.get("wrong")
