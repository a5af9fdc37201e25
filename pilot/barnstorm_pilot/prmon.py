"""prmon's metrics with prmon's meaning: samples of a process tree, their peaks and averages, its JSON and text forms.

CPU and wall time in seconds, memory in kB (1024 bytes), I/O in bytes. Gauges are what is so at a moment; counters only
rise: their "Max" is the last total, their "Avg" the rate over wall time. Network counts are the whole machine's, as
prmon's are.
"""

import resource
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from . import proc

Sample = dict[str, float]

GAUGES = ("nprocs", "nthreads", "pss", "rss", "swap", "vmem")
COUNTERS = (
    "stime", "utime", "rchar", "read_bytes", "wchar", "write_bytes",
    "rx_bytes", "rx_packets", "tx_bytes", "tx_packets", "wtime",
)  # fmt: skip
# Of prmon.txt: monitors in the order of their names, `Time` (epoch seconds) before them.
COLUMNS = (
    "Time", "nprocs", "nthreads", "stime", "utime", "rchar", "read_bytes", "wchar", "write_bytes",
    "pss", "rss", "swap", "vmem", "rx_bytes", "rx_packets", "tx_bytes", "tx_packets", "wtime",
)  # fmt: skip
VERSION = "3.1-barnstorm"
NETWORK = ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")
IO = ("rchar", "wchar", "read_bytes", "write_bytes")


def sample_tree(tree: Sequence[proc.Stat], wall_s: float, network: Sequence[int] = ()) -> Sample:
    """One sample of the processes of a tree; `network` is what the machine has moved since the payload began."""
    sample: Sample = dict.fromkeys((*GAUGES, *COUNTERS), 0)
    alive = [one for one in tree if one.state != "Z"]
    for one in tree:
        sample["utime"] += one.utime_s
        sample["stime"] += one.stime_s
        for name, moved in zip(IO, proc.io(one.pid) or ()):
            sample[name] += moved
    for one in alive:
        pss, swap = proc.memory(one.pid) or (one.rss_kb, 0)
        sample["pss"] += pss
        sample["swap"] += swap
        sample["rss"] += one.rss_kb
        sample["vmem"] += one.vmem_kb
        sample["nthreads"] += one.threads
    sample["nprocs"] = len(alive)
    sample.update(zip(NETWORK, network))
    sample["wtime"] = round(wall_s, 3)
    return sample


class Summary:
    """Peaks and averages of one payload's samples."""

    def __init__(self) -> None:
        self.count = 0
        self.last: Sample = {}
        self._max: Sample = {}
        self._sum: Sample = {}

    def add(self, sample: Sample) -> None:
        """Take in a sample. A counter never falls: what a process used stays used when it is gone."""
        for name in COUNTERS:
            sample[name] = max(sample[name], self._max.get(name, 0))
        for name in (*GAUGES, *COUNTERS):
            self._max[name] = max(sample[name], self._max.get(name, 0))
        for name in GAUGES:
            self._sum[name] = self._sum.get(name, 0) + sample[name]
        self.last = sample
        self.count += 1

    def finish(
        self, usage: "resource.struct_rusage", io: Optional[Sequence[int]], wall_s: float, floor_kb: int = 0
    ) -> dict[str, Any]:
        """The summary at the end. `usage` and `io` are the kernel's own totals, which no sampling misses.

        The kernel's peak of a payload's memory begins at the size of the pilot that started it (`floor_kb`): above that
        it is exact for the largest process, up to it only an upper bound, used where no sample was taken.
        """
        last = {**dict.fromkeys((*GAUGES, *COUNTERS), 0), **self._max}
        last["utime"] = max(last["utime"], round(usage.ru_utime, 6))
        last["stime"] = max(last["stime"], round(usage.ru_stime, 6))
        for name, moved in zip(IO, io or ()):
            last[name] = max(last[name], moved)
        last["wtime"] = round(wall_s, 6)
        if self.count == 0:
            last.update(nprocs=1, nthreads=1, rss=usage.ru_maxrss, pss=usage.ru_maxrss)
        elif usage.ru_maxrss > floor_kb:
            last["rss"] = max(last["rss"], usage.ru_maxrss)
        average = {name: round(last[name] / wall_s, 6) if wall_s > 0 else 0 for name in COUNTERS}
        for name in GAUGES:
            average[name] = round(self._sum[name] / self.count, 3) if self.count else last[name]
        return {"Max": last, "Avg": average, "prmon": {"Version": VERSION}}


def header() -> str:
    """The first line of prmon.txt."""
    return "\t".join(COLUMNS) + "\n"


def row(sample: Mapping[str, float], epoch_s: float) -> str:
    """A line of prmon.txt."""
    values: list[float] = [epoch_s, *(sample.get(name, 0) for name in COLUMNS[1:])]
    return "\t".join(str(int(value)) for value in values) + "\n"
