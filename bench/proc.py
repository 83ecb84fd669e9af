"""What /proc says of processes: times and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def cpu_time(pids: Iterable[int]) -> dict[int, int]:
    """Nanoseconds on a processor, per thread: the first number of schedstat."""
    times: dict[int, int] = {}
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except FileNotFoundError:
            continue
        for task in tasks:
            try:
                times[int(task)] = int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return times


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
    return sum(time - before.get(task, 0) for task, time in after.items())
