"""What the kernel says of processes: times and memory."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path


def cpu_time(pids: Iterable[int]) -> dict[int, int]:
    """Nanoseconds on a processor, per process: all of its threads, the ended ones too."""
    times: dict[int, int] = {}
    for pid in pids:
        # It may have ended.
        with suppress(OSError):
            times[pid] = time.clock_gettime_ns(_clock_of(pid))
    return times


def _clock_of(pid: int) -> int:
    """The process's CPU clock, as clock_getcpuclockid(3) answers it on Linux."""
    return ~pid << 3 | 2


def pss(pids: Iterable[int]) -> int:
    """Proportional set size in KiB: shared pages are counted in equal parts."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def spent(before: dict[int, int], after: dict[int, int]) -> int:
    """Nanoseconds between two answers of `cpu_time`."""
    return sum(used - before.get(pid, 0) for pid, used in after.items())
