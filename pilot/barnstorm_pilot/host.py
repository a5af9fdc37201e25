"""What the attempts of a pilot share: its loop, its children, its connections, its settings and places."""

import os
import resource
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from barnstorm.api.pilot import PilotApi
from barnstorm.model.pilots import Report
from barnstorm.model.queue import PilotSettings

from .children import Children
from .family import Families
from .journal import Journal
from .leases import Pace
from .loop import Loop
from .payload import Finder
from .settings import Settings
from .shipping import Shipper
from .slots import SlotPool
from .stage.base import Stager
from .stage.cache import BlobCache
from .threads import Crew


@dataclass
class Host:
    """One per pilot. `base` is its own directory below the work directory."""

    settings: Settings
    queue: PilotSettings
    pilot: str
    base: str
    api: PilotApi
    loop: Loop
    journal: Journal
    pool: SlotPool
    children: Children
    families: Families
    shipper: Shipper
    crew: Crew
    stagers: dict[str, Stager]
    cache: BlobCache
    base_env: dict[str, str]
    hardware: dict[str, Any]
    ends_at: float
    finder: Finder = field(default_factory=Finder)
    pace: Pace = field(default_factory=Pace)
    oom_kills: int = 0
    on_room: Callable[[str], None] = lambda attempt: None
    on_report: Callable[[Report, Optional[float], float], None] = lambda report, started, ended: None
    on_clean: Callable[[str], None] = lambda attempt: None
    on_gone: Callable[[str], None] = lambda attempt: None

    @property
    def walltime_left_s(self) -> float:
        """Until the batch system ends this worker."""
        return max(0.0, self.ends_at - time.monotonic())

    @property
    def own_peak_kb(self) -> int:
        """The most memory this process ever had: below it the kernel's word on a payload's peak says nothing."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    @property
    def log_limit(self) -> int:
        return self.settings.log_limit_mib << 20


def gpu_ids(count: int, visible: Optional[str]) -> list[str]:
    """The GPUs to give out: of those that the batch system gave us (CUDA_VISIBLE_DEVICES) the first ones."""
    named = [one for one in (visible or "").split(",") if one]
    return (named or [str(n) for n in range(count)])[:count]


def make_base(work_dir: str, pilot: str) -> str:
    """Make the pilot's own directory; one of the same name may be there from another server's pilot. Raises OSError."""
    for name in (pilot, f"{pilot}-{os.getpid()}"):
        path = os.path.join(work_dir, name)
        try:
            os.mkdir(path, 0o700)
            return path
        except FileExistsError:
            continue
    raise FileExistsError(path)
