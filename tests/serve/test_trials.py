"""serve/threads.py: calls return to the leader for a trial, where threads compete for the interpreter only."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pronghorn.serve.threads import BUSY, SETTLE, TRIAL, TRIALS_MOST, Crew
from tests.serving import Server, head, serving, until


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


def slow_down(crew: Crew[Any]) -> None:
    for _ in range(10):
        crew.sample(1.0)
    assert crew.turn.slow


def test_pages_that_compute_come_back_to_the_leader_under_constant_load() -> None:
    with serving(computing, threads=4) as server, asked_by(server, 12):
        crew = server.worker.crew
        slow_down(crew)
        crew._trial_at = 0.0
        until(lambda: not crew.turn.slow, "a trial has begun")
        until(lambda: crew.busy == 0, "nobody competes with the leader")


def test_calls_that_wait_end_a_trial() -> None:
    with serving(waiting, threads=4) as server, asked_by(server, 12):
        crew = server.worker.crew
        slow_down(crew)
        crew._try(crew._trial_at)
        assert not crew.turn.slow
        until(lambda: crew.turn.slow, "calls were seen to wait")
        assert crew._pause == 2 * TRIAL, "the next trial comes later"


class TestWhenThereIsATrial:
    @pytest.fixture
    def crew(self) -> Crew[Any]:
        with serving(computing, threads=4) as server:
            crew = server.worker.crew
        slow_down(crew)
        crew._trial_at = 0.0
        return crew

    def test_where_the_process_computes_all_the_time(self, crew: Crew[Any]) -> None:
        crew.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert not crew.turn.slow
        assert crew._trial_at > time.monotonic() + TRIALS_MOST, "one at a time"

    def test_none_where_it_waits(self, crew: Crew[Any]) -> None:
        crew.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.005)
        assert crew.turn.slow

    def test_none_while_calls_compute_for_long(self, crew: Crew[Any]) -> None:
        """They would hold the lead: see `BUSY`."""
        crew.ended_beside(time.monotonic() - 0.01, own=BUSY, process=0.01)
        crew.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert crew.turn.slow

    def test_none_too_early(self, crew: Crew[Any]) -> None:
        crew._trial_at = time.monotonic() + 60
        crew.ended_beside(time.monotonic() - 0.01, own=0.001, process=0.01)
        assert crew.turn.slow

    def test_calls_from_before_it_say_nothing(self, crew: Crew[Any]) -> None:
        now = time.monotonic()
        crew._try(now)
        for _ in range(20):
            crew.ended_beside(now - 0.01, own=0.001, process=0.01)
            crew.ended_beside(now + SETTLE / 2, own=0.001, process=0.01)
        assert not crew.turn.slow

    def test_the_time_to_the_next_doubles_when_it_fails_at_once(self, crew: Crew[Any]) -> None:
        pauses = []
        for _ in range(6):
            crew._try(time.monotonic())
            slow_down(crew)
            pauses.append(crew._pause)
            crew._trial_at = 0.0
        assert pauses == [2, 4, 8, 16, 16, 16]

    def test_after_one_that_lasted_it_begins_anew(self, crew: Crew[Any]) -> None:
        crew._try(time.monotonic())
        crew._pause = TRIALS_MOST
        crew._tried -= 2 * TRIAL
        slow_down(crew)
        assert crew._pause == TRIAL
