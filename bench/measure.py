"""One measurement: a fresh server, verified and warm, under one profile's load."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

from bench import blocks, crowd, latency, under_load
from bench.pace import Pace
from bench.process import ROOT, Failure, WrongAnswer, running
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
    # Of each round under load (under_load.py).
    shares: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    notes: set[str] = field(default_factory=set)

    wrong: bool = False

    @property
    def failed(self) -> bool:
        """Wrong, or broken under load in at least half of the rounds."""
        return self.wrong or 2 * len(self.failures) >= max(1, self.attempts)

    def counted(self) -> tuple[list[Values], list[float]]:
        """The rounds with quick moments, and their shares; where there is none, all."""
        if not any(self.shares):
            return self.rounds, self.shares
        quick = [pair for pair in zip(self.rounds, self.shares, strict=True) if pair[1]]
        return [values for values, _ in quick], [share for _, share in quick]

    def median(self, key: str) -> float | None:
        values = [values[key] for values in self.counted()[0] if key in values]
        return statistics.median(values) if values else None


def measure(outcome: Outcome, profile: Profile, seconds: int, cores: tuple[int, int], steady: Pace) -> None:
    """Add one round to the outcome. What fails is noted there, whatever it is: others wait for their turn."""
    outcome.attempts += 1
    used = {cores[0]} if profile.workers == 1 or profile.packed else set(cores)
    try:
        with running(outcome.server, profile, used) as (pid, port):
            exact = outcome.server.role != "floor"
            extra = {"block_ms": blocks.lateness(port)} if profile.streams and exact else {}
            outcome.notes.add(verify(profile, port, exact))
            length = profile.seconds or seconds
            if profile.kind == "beside":
                outcome.rounds.append(latency.run(port, profile.background, length))
            elif profile.kind == "crowd":
                outcome.rounds.append(crowd.run(pid, profile, port))
            else:
                _add(outcome, under_load.run(profile, pid, port, length, cores, steady), extra)
    except Failure as error:
        outcome.failures.append(_published(str(error)))
        outcome.wrong = isinstance(error, WrongAnswer)
    except Exception as error:
        outcome.failures.append(_published(f"{type(error).__name__}: {error}"))


def _published(text: str) -> str:
    """Without this checkout's path."""
    return text.replace(f"{ROOT}/", "")


def _add(outcome: Outcome, done: under_load.Round, extra: Values) -> None:
    outcome.rounds.append(done.values | extra)
    outcome.shares.append(done.share)
    if not done.newcomers_answered:
        raise Failure("new clients got no answer during the load")
