"""What the master concludes from a scoreboard's heartbeats, and from births that fail, without any process."""

import logging
import signal
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.process.children import Generation
from pronghorn.process.options import ProcessOptions
from pronghorn.process.vitals import Vitals

NOW = 1000.0
JOB: Any = None


class Patient:
    """A child whose heart beat last at time 0."""

    def __init__(self, **options: Any) -> None:
        self.generation = SimpleNamespace(job=SimpleNamespace(options=ProcessOptions(**options)))
        self.row = SimpleNamespace(time=lambda cell: self.beat)
        self.beat = 0.0
        self.pid = 0
        self.silent = 0
        self.until = 0.0
        self.signals: list[int] = []

    def kill(self, number: int) -> None:
        self.signals.append(number)


def look_at(patient: Any) -> bool:
    log = logging.Logger("tests.vitals")
    log.addHandler(logging.NullHandler())
    return Vitals(log).look_at(patient, NOW)


def test_one_look_is_not_enough_to_call_a_worker_frozen() -> None:
    """The machine may have been asleep: all hearts stood still, and beat again after the first look."""
    patient = Patient(timeout=30.0)
    look_at(patient)
    assert patient.signals == []
    patient.beat = NOW
    look_at(patient)
    patient.beat = 0.0
    look_at(patient)
    assert patient.signals == [], "the looks must follow each other"
    look_at(patient)
    look_at(patient)
    assert patient.signals == [signal.SIGABRT], "once: then it has a moment for its stacks"
    assert NOW < patient.until < NOW + 5


def test_without_a_timeout_silence_is_no_reason() -> None:
    patient = Patient(timeout=0.0)
    assert [look_at(patient) for _ in range(5)] == [False] * 5
    assert patient.signals == []


class TestPauses:
    """Between births that fail: the seconds that `failed` gives."""

    @staticmethod
    def failures(count: int, **how: bool) -> list[float]:
        """The pauses of so many in a row, each of them after the pause of the one before."""
        generation = Generation(1, JOB)
        return [generation.failed(max(NOW, generation.retry_at), **how) for _ in range(count)]

    def test_each_is_twice_as_long(self) -> None:
        assert self.failures(11) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30.0, 30.0]

    def test_they_are_shorter_while_nobody_serves(self) -> None:
        assert self.failures(8, alone=True) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]

    def test_they_are_shortest_for_those_that_have_served(self) -> None:
        assert self.failures(5, served=True) == [0.0, 0.2, 0.4, 0.5, 0.5]

    def test_a_minute_ago_is_long_ago(self) -> None:
        generation = Generation(1, JOB)
        assert generation.failed(NOW) == generation.failed(NOW + 60) == 0.1

    @pytest.mark.parametrize("lasted", [True, False])
    def test_who_has_served_for_a_while_ends_them(self, lasted: bool) -> None:
        generation = Generation(1, JOB)
        generation.failed(NOW)
        generation.thrives(NOW + 1 if lasted else NOW - 1)
        assert generation.failed(NOW + 2) == (0.1 if lasted else 0.2), "one of before it proves nothing"

    def test_several_that_fail_together_fail_once(self) -> None:
        generation = Generation(1, JOB)
        assert generation.failed(NOW, NOW - 3) == 0.1
        assert [generation.failed(NOW + late, NOW - 3) for late in (0, 2)] == [pytest.approx(0.1), 0.0]
        assert generation.failed(NOW + 2, NOW + 1) == 0.2, "the next attempt counts"

    def test_when_the_last_one_is_gone_the_pause_is_cut_short(self) -> None:
        generation = Generation(1, JOB)
        while generation.failed(max(NOW, generation.retry_at)) < 30.0:
            pass
        now = generation.last_failure + 1
        generation.hurry(now)
        assert generation.retry_at == now + 5
