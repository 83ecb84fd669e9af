"""serve/calls.py: the table of the calls that take their time, and the stacks of all threads."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pronghorn.observe.scoreboard import REQUESTS, Scoreboard
from pronghorn.serve.calls import Call, Calls
from pronghorn.serve.connection import Connection
from pronghorn.serve.pulse import Lifetime, Pulse
from pronghorn.serve.threads import Member
from pronghorn.serve.worker import Worker
from tests.serving import PATIENCE, Client, Server, head, serving, until


class Stub(SimpleNamespace):
    """As much of a connection as the table looks at."""

    __hash__ = object.__hash__


def connection(target: str) -> Connection:
    request = SimpleNamespace(line=SimpleNamespace(method="GET", target=target))
    return cast(Connection, Stub(exchange=SimpleNamespace(request=request)))


# The table


def test_a_posted_call_ends_with_its_connection_even_if_nobody_looked_meanwhile() -> None:
    calls = Calls()
    one = connection("/")
    calls.post(Call(one, Member(0, True), 1.0))
    calls.end(one)
    assert calls.running() == []


def test_a_posted_call_is_seen() -> None:
    calls = Calls()
    call = Call(connection("/"), Member(0, True), 1.0)
    calls.post(call)
    assert calls.running() == [call]


def test_a_connection_that_has_no_call_may_end() -> None:
    Calls().end(connection("/"))


def test_the_row_shows_what_runs() -> None:
    calls = Calls()
    calls.row = Scoreboard(1, 2).row(0)
    one = connection("/one")
    calls.begin(Call(one, Member(1, True), 5.0))
    assert list(calls.row.running()) == [(1, 5.0, "GET /one")]
    calls.end(one)
    assert list(calls.row.running()) == []


def test_a_thread_that_is_in_its_next_call_already_stays_in_the_row() -> None:
    calls = Calls()
    calls.row = Scoreboard(1, 2).row(0)
    member = Member(1, True)
    one, two = connection("/one"), connection("/two")
    calls.begin(Call(one, member, 5.0))
    calls.post(Call(two, member, 6.0))
    calls.end(one)
    assert list(calls.row.running()) == [(1, 6.0, "GET /two")]
    calls.end(two)
    assert list(calls.row.running()) == []


# A worker's


class Hold:
    """/hold lasts until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].startswith("/hold"):
            self.entered.release()
            assert self.released.wait(PATIENCE)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]


@contextmanager
def holding(threads: int, count: int, **options: Any) -> Iterator[tuple[Server, Hold, list[Client]]]:
    app = Hold()
    with serving(app, threads=threads, **options) as server:
        clients = [server.connect() for _ in range(count)]
        try:
            for number, client in enumerate(clients):
                client.send(head("GET", f"/hold{number}"))
            for _ in range(min(count, threads)):
                assert app.entered.acquire(timeout=PATIENCE)
            yield server, app, clients
        finally:
            app.released.set()
            for client in clients:
                client.close()


def running(server: Server) -> list[str]:
    """What the leader says that runs."""
    found: list[str] = []
    done = threading.Event()

    def look() -> None:
        found.extend(sorted(str(call) for call in server.worker.calls.running()))
        done.set()

    server.worker.ask(look)
    assert done.wait(PATIENCE)
    return found


@pytest.mark.parametrize("threads", [1, 3])
def test_slow_calls_are_in_the_table_until_they_come_back(threads: int) -> None:
    with holding(threads, threads) as (server, app, clients):
        until(lambda: len(running(server)) == threads, "all calls are in the table")
        assert running(server) == [f"GET /hold{number}" for number in range(threads)]
        app.released.set()
        for client in clients:
            assert client.read_answer().status == 200
        until(lambda: running(server) == [], "the table is empty")


def test_requests_that_waited_for_a_thread_are_in_the_table() -> None:
    with holding(2, 2) as (server, app, clients), server.connect() as third:
        until(lambda: len(running(server)) == 2, "both threads are in calls")
        third.send(head("GET", "/hold-third"))
        until(lambda: server.worker.crew.queued == 1, "it waits")
        assert "GET /hold-third" not in running(server)
        app.released.set()
        app.entered.acquire(timeout=PATIENCE)
        for client in (*clients, third):
            assert client.read_answer().status == 200
        until(lambda: running(server) == [], "the table is empty")


def test_calls_that_begin_without_the_lead_are_in_the_table() -> None:
    app = Hold()
    with serving(app, threads=2) as server, server.connect() as client:
        server.worker.crew.habit._average = 1.0  # as after many slow calls
        server.worker.crew.turn.slow = True
        client.send(head("GET", "/hold"))
        assert app.entered.acquire(timeout=PATIENCE)
        assert running(server) == ["GET /hold"]
        app.released.set()
        assert client.read_answer().status == 200
        until(lambda: running(server) == [], "the table is empty")


def test_the_scoreboard_shows_slow_calls() -> None:
    board = Scoreboard(1, 4)
    row = board.row(0)

    def prepare(worker: Worker) -> None:
        worker.pulse = Pulse(row, Lifetime(), lambda reason: None)

    with holding(2, 1, prepare=prepare) as (_, app, clients):
        until(lambda: [one.what for one in row.running()] == ["GET /hold0"], "the row shows the call")
        app.released.set()
        clients[0].read_answer()
        until(lambda: list(row.running()) == [], "the row is empty")


class Restless:
    """serve.routing.Routing with a defect."""

    largest_body = 0

    def quick(self, environ: dict[str, Any]) -> None:
        return None

    def body_limit(self, environ: dict[str, Any]) -> int:
        raise AssertionError("nobody has a limit")

    def rest(self) -> None:
        raise ValueError("no rest")


def test_a_worker_whose_routes_fail_to_rest_has_its_heartbeat_and_its_end() -> None:
    row = Scoreboard(1, 2).row(0)
    retired: list[str] = []
    ended: list[None] = []

    def prepare(worker: Worker) -> None:
        worker.routing = Restless()
        worker.pulse = Pulse(row, Lifetime(requests=1), retired.append)

    app = Hold()
    app.released.set()
    with serving(app, threads=2, prepare=prepare) as server:
        assert server.get("/").status == 200
        until(lambda: retired == ["it has served 1 requests"], "it says that it has done its part")
        assert row[REQUESTS] == 1
        server.worker.ask(lambda: ended.append(server.worker._beat(time.monotonic())))
        until(lambda: bool(ended), "what else is done in a round is not skipped")
        server.wait_for_log("ValueError: no rest")
        assert server.get("/").status == 200


def test_the_stacks_of_all_threads_can_be_logged() -> None:
    with holding(3, 1) as (server, _, _clients):
        until(lambda: running(server) == ["GET /hold0"], "the call is in the table")
        server.worker.ask(server.worker.log_stacks)
        log = server.wait_for_log("all threads:")
        name = next(line for line in log.splitlines() if ": GET /hold0, for " in line)
        assert name.startswith("pronghorn-")
        assert "assert self.released.wait(PATIENCE)" in log, "the application's line"
        assert "wsgi/call.py" not in log, "the server's own frames say nothing"
        rest = sorted(line.split(" ", 1)[1] for line in log.splitlines() if line.startswith("pronghorn-"))
        assert [line for line in rest if "GET" not in line and line != "looks out"] == (
            ["leads", "rests", "rests"] if "looks out" not in rest else ["leads", "rests"]
        )
        assert "served waits for signals" in log
