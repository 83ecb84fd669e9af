"""Processor time and requests of the moments of a load in which both cores were as quick as usual.

On each core a thread times a piece of work every 10 ms (pace.py). Beside that of the load's core it is noted
how much processor time the server has used and how many octets the client has read. Between two such samples
is a slice; what counts are the slices with no slow look in them or around them.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise

from bench import pace
from bench.proc import cpu_time

PERIOD = 0.01
"""Seconds; a look takes 0.14 ms, which is 1.4 % of each core."""

BEFORE = 4.0
"""Seconds of looking before the first load: a neighbour who rests for a fiftieth of that is found out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """cpu_ns: that the server has used since it began. octets: that the client has read so far."""

    at: float
    cpu_ns: int
    octets: int


@dataclass(frozen=True, slots=True)
class Counted:
    """What slices add up to. `octets` is what the client has read."""

    seconds: float = 0.0
    cpu_ns: int = 0
    octets: int = 0

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.seconds + other.seconds, self.cpu_ns + other.cpu_ns, self.octets + other.octets)


class Watch:
    """Over one server's processes, while a client asks them."""

    def __init__(self, members: Sequence[int], cores: tuple[int, int]) -> None:
        self.looks: dict[int, list[tuple[float, int]]] = {core: [] for core in cores}
        self.samples: list[Sample] = []
        self._members = members
        self._cores = cores
        self._ended = threading.Event()

    @contextmanager
    def over(self, client: int) -> Iterator[None]:
        """While the process `client` runs, or shorter."""
        threads = [threading.Thread(target=self._look, args=(core, client)) for core in self.looks]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._ended.set()
            for thread in threads:
                thread.join()

    def _look(self, core: int, client: int) -> None:
        os.sched_setaffinity(0, {core})
        while not self._ended.wait(PERIOD):
            self.looks[core].append((time.monotonic(), pace.look()))
            if core == self._cores[1]:
                # The client may have ended.
                with suppress(OSError):
                    octets, used = _read_by(client), sum(cpu_time(self._members).values())
                    self.samples.append(Sample(time.monotonic(), used, octets))

    def durations(self) -> list[int]:
        """Of all looks, in nanoseconds."""
        return [took for looks in self.looks.values() for _, took in looks]

    def whole(self) -> Counted:
        """From the first sample to the last."""
        return _sum_up(self.samples, [])

    def quick(self, usual: float) -> Counted:
        """The slices in which no look took much longer, or shorter, than usual."""
        odd = [
            at
            for looks in self.looks.values()
            for at, took in looks
            if not usual / pace.TOLERATED <= took <= usual * pace.TOLERATED
        ]
        return _sum_up(self.samples, sorted(odd))


def looks(cores: tuple[int, int]) -> list[int]:
    """For a moment, while nothing is measured: how long they take, in nanoseconds."""
    watch = Watch([], cores)
    with watch.over(os.getpid()):
        time.sleep(BEFORE)
    return watch.durations()


def _sum_up(samples: Sequence[Sample], odd: Sequence[float]) -> Counted:
    """odd: times of looks that spoil the slice they are in, and what is nearer to them than a period."""
    total = Counted()
    waiting = iter(odd)
    at = next(waiting, float("inf"))
    for first, last in pairwise(samples):
        while at < first.at - PERIOD:
            at = next(waiting, float("inf"))
        if at > last.at + PERIOD:
            total += Counted(last.at - first.at, last.cpu_ns - first.cpu_ns, last.octets - first.octets)
    return total


def _read_by(pid: int) -> int:
    """Octets that a process has read so far: the first number of its io."""
    with open(f"/proc/{pid}/io") as file:
        return int(file.readline().split()[1])
