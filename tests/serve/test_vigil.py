"""serve/vigil.py: what the lookout sees of the leader's call. In the compiled build, of vigil.pyx."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger

import pytest

from pronghorn.serve.effort import own_clock
from pronghorn.serve.streams import Streams
from pronghorn.serve.turn import Turn
from pronghorn.serve.vigil import Orders, Vigil
from tests.serving import until

TICK = 0.001

needs_clock = pytest.mark.skipif(
    not hasattr(time, "pthread_getcpuclockid"), reason="no clock for a thread's processor time"
)


def vigil_of(turn: Turn) -> Vigil:
    vigil = Vigil(turn, Streams(getLogger("test")))
    vigil.begin()
    return vigil


class TestOrders:
    def test_they_keep_their_order(self) -> None:
        orders = Orders()
        for order in "abc":
            orders.put(order)
        assert [orders.get() for _ in range(3)] == ["a", "b", "c"]

    def test_nothing_after_a_while(self) -> None:
        assert Orders().get(0.001) is None

    def test_one_that_came_before_the_vigil(self) -> None:
        orders = Orders()
        orders.put("a")
        orders.put("b")
        vigil = vigil_of(Turn())
        assert [vigil.keep(orders, 60.0) for _ in range(2)] == ["a", "b"]
        assert vigil.keep(orders, TICK) is None

    def test_one_that_comes_during_the_vigil_ends_it(self) -> None:
        orders, found = Orders(), []
        vigil = vigil_of(Turn())
        thread = threading.Thread(target=lambda: found.append(vigil.keep(orders, 60.0)), daemon=True)
        thread.start()
        orders.put("a")
        thread.join(10)
        assert found == ["a"]

    def test_none_is_lost_whenever_it_comes(self) -> None:
        """Ticks end while orders come: whoever puts one rings, or the vigil has ended."""
        orders, vigil = Orders(), vigil_of(Turn())
        found: list[object] = []

        def watch() -> None:
            while len(found) < 3000:
                order = vigil.keep(orders, 0.00002)
                if order is not None:
                    found.append(order)

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        for number in range(3000):
            orders.put(number)
            if not number % 7:
                time.sleep(0)
        thread.join(30)
        assert found == list(range(3000))

    def test_one_that_comes_when_the_tick_has_ended_rings_once(self) -> None:
        """The tick ends while this thread has the interpreter, and puts the order before it lets go of it."""
        orders, vigil, ready = Orders(), vigil_of(Turn()), threading.Event()
        found: list[object] = []

        def watch() -> None:
            ready.set()
            while not found:
                found.extend(filter(None, [vigil.keep(orders, TICK)]))

        before = sys.getswitchinterval()
        sys.setswitchinterval(100)
        try:
            thread = threading.Thread(target=watch, daemon=True)
            thread.start()
            ready.wait(10)
            spin(0.02)
            orders.put("a")
            thread.join(10)
        finally:
            sys.setswitchinterval(before)
        assert found == ["a"]
        began = time.monotonic()
        assert vigil.keep(orders, 0.05) is None
        assert time.monotonic() - began > 0.045


def spin(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


class TestCalls:
    def test_the_one_that_runs_at_first_is_the_same_until_another_begins(self) -> None:
        turn = Turn()
        turn.calls = 5
        vigil, orders = vigil_of(turn), Orders()
        vigil.keep(orders, TICK)
        assert not vigil.moved
        turn.calls = 6
        assert vigil.outrun()
        vigil.keep(orders, TICK)  # compiled, it has looked twice
        vigil.keep(orders, TICK)
        assert not vigil.moved
        assert not vigil.outrun()

    def test_calls_that_come_and_go_are_seen(self) -> None:
        turn = Turn()
        vigil, orders = vigil_of(turn), Orders()
        with running(lambda: setattr(turn, "calls", turn.calls + 1)):
            until(lambda: vigil.keep(orders, TICK) is None and vigil.moved, "another call was seen")

    def test_the_age_of_a_call_begins_when_it_is_first_seen(self) -> None:
        turn = Turn()
        vigil, orders = vigil_of(turn), Orders()
        turn.calls = 1
        began = time.monotonic()
        vigil.keep(orders, TICK)
        until(lambda: vigil.keep(orders, TICK) is None and vigil.age >= 0.02, "it is 20 ms old")
        assert vigil.age <= time.monotonic() - began

    def test_the_age_of_one_that_runs_already_begins_with_the_vigil(self) -> None:
        before = time.monotonic()
        vigil = vigil_of(Turn())
        vigil.keep(Orders(), TICK)
        assert TICK <= vigil.age <= time.monotonic() - before

    def test_held_blocks_are_sent_each_tick_although_calls_come_and_go(self) -> None:
        """Compiled, too, where several looks are one otherwise."""
        turn, streams, orders = Turn(), Streams(getLogger("test")), Orders()
        vigil = Vigil(turn, streams)
        streams.ticking = True
        with running(lambda: setattr(turn, "calls", turn.calls + 1)):
            ends = [vigil.keep(orders, 0.02) or time.monotonic() for _ in range(4)]
        assert min(ends[at + 1] - ends[at] for at in range(3)) < 0.2

    def test_who_would_have_blocks_held_is_heard_at_the_next_tick(self) -> None:
        turn, streams, orders = Turn(), Streams(getLogger("test")), Orders()
        vigil = Vigil(turn, streams)
        streams.wanted = True
        with running(lambda: setattr(turn, "calls", turn.calls + 1)):
            began = time.monotonic()
            vigil.keep(orders, 0.5)
        assert time.monotonic() - began < 5


@contextmanager
def running(step: object) -> Iterator[int]:
    """A thread that does so all the time; its processor clock."""
    stop, clocks = threading.Event(), []

    def run() -> None:
        clocks.append(own_clock() or 0)
        while not stop.is_set():
            step()  # type: ignore[operator]

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: bool(clocks), "it runs")
    try:
        yield clocks[0]
    finally:
        stop.set()
        thread.join(10)


@needs_clock
class TestWhoComputes:
    def test_who_computes_and_who_waits(self) -> None:
        turn, orders = Turn(), Orders()
        vigil = vigil_of(turn)
        with running(lambda: sum(range(100))) as turn.clock:
            until(lambda: vigil.keep(orders, 0.01) is None and vigil.computes, "it is seen to compute")
        with running(lambda: time.sleep(0.05)) as turn.clock:
            until(lambda: vigil.keep(orders, 0.01) is None and not vigil.computes, "it is seen to wait")

    def test_what_it_has_spent_on_this_call(self) -> None:
        turn, orders = Turn(), Orders()
        vigil = vigil_of(turn)
        with running(lambda: sum(range(100))) as turn.clock:
            vigil.begin()
            until(lambda: vigil.keep(orders, 0.01) is None and vigil.own > 0.3, "more with each look")
            turn.calls += 1
            vigil.keep(orders, TICK)
            assert vigil.own < 0.2, "another call"

    def test_another_leader_has_spent_nothing_yet(self) -> None:
        """On the same call, as far as numbers tell: the old leader's clock means nothing."""
        turn = Turn()
        vigil = vigil_of(turn)
        with running(lambda: sum(range(100))) as turn.clock:
            spent = time.clock_gettime(turn.clock) + 0.2
            until(lambda: time.clock_gettime(turn.clock) > spent, "it has computed")
            vigil.begin()
            assert vigil.own == 0.0
            vigil.keep(Orders(), TICK)
            assert vigil.own < 0.2

    def test_of_another_thread_nothing_is_known_at_first(self) -> None:
        turn = Turn()
        vigil = vigil_of(turn)
        with running(lambda: sum(range(100))) as turn.clock:
            vigil.keep(Orders(), 0.01)
        assert not vigil.computes

    def test_without_a_clock_nobody_computes(self) -> None:
        """macOS has none for threads."""
        vigil, orders = vigil_of(Turn()), Orders()
        for _ in range(2):
            vigil.keep(orders, TICK)
            assert not vigil.computes

    def test_a_thread_that_has_ended_computes_nothing(self) -> None:
        turn, orders = Turn(), Orders()
        vigil = vigil_of(turn)
        with running(lambda: sum(range(100))) as turn.clock:
            pass
        until(lambda: not readable(turn.clock), "the system has ended the thread, too")
        for _ in range(2):
            vigil.keep(orders, TICK)
            assert not vigil.computes


def readable(clock: int) -> bool:
    try:
        time.clock_gettime(clock)
    except OSError:
        return False
    return True
