"""The machine: which cores are whose, and what it is."""

from __future__ import annotations

import os
import platform
import resource
from pathlib import Path

# 10,000 connections, and what a server needs besides.
ENOUGH_FILES = 12_000


def pin() -> tuple[int, int]:
    """The server's core and the load's; this process and all it starts but servers stay on the second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < ENOUGH_FILES:
        wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1] if len(cores) < 2 else cores[1]})
    return cores[0], cores[min(1, len(cores) - 1)]


def about() -> dict[str, str]:
    """Without names of hosts and paths: it is published."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
