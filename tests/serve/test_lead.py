"""Who has the lead: it is taken back by its own token only, and whoever lost it does not go on."""

import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.http.limits import Limits
from pronghorn.serve.acceptor import PAUSE
from pronghorn.serve.connection import Connection
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.worker import OVER, Worker
from tests.serving import PATIENCE, serving, until


def test_an_old_leader_leaves_the_new_one_its_lead() -> None:
    """The lead is lost during a call, and the new leader offers it during a call of its own."""
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    worker.crew.turn.watched = True
    others = [object()]

    class Call(Connection):
        def __init__(self) -> None:
            pass

        def call(self, environ: object = None) -> None:
            worker.crew.turn.slot.pop()  # the lookout takes the lead,
            worker.crew.turn.slot = others  # and runs a call

        def resume(self) -> bool:
            raise AssertionError("nobody leads")

    assert worker.run_call(Call()) is False
    assert len(others) == 1
    worker.poller.close()
    worker._bell.close()


def test_an_exception_leaves_the_lead_to_whoever_has_it() -> None:
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    crew, token = worker.crew, [object()]
    me, other = crew._members[:2]
    me.ident = threading.get_ident()
    crew._leader, crew.turn.slot = other, token
    assert not crew.keeps_lead()
    assert len(token) == 1, "the other's call goes on"
    crew._leader = me
    assert crew.keeps_lead()
    assert token == [], "nobody can take the lead from a call that is over"
    worker.poller.close()
    worker._bell.close()


def test_after_a_defect_beside_the_leader_there_is_one_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"."]

    with serving(app, threads=3) as server:
        crew = server.worker.crew

        def broken(since: float, own: float, process: float) -> None:
            monkeypatch.undo()
            raise MemoryError

        monkeypatch.setattr(crew.habit, "ended_beside", broken)
        crew.habit._average, crew.turn.slow = 1.0, True
        assert server.get().status == 200
        server.wait_for_log("defect")
        until(lambda: crew.busy == 0, "who had handed the lead on rests")
        assert server.get().status == 200


def test_a_poll_that_fails_ends_nobody() -> None:
    """No memory for what is ready, say."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"."]

    class Broken:
        def __init__(self, poller: Any) -> None:
            self.poller = poller
            self.change = poller.change

        def poll(self, timeout: float) -> Any:
            server.worker.poller = self.poller
            raise MemoryError

    with serving(app, threads=2) as server:
        server.worker.poller = Broken(server.worker.poller)  # type: ignore[assignment]
        assert server.get().status == 200, "it waits in the poller already"
        server.wait_for_log("defect")
        assert server.get().status == 200


def test_a_poll_that_fails_for_good_has_no_heartbeat() -> None:
    """So its master replaces the worker."""
    beats: list[float] = []

    class Broken:
        def poll(self, timeout: float) -> Any:
            polls.append(timeout)
            if len(polls) == 3:
                worker.drain.stage = OVER
            raise OSError(9, "Bad file descriptor")

    polls: list[float] = []
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    poller, worker.poller = worker.poller, Broken()
    worker.clock.tick()
    worker._pulse_at = worker.clock.now + PAUSE / 2  # shorter than the pauses
    worker.pulse = SimpleNamespace(beat=lambda now, *_: beats.append(now), interval=1.0, calls_most=1 << 60)
    worker._lead(worker.crew._members[0])
    assert len(polls) == 3
    assert beats == []
    poller.close()
    worker._bell.close()


def test_what_fails_in_each_round_neither_fills_the_log_nor_ends_the_service() -> None:
    failures: list[float] = []

    def fail() -> None:
        failures.append(time.monotonic())
        raise MemoryError

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"."]

    def prepare(worker: Any) -> None:
        worker.observation.end_round = fail

    with serving(app, threads=2, prepare=prepare) as server:
        assert server.get().status == 200
        until(lambda: len(failures) > 3, "some rounds")
    assert min(after - before for before, after in pairwise(failures)) >= PAUSE


@pytest.mark.parametrize("step", ["step", "_begin", "_let_in", "_cut"])
def test_a_drain_that_fails_in_each_round_ends_at_its_time_limit(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("unknown encoding: ascii")

    def app(environ: object, start_response: object) -> Iterable[bytes]:
        return []

    with serving(app, threads=2, graceful_timeout=0.2) as server, server.connect() as client:
        client.send(b"GET / HTTP")
        until(lambda: bool(server.worker.connections), "it is there")
        monkeypatch.setattr(server.worker.drain, step, fail)
        server.worker.stop()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        assert server.log.count("defect in the server") in (1, 2, 3)


def test_the_leader_looks_around_although_requests_wait_that_it_could_run() -> None:
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    began = time.monotonic()

    class Call(Connection):
        def __init__(self) -> None:
            pass

        def call(self, environ: object = None) -> None:
            assert time.monotonic() < began + PATIENCE, "it never does"

    worker.crew = SimpleNamespace(queued=1, next_waiting=Call)
    worker.turn.watched = True
    assert worker._work_off()
    assert len(worker._posts) == worker.turn.calls == worker._twice > 0
    worker.poller.close()
    worker._bell.close()


@pytest.mark.parametrize("leads", [True, False])
def test_a_defect_in_a_request_that_waited(leads: bool, caplog: pytest.LogCaptureFixture) -> None:
    """It costs that one; and who has lost the lead by then leads no more."""
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())

    class Call(Connection):
        def __init__(self) -> None:
            pass

        def call(self, environ: object = None) -> None:
            worker.crew.queued = 0
            raise MemoryError

        def close(self) -> None:
            pass

    worker.crew = SimpleNamespace(queued=1, next_waiting=Call, keeps_lead=lambda: leads)
    worker.turn.watched = True
    assert worker._work_off() is leads
    assert "defect in the server" in caplog.text
    worker.poller.close()
    worker._bell.close()
