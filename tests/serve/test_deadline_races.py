"""serve/deadlines.py where two threads meet: an exception that comes too late, an answer at the last moment."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.errors import RequestTimeout
from pronghorn.serve import timers
from pronghorn.serve.calls import Call
from pronghorn.serve.deadlines import Deadlines
from pronghorn.serve.interrupt import interrupt
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.phases import CALL, RETURNED
from pronghorn.serve.threads import Member
from pronghorn.serve.worker import Worker
from tests.serve.overtime import Site, assert_504, gone, spin, timed
from tests.serving import PATIENCE, Client, CutOff, Server, head, serving, until


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.released.set()


# Between the end of a call and the thread's next


class Late:
    """Interrupts only when the call has ended, and its thread is about to say so."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.raised = 0

    def __call__(self, thread: int, exception: type[BaseException] | None) -> None:
        assert interrupt is not None
        if exception is not None:
            self.site.released.set()
            until(lambda: is_coming_back(thread), "the call has ended")
            self.raised += 1
        interrupt(thread, exception)


def is_coming_back(thread: int) -> bool:
    frame = sys._current_frames()[thread]
    return frame.f_code is Deadlines.come_back.__code__


@pytest.mark.parametrize("way", ["lead lost", "lead handed on", "waited"])
def test_an_exception_that_comes_too_late_is_swallowed(site: Site, way: str) -> None:
    late = Late(site)

    def prepare(worker: Worker) -> None:
        worker.deadlines = Deadlines(worker, late)

    with timed(site, 1 if way == "waited" else 3, prepare=prepare) as server:
        first = server.connect()
        if way == "waited":
            first.send(head("GET", "/nap"))
            assert site.entered.acquire(timeout=PATIENCE)
        elif way == "lead handed on":
            server.worker.crew.habit._average, server.worker.crew.turn.slow = 1.0, True
        assert_504(server, "/held", waited=way == "waited")
        until(lambda: gone(server), "the call has ended")
        assert (late.raised, site.said) == (1, ["survived"])
        first.close()
        assert all(
            member.thread is None or member.thread.is_alive() for member in server.worker.crew._members
        )
        assert [server.get("/quick").body for _ in range(10)] == [b"quick"] * 10
        assert "defect" not in server.log


class Told:
    """What would have been raised, and where."""

    def __init__(self) -> None:
        self.told: list[tuple[int, object]] = []

    def __call__(self, thread: int, exception: object) -> None:
        self.told.append((thread, exception))


def a_call() -> tuple[Deadlines, Call, Told]:
    told = Told()
    worker: Any = SimpleNamespace(options=ServeOptions(request_timeout=1.0))
    connection: Any = SimpleNamespace(
        phase=CALL, seized=None, exchange=SimpleNamespace(request=SimpleNamespace(line=""))
    )
    member = Member(0, True)
    member.ident = threading.get_ident()
    call = Call(connection, member, 0.0)
    connection.seized = call
    return Deadlines(worker, told), call, told


def test_who_has_come_back_is_not_interrupted() -> None:
    deadlines, call, told = a_call()
    deadlines.come_back(call.connection)
    assert call.connection.phase is RETURNED
    call.connection.phase = CALL  # as the leader saw it a moment ago
    deadlines._raise_in(call)
    assert (told.told, call.raised) == ([], False)


def test_who_has_been_interrupted_is_cleared() -> None:
    deadlines, call, told = a_call()
    call.right.clear()
    call.raised = True
    deadlines.come_back(call.connection)
    assert told.told == [(threading.get_ident(), None)]


def test_who_was_not_seized_keeps_what_others_raise_in_it() -> None:
    deadlines, call, told = a_call()
    call.connection.seized = None
    deadlines.come_back(call.connection)
    assert told.told == []


# Under load


class Straddling:
    """Calls that end about when their deadline does; which of the two comes first is left to chance."""

    timeout = 0.009

    def __init__(self) -> None:
        self.interrupted: set[str] = set()
        self.given_up: set[str] = set()
        """Whose clients got 504, or a part of the answer."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind, _, seconds = environ["PATH_INFO"].strip("/").partition("-")
        try:
            if kind == "spin":
                spin(float(seconds))
            elif kind in ("sleep", "stream"):
                time.sleep(float(seconds))
            start_response("200 OK", [])
            body = environ["QUERY_STRING"].encode()
            return iter([body[:2], body[2:]]) if kind == "stream" else [body]
        except RequestTimeout:
            self.interrupted.add(environ["QUERY_STRING"])
            raise


def ask_many(server: Server, app: Straddling, count: int, seed: int, wrong: list[str]) -> None:
    chance = random.Random(seed)
    client: Client | None = None
    for at in range(count):
        kind = chance.choice(["quick", "sleep", "sleep", "sleep", "stream", "spin"])
        name = f"{seed}.{at}"
        seconds = chance.uniform(0.5, 1.8) * Straddling.timeout
        if client is None:
            client = server.connect()
        target = f"/{kind}-{seconds:.5f}?{name}"
        try:
            answer = client.ask(head("GET", target))
        except CutOff as cut:
            # Between the two blocks of an answer that came too late.
            if kind != "stream" or cut.partial != name.encode()[:2]:
                wrong.append(f"{target}: cut off after {cut.partial!r}")
            app.given_up.add(name)
            client.close()
            client = None
            continue
        if answer.status == 504:
            app.given_up.add(name)
        # 503: it waited too long for a thread, on a busy machine.
        if answer.status not in (503, 504) and answer.body != name.encode():
            wrong.append(f"{target}: {answer.status} {answer.body!r}")
        if answer.closes:
            client.close()
            client = None
    if client is not None:
        client.close()


def run_all(jobs: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


# An exception that arrives in a destructor or a weak reference's callback is swallowed by the interpreter.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_at_the_deadline_exactly_one_of_the_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "RESOLUTION", 0.001)
    app = Straddling()
    wrong: list[str] = []
    with serving(app, threads=6, request_timeout=app.timeout) as server:
        run_all([lambda seed=seed: ask_many(server, app, 334, seed, wrong) for seed in range(6)])  # type: ignore[misc]
        assert wrong == []
        assert len(app.interrupted) > 100, "the deadline was straddled"
        assert app.interrupted <= app.given_up, "raised in another's call"
        until(lambda: gone(server), "all calls have ended")
        crew = server.worker.crew
        assert all(member.thread is not None and member.thread.is_alive() for member in crew._members)
        until(lambda: crew.busy == 0 and crew.queued == 0, "the crew is whole")
        if "defect" in server.log:
            pytest.fail(server.log[server.log.index("defect") :])  # whole: an assertion's text is cut short
        assert " failed" not in server.log
        assert "does not end" not in server.log
