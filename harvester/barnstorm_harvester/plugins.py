"""The submitters there are: what the entry-point group `barnstorm.submitters` names, and why some do not load."""

from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

from barnstorm_plugins.submitters.base import GROUP, Submitter


class NoSubmitter(Exception):
    """A queue names a submitter that is not there or does not load; the text says what to do."""


@dataclass
class Plugins:
    """Submitter classes by name, and the errors of those that did not load."""

    classes: dict[str, type[Submitter]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> type[Submitter]:
        """The class of that name. Raises NoSubmitter."""
        if name in self.classes:
            return self.classes[name]
        if name in self.errors:
            raise NoSubmitter(f"submitter {name!r} is installed but does not load: {self.errors[name]}")
        known = ", ".join(sorted(self.classes)) or "none"
        raise NoSubmitter(
            f"there is no submitter {name!r}; installed here: {known}. A package that brings one names it in its entry"
            f" points, group {GROUP}; after a change there it has to be installed again"
        )


def load() -> Plugins:
    """Load every submitter. One that fails is kept with its error and hurts no other."""
    found = Plugins()
    for point in entry_points(group=GROUP):
        if point.name in found.classes:
            continue
        try:
            found.classes[point.name] = _load(point)
            found.errors.pop(point.name, None)
        except Exception as error:  # noqa: BLE001 - foreign code: whatever it raises is kept and shown
            found.errors[point.name] = f"{type(error).__name__}: {error}"
    return found


def _load(point: EntryPoint) -> type[Submitter]:
    cls = point.load()
    if not isinstance(cls, type) or not issubclass(cls, Submitter):
        raise TypeError(f"{point.value} is no subclass of {Submitter.__module__}.Submitter")
    return cls
