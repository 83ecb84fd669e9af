"""serve/effort.py: who computes and who waits."""

import threading
import time

import pytest

from pronghorn.serve.effort import Effort, own_clock

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


def test_a_thread_that_has_ended_computes_nothing() -> None:
    clocks: list[int | None] = []
    thread = threading.Thread(target=lambda: clocks.append(own_clock()))
    thread.start()
    thread.join()
    effort = Effort()
    effort.look(clocks[0], time.monotonic())
    effort.look(clocks[0], time.monotonic())
    assert not effort.computes
