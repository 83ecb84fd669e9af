"""serve/interval.py: how long a thread may hold the interpreter (docs/processes.md, `--switch-interval`)."""

import sys
import time
from collections.abc import Iterator

import pytest

from pronghorn.serve.habit import Habit
from pronghorn.serve.interval import WHOLE, Interval
from pronghorn.serve.turn import Turn

SHORT = 0.0002


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def interval() -> Interval:
    sys.setswitchinterval(WHOLE)
    interval = Interval()
    interval.open(SHORT)
    return interval


def window(interval: Interval, *calls: float, saturated: bool = True) -> float:
    """After a tenth of a second in which such calls ended."""
    now = time.monotonic()
    interval._began = now
    for own in calls[:-1]:
        interval.ended(own, now, saturated)
    interval.ended(calls[-1], now + 0.11, saturated)
    return round(sys.getswitchinterval(), 6)


def test_short_at_first(interval: Interval) -> None:
    assert round(sys.getswitchinterval(), 6) == SHORT


def test_never_set_where_one_thread_runs_the_calls() -> None:
    sys.setswitchinterval(0.003)
    assert window(Interval(), *[0.001] * 90) == 0.003


def test_longer_while_calls_end_soon(interval: Interval) -> None:
    assert window(interval, *[0.001] * 90) == WHOLE


def test_short_while_some_compute_for_long(interval: Interval) -> None:
    window(interval, *[0.001] * 90)
    assert window(interval, *[0.001] * 10, 0.12) == SHORT


def test_never_short_while_other_processes_have_the_core(interval: Interval) -> None:
    """Threads that wait for the interpreter would take what is left of it."""
    assert window(interval, *[0.03] * 10, saturated=False) == WHOLE


def test_one_that_was_torn_is_not_long(interval: Interval) -> None:
    """It takes several times as long then: that is no reason to go on."""
    assert window(interval, *[0.008] * 12) == WHOLE
    assert window(interval, *[0.006] * 10, 0.012) == WHOLE, "even where it takes long now and then"


def test_short_when_a_call_has_lost_the_lead(interval: Interval) -> None:
    window(interval, *[0.001] * 90)
    interval.shorten()
    assert round(sys.getswitchinterval(), 6) == SHORT


def test_within_a_window_it_stays(interval: Interval) -> None:
    interval._began = time.monotonic()
    for _ in range(100):
        interval.ended(0.001, time.monotonic(), True)
    assert round(sys.getswitchinterval(), 6) == SHORT


def test_short_for_a_while_after_a_long_call(interval: Interval) -> None:
    """It is seen when it ends."""
    assert window(interval, 1.0) == SHORT
    assert window(interval, 0.001) == SHORT
    assert 0.4 < interval._brief_until - time.monotonic() < 0.7
    interval._brief_until = time.monotonic()
    assert window(interval, 0.001) == WHOLE, "windows do not add up"


def test_another_worker_of_the_process_may_set_it(interval: Interval) -> None:
    other = Interval()
    other.open(SHORT)
    assert window(other, 0.001) == WHOLE
    interval.shorten()
    assert round(sys.getswitchinterval(), 6) == SHORT


@pytest.mark.parametrize("end", ["calls are quick", "a trial"])
def test_short_when_threads_no_longer_compete(end: str) -> None:
    turn = Turn()
    habit = Habit(turn, lambda: 0, lambda: 0.0)
    habit.interval.open(SHORT)
    turn.slow, habit._average = True, 0.001
    assert window(habit.interval, 0.001) == WHOLE
    if end == "a trial":
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.1)
    else:
        for _ in range(50):
            habit.end_round(0.00001, 1)
    assert not turn.slow
    assert round(sys.getswitchinterval(), 6) == SHORT


@pytest.mark.parametrize(("process", "expected"), [(0.05, SHORT), (0.03, WHOLE)])
def test_what_a_call_is_told_apart_by(process: float, expected: float) -> None:
    """It computed for 0.03 s; in the rest of its 0.05 s other threads did, or other processes had the core."""
    turn = Turn()
    habit = Habit(turn, lambda: 0, lambda: 0.0)
    habit.interval.open(SHORT)
    turn.slow = True
    habit.interval._began = time.monotonic() - 1
    habit.ended_beside(time.monotonic() - 0.05, own=0.03, process=process)
    assert round(sys.getswitchinterval(), 6) == expected


def test_never_shorter_than_asked_for(interval: Interval) -> None:
    """Somebody wants it longer: so it stays."""
    interval.open(0.02)
    assert window(interval, *[0.001] * 90) == 0.02
