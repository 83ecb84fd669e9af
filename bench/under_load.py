"""One round under load: as many loads as it takes until the machine was quick for long enough."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench import load
from bench.pace import Pace
from bench.proc import pss
from bench.process import Failure, tree
from bench.profiles import Profile
from bench.watch import Counted, Watch

ENOUGH = 0.3
"""Of a load's seconds must have been quick."""
LEAST = 0.1
"""Of all the time; with less, all of it counts. A neighbour who rests so rarely leaves no cache as it was."""
MOST = 5
"""Loads of one round, arbitrary: so that one slow minute does not use up all patience."""


@dataclass(frozen=True, slots=True)
class Round:
    """share: the part of the time that was quick and counts; 0 when all of it counts."""

    values: dict[str, float]
    share: float
    newcomers_answered: bool


def run(profile: Profile, pid: int, port: int, seconds: int, cores: tuple[int, int], steady: Pace) -> Round:
    """Raises Failure when any request failed."""
    loads: list[load.Load] = []
    watches: list[Watch] = []
    while True:
        watches.append(Watch(tree(pid), cores))
        loads.append(load.run(profile, port, seconds, watches[-1]))
        steady.add(watches[-1].durations())
        quick = sum((watch.quick(steady.usual()) for watch in watches), Counted())
        if quick.seconds >= ENOUGH * seconds or len(loads) == MOST or not steady.again(seconds):
            break
    whole = sum((watch.whole() for watch in watches), Counted())
    if not whole.octets:
        raise Failure("what the load generator reads cannot be seen in /proc/PID/io")
    enough = quick.octets > 0 and quick.seconds >= LEAST * whole.seconds
    share = quick.seconds / whole.seconds if enough else 0.0
    values = _values(loads, quick if share else whole) | {"pss_mb": pss(tree(pid)) / 1024}
    return Round(values, share, all(each.newcomer_answered for each in loads))


def _values(loads: Sequence[load.Load], counted: Counted) -> dict[str, float]:
    octets = sum(each.octets for each in loads) / sum(each.requests for each in loads)
    requests = counted.octets / octets
    values = {"cpu_us": counted.cpu_ns / 1000 / requests, "rate": requests / counted.seconds}
    late = [each.p99_ms for each in loads if each.p99_ms is not None]
    return values | {"p99_ms": statistics.median(late)} if late else values
