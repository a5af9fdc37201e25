"""prmon's arithmetic, and the parsing of /proc."""

import resource
from typing import Any

from barnstorm_pilot import prmon, proc


def usage(utime: float = 0.0, stime: float = 0.0, maxrss: int = 0) -> "resource.struct_rusage":
    return resource.struct_rusage((utime, stime, maxrss, *[0] * 13))


def sample(**values: float) -> dict[str, float]:
    return {**dict.fromkeys((*prmon.GAUGES, *prmon.COUNTERS), 0), **values}


def test_peaks_and_averages() -> None:
    summary = prmon.Summary()
    summary.add(sample(rss=100, pss=90, utime=1, nprocs=2, rchar=1000, wtime=1))
    summary.add(sample(rss=300, pss=200, utime=3, nprocs=1, rchar=4000, wtime=2))
    told = summary.finish(usage(3.5, 0.25), None, 4.0)
    assert told["Max"]["rss"] == 300
    assert told["Avg"]["rss"] == 200
    assert (told["Max"]["utime"], told["Avg"]["utime"]) == (3.5, 0.875)
    assert (told["Max"]["rchar"], told["Avg"]["rchar"]) == (4000, 1000)
    assert told["Max"]["wtime"] == 4.0
    assert told["Max"]["nprocs"] == 2
    assert told["prmon"]["Version"]


def test_a_counter_never_falls() -> None:
    summary = prmon.Summary()
    summary.add(sample(utime=5, rchar=100))
    summary.add(sample(utime=1, rchar=10))
    assert (summary.last["utime"], summary.last["rchar"]) == (5, 100)


def test_a_job_too_short_to_be_sampled_has_what_the_kernel_counted() -> None:
    told = prmon.Summary().finish(usage(0.001, 0.002, 1500), (10, 20, 0, 4096), 0.005, 20_000)
    assert (told["Max"]["utime"], told["Max"]["stime"], told["Max"]["rss"]) == (0.001, 0.002, 1500)
    assert (told["Max"]["rchar"], told["Max"]["write_bytes"]) == (10, 4096)
    assert told["Avg"]["wchar"] == 4000


def test_the_kernels_peak_counts_only_above_the_pilots_own() -> None:
    summary = prmon.Summary()
    summary.add(sample(rss=1000))
    assert summary.finish(usage(maxrss=20_000), None, 1, 20_000)["Max"]["rss"] == 1000
    assert summary.finish(usage(maxrss=20_001), None, 1, 20_000)["Max"]["rss"] == 20_001


def test_text_form() -> None:
    assert prmon.header().split("\t")[0] == "Time"
    fields = prmon.row(sample(nprocs=3, wtime=1.9), 1700000000.7).rstrip("\n").split("\t")
    assert len(fields) == len(prmon.COLUMNS)
    assert (fields[0], fields[1], fields[-1]) == ("1700000000", "3", "1")


def test_a_programs_name_may_hold_anything() -> None:
    line = b"42 (a) b (c) S 1 42 42 0 -1 4194560 1 2 3 4 100 50 10 5 20 0 7 0 999 204800 30 18446744073709551615"
    found = proc.parse_stat(line)
    assert found is not None
    assert (found.pid, found.state, found.parent, found.session, found.threads, found.started) == (
        42,
        "S",
        1,
        42,
        7,
        999,
    )
    assert found.utime_s == 110 / proc.TICKS
    assert found.stime_s == 55 / proc.TICKS
    assert (found.vmem_kb, found.rss_kb) == (200, 30 * proc.PAGE_KB)
    assert proc.parse_stat(b"42 (broken") is None


def test_a_sample_of_this_process(monkeypatch: Any) -> None:
    import os

    tree = proc.family_of([os.getpid()])[os.getpid()]
    found = prmon.sample_tree(tree, 2.0, (1, 2, 3, 4))
    assert found["nprocs"] >= 1
    assert found["rss"] >= found["pss"] * 0.5 > 0
    assert found["rchar"] > 0
    assert (found["rx_bytes"], found["tx_packets"], found["wtime"]) == (1, 4, 2.0)
