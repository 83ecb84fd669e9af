"""serve/habit.py: calls return to the leader for a trial, where threads compete for the interpreter only."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import pytest

from pronghorn.serve.habit import BUSY, LOOK, SETTLE, TRIAL, TRIALS_MOST, Habit
from pronghorn.serve.turn import Turn
from tests.serve.gauges import Delayed
from tests.serving import PATIENCE, Server, head, serving, until


def computing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """A page of half a millisecond."""
    began = time.thread_time()
    while time.thread_time() - began < 0.0005:
        pass
    start_response("200 OK", [])
    return [b"."]


def waiting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Queries whose results are computed with: half of each call."""
    began = time.thread_time()
    while time.thread_time() - began < 0.0005:
        pass
    time.sleep(0.003)
    start_response("200 OK", [])
    return [b"."]


@contextmanager
def asked_by(server: Server, clients: int) -> Iterator[None]:
    """A constant load, which never pauses."""
    stop = threading.Event()

    def ask() -> None:
        with server.connect() as client:
            while not stop.is_set():
                client.ask(head("GET", "/"))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def slow_down(habit: Habit, turn: Turn) -> None:
    for _ in range(10):
        habit.taken_over()
    assert turn.slow


def test_pages_that_compute_come_back_to_the_leader_under_constant_load() -> None:
    with serving(computing, threads=4) as server, asked_by(server, 12):
        crew = server.worker.crew
        slow_down(crew.habit, crew.turn)
        crew.habit._trial_at = 0.0
        until(lambda: not crew.turn.slow, "a trial has begun")
        until(lambda: crew.busy == 0, "nobody competes with the leader")


def test_calls_that_wait_end_a_trial() -> None:
    with serving(waiting, threads=4) as server, asked_by(server, 12):
        crew = server.worker.crew
        slow_down(crew.habit, crew.turn)
        crew.habit._try(time.monotonic())
        assert not crew.turn.slow
        until(lambda: crew.turn.slow, "calls were seen to wait")
        assert crew.habit._pause == 2 * TRIAL, "the next trial comes later"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_call_that_sleeps_in_a_trial_holds_nobody_up(threads: int) -> None:
    """Although the process computes meanwhile: a thread of the application's does."""
    begun, awake, stop = threading.Event(), threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/sleep":
            begun.set()
            awake.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"."]

    def compute() -> None:
        while not stop.is_set():
            sum(range(1000))

    background = threading.Thread(target=compute, daemon=True)
    with serving(app, threads=threads) as server, server.connect() as one, server.connect() as other:
        crew = server.worker.crew
        slow_down(crew.habit, crew.turn)
        background.start()
        crew.habit._try(time.monotonic())
        crew.habit._settles_by = time.monotonic() + 10 * PATIENCE
        one.send(head("GET", "/sleep"))
        try:
            assert begun.wait(PATIENCE)
            if threads == 1:
                other.send(head("GET", "/"))
                until(lambda: crew.queued == 1, "another leader has received it")
            else:
                assert other.ask(head("GET", "/")).body == b"."
        finally:
            stop.set()
            awake.set()
            background.join(10)
        assert one.read_answer().body == b"."
        if threads == 1:
            assert other.read_answer().body == b"."


def test_the_lead_stays_with_a_call_that_competes_for_the_interpreter() -> None:
    with serving(computing, threads=2) as server:
        crew = server.worker.crew
    vigil = crew._vigil
    vigil.begin()
    vigil.begin()
    assert not crew._may_stay(crew._members[0], vigil), "no trial: whose call waits loses the lead"
    slow_down(crew.habit, crew.turn)
    crew.habit._try(time.monotonic())
    TestWhileItSettles.look_back(crew.habit, 1.0, computed=1.0)
    assert crew._may_stay(crew._members[0], vigil)


