"""One measurement: a fresh server, verified and warm, under one profile's load."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from bench import blocks, crowd, latency, load
from bench.proc import cpu_time, pss, spent
from bench.process import ROOT, Failure, WrongAnswer, running, tree
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
    """Add one round to the outcome. What fails is noted there, whatever it is: others wait for their turn."""
    outcome.attempts += 1
    used = {cores[0]} if profile.workers == 1 or profile.packed else set(cores)
    try:
        with running(outcome.server, profile, used) as (pid, port):
            _measure(outcome, profile, pid, port, profile.seconds or seconds)
    except Failure as error:
        outcome.failures.append(_published(str(error)))
        outcome.wrong = isinstance(error, WrongAnswer)
    except Exception as error:
        outcome.failures.append(_published(f"{type(error).__name__}: {error}"))


def _published(text: str) -> str:
    """Without this checkout's path."""
    return text.replace(f"{ROOT}/", "")


def _measure(outcome: Outcome, profile: Profile, pid: int, port: int, seconds: int) -> None:
    exact = outcome.server.role != "floor"
    extra = {"block_ms": blocks.lateness(port)} if profile.streams and exact else {}
    outcome.notes.add(verify(profile, port, exact))
    if profile.kind == "beside":
        outcome.rounds.append(latency.run(port, profile.background, seconds))
    elif profile.kind == "crowd":
        outcome.rounds.append(crowd.run(pid, profile, port))
    else:
        _under_load(outcome, profile, pid, port, seconds, extra)


def _under_load(outcome: Outcome, profile: Profile, pid: int, port: int, seconds: int, extra: Values) -> None:
    before = cpu_time(tree(pid))
    result = load.run(profile, port, seconds)
    members = tree(pid)
    used = spent(before, cpu_time(members))
    values = {
        "cpu_us": used / 1000 / result.requests,
        "rate": result.requests / result.seconds,
        "pss_mb": pss(members) / 1024,
        **extra,
    }
    if result.p99_ms is not None:
        values["p99_ms"] = result.p99_ms
    outcome.rounds.append(values)
    if not result.newcomer_answered:
        raise Failure("new clients got no answer during the load")
