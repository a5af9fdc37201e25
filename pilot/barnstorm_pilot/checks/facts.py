"""What the server should know of a node: for people who look why jobs fail there, and for matching."""

import os
import platform
import socket
import sys
from typing import Any

from . import node


def facts(work_dir: str) -> dict[str, Any]:
    """The node's facts, all of them cheap to get."""
    return {
        "hostname": socket.gethostname(),
        "os": os_name(),
        "kernel": platform.release(),
        "arch": platform.machine(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "cpu_model": cpu_model(),
        "cores": os.cpu_count() or 0,
        "cores_usable": node.usable_cores(),
        "memory_mib": node.memory_total_mib() or 0,
        "memory_usable_mib": node.usable_memory_mib() or 0,
        "disk_mib": node.free_disk_mib(work_dir),
        "work_dir": work_dir,
        "pid": os.getpid(),
        "uid": os.getuid(),
        "in_container": in_container(),
    }


def os_name() -> str:
    """Such as `Debian GNU/Linux 12 (bookworm)`."""
    try:
        with open("/etc/os-release", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("PRETTY_NAME="):
                    return line.partition("=")[2].strip().strip("\"'")
    except OSError:
        pass  # not every system has it
    return platform.system()


def cpu_model() -> str:
    """The processor's name; only the start of /proc/cpuinfo is read, which is long on big machines."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for _, line in zip(range(40), file):
                if line.lower().startswith(("model name", "cpu model", "processor model")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass  # no Linux
    return platform.processor() or platform.machine()


def in_container() -> bool:
    """Whether this looks like the inside of a container."""
    if any(os.path.exists(mark) for mark in ("/.dockerenv", "/run/.containerenv", "/.singularity.d")):
        return True
    # systemd and podman write it in small letters.
    return any(name in os.environ for name in ("container", "APPTAINER_NAME", "KUBERNETES_SERVICE_HOST"))


def hardware() -> dict[str, Any]:
    """The `HW` part of prmon's summary."""
    return {
        "cpu": {"CPUs": os.cpu_count() or 0, "ModelName": cpu_model()},
        "mem": {"MemTotal": (node.memory_total_mib() or 0) * 1024},
    }