class TestWhenThereIsATrial:
    @pytest.fixture
    def turn(self) -> Turn:
        return Turn()

    @pytest.fixture
    def habit(self, turn: Turn) -> Habit:
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        slow_down(habit, turn)
        habit._trial_at = 0.0
        return habit

    def test_where_the_process_computes_all_the_time(self, habit: Habit, turn: Turn) -> None:
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert not turn.slow

    @pytest.mark.parametrize(("computed", "delayed", "tried"), [(1, 0, False), (1, 6, True), (0, 7, True)])
    def test_where_it_would_had_it_the_processor(
        self, habit: Habit, turn: Turn, computed: int, delayed: int, tried: bool
    ) -> None:
        """The last look was so long ago; since then the process computed, and was delayed, in quarters of it."""
        habit._delayed = lambda: 7.0
        habit._weighed = time.monotonic() - LOOK, time.process_time() + 7.0 - (computed + delayed) / 4 * LOOK
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.005)
        assert turn.slow is not tried

    def test_none_by_a_look_that_was_long_ago(self, habit: Habit, turn: Turn) -> None:
        habit._weighed = time.monotonic() - 9.0, time.process_time() - 9.0
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.005)
        assert turn.slow
        assert habit._weighed[0] > time.monotonic() - 5, "the next look counts from here"

    def test_no_look_too_early(self, habit: Habit, turn: Turn) -> None:
        habit._weighed = before = time.monotonic() + 60, 0.0
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.005)
        assert turn.slow
        assert habit._weighed == before

    def test_none_where_it_waits(self, habit: Habit, turn: Turn) -> None:
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.005)
        assert turn.slow

    def test_none_while_calls_compute_for_long(self, habit: Habit, turn: Turn) -> None:
        """They would hold the lead: see `BUSY`."""
        for _ in range(20):
            habit.ended_beside(time.monotonic() - 0.01, own=2 * BUSY, process=0.01)
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert turn.slow

    def test_one_that_computes_for_long_is_no_reason(self, habit: Habit, turn: Turn) -> None:
        habit.ended_beside(time.monotonic() - 0.1, own=0.01, process=0.01)
        assert turn.slow
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert not turn.slow

    def test_none_too_early(self, habit: Habit, turn: Turn) -> None:
        habit._trial_at = time.monotonic() + 60
        habit.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert turn.slow

    @pytest.mark.parametrize("own", [0.001, 2 * BUSY])
    def test_calls_from_before_it_say_nothing(self, habit: Habit, turn: Turn, own: float) -> None:
        now = time.monotonic()
        habit._try(now)
        for _ in range(20):
            habit.ended_beside(now - 0.1, own=own, process=0.1)
        assert not turn.slow

    def test_nor_those_that_began_while_it_settled(self, habit: Habit, turn: Turn) -> None:
        """They competed with the former."""
        habit._try(time.monotonic() - SETTLE / 2)
        for _ in range(20):
            habit.ended_beside(time.monotonic() - 0.1, own=0.001, process=0.1)
        assert not turn.slow

    def test_those_that_began_later_do(self, habit: Habit, turn: Turn) -> None:
        habit._try(time.monotonic() - SETTLE - 0.2)
        for _ in range(20):
            habit.ended_beside(time.monotonic() - 0.1, own=0.001, process=0.1)
        assert turn.slow

    def test_the_time_to_the_next_doubles_when_it_fails_at_once(self, habit: Habit, turn: Turn) -> None:
        pauses = []
        for _ in range(6):
            habit._try(time.monotonic())
            slow_down(habit, turn)
            pauses.append(habit._pause)
            habit._trial_at = 0.0
        assert pauses == [2, 4, 8, 16, 16, 16]

    def test_after_one_that_lasted_it_begins_anew(self, habit: Habit, turn: Turn) -> None:
        habit._try(time.monotonic())
        habit._pause = TRIALS_MOST
        habit._tried -= 2 * TRIAL
        slow_down(habit, turn)
        assert habit._pause == TRIAL


class TestWhileItSettles:
    @pytest.fixture
    def habit(self) -> Habit:
        turn = Turn()
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        slow_down(habit, turn)
        habit._try(time.monotonic())
        habit._settles_by = time.monotonic() + 60
        return habit

    @staticmethod
    def look_back(habit: Habit, seconds: float, computed: float) -> None:
        """The last look was so long ago."""
        habit._looked = time.process_time() - computed, time.monotonic() - seconds

    def test_the_lead_stays_where_the_process_computes(self, habit: Habit) -> None:
        self.look_back(habit, 1.0, computed=1.0)
        assert habit.competes(age=0.015)

    def test_not_where_it_waits(self, habit: Habit) -> None:
        self.look_back(habit, 1.0, computed=0.5)
        assert not habit.competes(age=0.015)

    def test_each_look_counts_from_the_last(self, habit: Habit) -> None:
        self.look_back(habit, 1.0, computed=1.0)
        habit.competes(age=0.015)
        assert time.monotonic() - habit._looked[1] < 0.5

    def test_not_for_longer_than_calls_wait_for_the_interpreter(self, habit: Habit) -> None:
        self.look_back(habit, 1.0, computed=1.0)
        assert not habit.competes(age=0.03)

    def test_not_afterwards(self, habit: Habit) -> None:
        self.look_back(habit, 1.0, computed=1.0)
        habit._settles_by = time.monotonic()
        assert not habit.competes(age=0.015)

    def test_it_ends_with_the_trial(self, habit: Habit) -> None:
        assert habit.settles(time.monotonic())
        slow_down(habit, habit._turn)
        assert not habit.settles(time.monotonic())


