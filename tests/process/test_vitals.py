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


@pytest.mark.parametrize("lasted", [True, False])
def test_who_has_served_for_a_while_ends_the_pauses(lasted: bool) -> None:
    job: Any = None
    generation = Generation(1, job)
    assert [generation.failed(NOW) for _ in range(4)] == [0.1, 0.2, 0.4, 0.8]
    generation.thrives(NOW + 1 if lasted else NOW - 1)
    assert generation.failed(NOW + 2) == (0.1 if lasted else 1.6), "one of before the failure proves nothing"


def test_the_pauses() -> None:
    job: Any = None
    born, served = Generation(1, job), Generation(1, job)
    assert max(born.failed(NOW) for _ in range(20)) == 30.0
    assert [served.failed(NOW, served=True) for _ in range(5)] == [0.0, 0.2, 0.4, 0.5, 0.5]
    assert served.failed(NOW + 60, served=True) == 0.0, "a minute ago is long ago"
