"""serve/effort.py: which calls wait, and what the system says of threads. Who computes, the lookout sees: test_vigil.py."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pronghorn.serve.effort import NO_GAUGE, Gauge, waited
from pronghorn.serve.habit import QUICK, SLOW
from tests.serve.gauges import hog, needs_gauge
from tests.serving import PATIENCE, until


@pytest.mark.parametrize(
    ("lasted", "own", "process", "waits"),
    [
        (0.0013, 0.0003, 0.0003, True),  # a query, while nobody computes
        (0.0013, 0.0003, 0.0013, True),  # a query, while others compute all the time
        (0.0004, 0.0004, 0.0004, False),  # a page
        (0.0008, 0.0004, 0.0008, False),  # a page that took turns with another
    ],
)
def test_a_call_beside_others(lasted: float, own: float, process: float, waits: bool) -> None:
    seconds = waited(lasted, own, process)
    assert seconds > SLOW if waits else seconds <= QUICK + 1e-9


@pytest.mark.parametrize(("delayed", "waits"), [(0.0, True), (0.003, False)])
def test_a_call_beside_other_processes(delayed: float, waits: bool) -> None:
    """Of its 4 ms it computed for one. For the others it waited, or other processes had the processor."""
    seconds = waited(0.004, 0.001, 0.001, delayed)
    assert seconds > SLOW if waits else seconds <= QUICK


@contextmanager
def gauge_of(step: Callable[[], object]) -> Iterator[Gauge]:
    """Of a thread that does so all the time, on the first of our processors."""
    stop, gauge, opened = threading.Event(), Gauge(), threading.Event()

    def run() -> None:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        gauge.open()
        opened.set()
        while not stop.is_set():
            step()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert opened.wait(PATIENCE)
    try:
        yield gauge
    finally:
        stop.set()
        thread.join(PATIENCE)
        gauge.close()


def compute() -> None:
    sum(range(1000))


def rest() -> None:
    time.sleep(0.01)


@needs_gauge
class TestWhatTheSystemSays:
    def test_who_computes_is_ready(self) -> None:
        with gauge_of(compute) as gauge:
            # We have the interpreter when we ask; it is woken as we let go of it.
            until(lambda: all(gauge.ready() for _ in range(3)), "it is ready")

    def test_who_waits_is_not(self) -> None:
        with gauge_of(rest) as gauge:
            assert gauge._state >= 0
            until(lambda: not gauge.ready(), "it waits")
            assert gauge.delayed() < 1.0

    def test_another_process_delays_it(self) -> None:
        with gauge_of(compute) as gauge, hog():
            before = gauge.delayed()
            until(lambda: gauge.delayed() > before + 0.02, "the other has the processor")

    def test_nothing_of_a_thread_that_has_ended(self) -> None:
        gauge = Gauge()
        thread = threading.Thread(target=gauge.open)
        thread.start()
        thread.join(PATIENCE)
        assert min(gauge._delays, gauge._state) >= 0
        until(lambda: gauge.delayed() == 0.0 and not gauge.ready(), "the system has ended it, too")
        gauge.close()

    def test_closed_it_keeps_no_descriptor_and_says_nothing(self) -> None:
        gauge = Gauge().open()
        files = gauge._delays, gauge._state
        gauge.close()
        gauge.close()
        for file in files:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(file)
        assert gauge.delayed() == 0.0
        assert not gauge.ready()


def test_elsewhere_nothing_is_known() -> None:
    assert NO_GAUGE.delayed() == 0.0
    assert not NO_GAUGE.ready()