class TestWhatARoundWaited:
    """On the leader, calls of a round."""

    @pytest.mark.parametrize(
        ("busy", "seconds", "own", "process", "slow"),
        [
            (0, 1.0, 1.0, 1.0, False),  # it computed
            (0, 1.0, 0.1, 0.1, True),  # it waited
            (3, 1.0, 0.1, 1.0, False),  # for the interpreter, which calls beside it had
            (0, 1.0, 0.1, 1.0, True),  # a thread of the application's computed meanwhile
        ],
    )
    def test_it(self, busy: int, seconds: float, own: float, process: float, slow: bool) -> None:
        turn = Turn()
        habit = Habit(turn, lambda: busy, lambda: 0.0)
        turn.timed = True
        for _ in range(5):
            habit._spent = time.thread_time() - own, time.process_time() - process, 0.0
            habit.end_round(seconds, 500)
        assert turn.slow is slow

    def rounds(self, habit: Habit, count: int, waited: float, calls: int = 1) -> None:
        for _ in range(count):
            habit._spent = time.thread_time() - 0.1, time.process_time() - 0.1, 0.0
            habit.end_round(0.1 + waited * calls, calls)

    @pytest.mark.parametrize(("before", "slow"), [(4.1, False), (5.0, True)])
    def test_other_processes_had_the_processor(self, before: float, slow: bool) -> None:
        """For 0.9 of its second, or not at all; and for 4.1 before."""
        turn = Turn()
        turn.gauge = Delayed(5.0)
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        turn.timed = True
        for _ in range(5):
            habit._spent = time.thread_time() - 0.1, time.process_time() - 0.1, before
            habit.end_round(1.0, 500)
        assert turn.slow is slow

    @pytest.mark.parametrize(("busy", "delay"), [(0, 5.0), (1, inf)])
    def test_a_delay_is_asked_for_where_no_threads_compete(self, busy: int, delay: float) -> None:
        """To ask lets go of the interpreter."""
        turn = Turn()
        turn.gauge = Delayed(5.0)
        habit = Habit(turn, lambda: busy, lambda: 0.0)
        habit.begin_round()
        assert habit._spent[2] == delay

    def test_a_round_that_began_beside_calls(self) -> None:
        """How long the leader was delayed is not known: it counts as one beside them."""
        turn = Turn()
        turn.gauge = Delayed(5.0)
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        turn.timed = True
        habit._spent = time.thread_time(), time.process_time() - 1.0, inf
        habit.end_round(1.0, 1)
        assert habit._average == pytest.approx(0.0, abs=1e-4)

    def test_each_call_of_a_round_that_did_not_wait_is_evidence(self) -> None:
        turn = Turn()
        turn.timed = True
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        habit._average = 0.00029
        self.rounds(habit, 1, waited=0.0, calls=30)
        assert habit._average < 0.00029 * 0.6

    def test_calls_that_compute_for_long_do_not_hold_the_lead(self) -> None:
        turn = Turn()
        turn.timed = True
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        for _ in range(2):
            habit._spent = time.thread_time() - 4 * BUSY, time.process_time() - 4 * BUSY, 0.0
            habit.end_round(4 * BUSY, 4)
        assert turn.slow

    def test_a_round_that_waited_is_one_sample(self) -> None:
        """It may have had one bad moment."""
        turn = Turn()
        turn.timed = True
        habit = Habit(turn, lambda: 0, lambda: 0.0)
        self.rounds(habit, 1, waited=0.001, calls=30)
        assert 0.0001 < habit._average < 0.00014

    def test_rounds_beside_the_calls_from_before_a_trial_say_nothing(self) -> None:
        turn = Turn()
        habit = Habit(turn, lambda: 3, lambda: 0.0)
        turn.timed = True
        habit._settles_by = time.monotonic() + 60
        self.rounds(habit, 5, waited=1.0)
        assert habit._average == 0.0
        habit._settles_by = 0.0
        self.rounds(habit, 5, waited=1.0)
        assert turn.slow


def test_one_slow_call_is_one_sample() -> None:
    """Who takes the lead counts it; the round that it was a part of says nothing more."""
    release = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            release.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"."]

    with serving(app, threads=4) as server, server.connect() as one, server.connect() as other:
        crew = server.worker.crew
        assert other.ask(head("GET", "/")).body == b"."
        until(lambda: server.worker._polling, "the first round has ended")
        crew.turn.timed = True
        before = crew.leader
        one.send(head("GET", "/slow"))
        until(lambda: crew.leader is not before, "the lead was taken")
        for _ in range(3):
            assert other.ask(head("GET", "/")).body == b"."
        release.set()
        assert one.read_answer().body == b"."
        assert not crew.turn.slow
        assert crew.habit._average <= 0.00025
