"""One measurement: a fresh server, verified and warm, under one profile's load."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bench import latency, load
from bench.process import Failure, WrongAnswer, running, tree
from bench.profiles import Profile
from bench.servers import Server
from bench.verify import verify

Values = dict[str, float]


@dataclass(slots=True)
class Outcome:
    """All rounds of one server in one profile."""

    server: Server
    attempts: int = 0
    rounds: list[Values] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    wrong: bool = False

    @property
    def failed(self) -> bool:
        """Wrong, or broken under load in at least half of the rounds."""
        return self.wrong or 2 * len(self.failures) >= max(1, self.attempts)

    def median(self, key: str) -> float | None:
        values = [values[key] for values in self.rounds if key in values]
        return statistics.median(values) if values else None


def measure(outcome: Outcome, profile: Profile, seconds: int, cores: tuple[int, int]) -> None:
    """Add one round to the outcome."""
    server = outcome.server
    outcome.attempts += 1
    try:
        with running(server, profile, cores[0]) as (pid, port):
            outcome.notes.add(verify(profile, port, exact=server.role != "floor"))
            if profile.kind == "beside":
                outcome.rounds.append(latency.run(port, profile.background, seconds))
            else:
                _under_load(outcome, profile, pid, port, seconds)
    except Failure as error:
        outcome.failures.append(str(error))
        outcome.wrong = isinstance(error, WrongAnswer)


def _under_load(outcome: Outcome, profile: Profile, pid: int, port: int, seconds: int) -> None:
    before = cpu_time(tree(pid))
    result = load.run(profile, port, seconds)
    members = tree(pid)
    after = cpu_time(members)
    used = sum(spent - before.get(task, 0) for task, spent in after.items())
    values = {
        "cpu_us": used / 1000 / result.requests,
        "rate": result.requests / result.seconds,
        "pss_mb": pss(members) / 1024,
    }
    if result.p99_ms is not None:
        values["p99_ms"] = result.p99_ms
    outcome.rounds.append(values)
    if not result.newcomer_answered:
        raise Failure("new clients got no answer during the load")


def cpu_time(pids: Iterable[int]) -> dict[int, int]:
    """Nanoseconds on a processor, per thread: the first number of schedstat."""
    spent: dict[int, int] = {}
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except FileNotFoundError:
            continue
        for task in tasks:
            try:
                spent[int(task)] = int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
            except (FileNotFoundError, ProcessLookupError):
                continue
    return spent


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
