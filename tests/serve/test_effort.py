"""serve/effort.py: who computes and who waits."""

import threading
import time

import pytest

from pronghorn.serve.effort import Effort, own_clock, waited
from pronghorn.serve.threads import QUICK, SLOW
from tests.serving import until

pytestmark = pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clock for a thread's processor time"
)


def test_who_computes_and_who_waits() -> None:
    """The time between the looks is said, so that a busy machine changes nothing."""
    clock = own_clock()
    effort = Effort()
    effort.look(clock, 0.0)
    began = time.thread_time()
    while time.thread_time() - began < 0.01:
        pass
    effort.look(clock, 0.011)
    assert effort.computes
    effort.look(clock, 0.111)  # 0.1 s later, of which it has computed next to nothing
    assert not effort.computes


def test_of_another_thread_nothing_is_known_at_first() -> None:
    effort = Effort()
    effort.look(own_clock(), time.monotonic())
    assert not effort.computes


def readable(clock: int) -> bool:
    try:
        time.clock_gettime(clock)
    except OSError:
        return False
    return True


def test_a_thread_that_has_ended_computes_nothing() -> None:
    clocks: list[int | None] = []
    thread = threading.Thread(target=lambda: clocks.append(own_clock()))
    thread.start()
    thread.join()
    (clock,) = clocks
    assert clock is not None
    until(lambda: not readable(clock), "the system has ended the thread, too")
    effort = Effort()
    effort.look(clock, time.monotonic())
    effort.look(clock, time.monotonic())
    assert not effort.computes


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
