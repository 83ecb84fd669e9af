"""serve/threads.py at work: who runs which call, how many at once, and that none is lost or run twice."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest

from tests.serving import PATIENCE, Client, Server, head, serving, until


class Hold:
    """An application whose /hold calls last until they are let go, and that keeps count."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = 0
        self.most = 0
        self.begun: list[str] = []
        self.threads: list[int] = []
        self.permits = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.begun.append(path)
            self.threads.append(threading.get_ident())
        try:
            if path.startswith("/hold"):
                assert self.permits.acquire(timeout=PATIENCE), "nobody let it go"
        finally:
            with self.lock:
                self.now -= 1
        start_response("200 OK", [])
        return [path.encode()]


def ask_all(server: Server, paths: Iterable[str]) -> list[Client]:
    clients = []
    for path in paths:
        client = server.connect()
        client.send(head("GET", path))
        clients.append(client)
    return clients


def answers(clients: list[Client]) -> list[bytes]:
    bodies = [client.read_answer().body for client in clients]
    for client in clients:
        client.close()
    return bodies


def test_calls_that_compute_stay_on_the_leader() -> None:
    """A page of 1 ms: another thread would have to wait for the interpreter anyway."""
    threads: list[int] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        threads.append(threading.get_ident())
        began = time.thread_time()
        while time.thread_time() - began < 0.001:
            pass
        start_response("200 OK", [])
        return [b"page"]

    def changes(client: Client) -> int:
        threads.clear()
        for _ in range(100):
            assert client.ask(head("GET", "/")).body == b"page"
        return sum(one != other for one, other in pairwise(threads))

    # Where the machine is busy, some seem to wait: then once more.
    with serving(app) as server, server.connect() as client:
        assert any(changes(client) < 30 for _ in range(10)), threads


def test_quick_calls_stay_on_the_leader() -> None:
    app = Hold()
    with serving(app, threads=8) as server, server.connect() as client:
        for _ in range(300):
            assert client.ask(head("GET", "/quick")).body == b"/quick"
        assert server.thread.ident not in app.threads, "the calling thread only waits"
    changes = sum(before != after for before, after in zip(app.threads, app.threads[1:], strict=False))
    # The lead moves only when a call is held up for a millisecond, as a busy machine may do now and then.
    assert changes < 100


def test_the_date_is_right_after_a_call_during_which_nothing_else_happened() -> None:
    """RFC 9110 section 6.6.1: the time at which the message was made."""
    app = Hold()
    with serving(app) as server:
        (client,) = ask_all(server, ["/hold"])
        until(lambda: app.now == 1, "the call has begun")
        began = time.time()
        until(lambda: time.time() > began + 2.2, "time passes")
        app.permits.release()
        date = client.read_answer().one("Date")
        assert date and parsedate_to_datetime(date).timestamp() > began
        client.close()


def test_a_slow_call_holds_nobody_up() -> None:
    released = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/release":
            released.set()
            return [b"done"]
        return [b"released" if released.wait(PATIENCE) else b"held up"]

    with serving(app, threads=2) as server:
        waiting = ask_all(server, ["/wait"])
        assert server.get("/release").body == b"done"
        assert answers(waiting) == [b"released"]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_calls_at_once_and_the_queue(threads: int) -> None:
    app = Hold()
    with serving(app, threads=threads) as server:
        running = ask_all(server, [f"/hold/{number}" for number in range(threads)])
        until(lambda: app.now == threads, "all threads are in a call")
        waiting = ask_all(server, ["/hold/a", "/hold/b", "/quick"])
        until(lambda: server.worker.crew.queued == 3, "three requests wait for a thread")
        # What needs no call goes on.
        with server.connect() as client:
            assert client.ask(b"no request\r\n\r\n").status == 400
        assert (app.now, app.most) == (threads, threads)
        app.permits.release()
        until(lambda: "/hold/a" in app.begun, "a thread has become free and takes the first that waits")
        assert "/hold/b" not in app.begun
        for _ in range(threads + 1):
            app.permits.release()
        assert sorted(answers(running)) == sorted(f"/hold/{number}".encode() for number in range(threads))
        assert answers(waiting) == [b"/hold/a", b"/hold/b", b"/quick"]
        assert server.get("/quick").body == b"/quick"
    assert app.most == threads
    assert len(app.begun) == threads + 4


def test_a_request_that_waits_may_lose_its_client() -> None:
    app = Hold()
    with serving(app, threads=1) as server:
        running = ask_all(server, ["/hold"])
        until(lambda: app.now == 1, "the thread is in a call")
        for client in ask_all(server, ["/hold/left"] * 3):
            client.close()
        until(lambda: server.worker.crew.queued == 3, "three requests wait")
        for _ in range(4):
            app.permits.release()
        assert answers(running) == [b"/hold"]
        assert server.get("/quick").body == b"/quick"


def test_one_thread_is_the_calling_thread() -> None:
    """Always, while the other thread accepts, reads and refuses."""
    app = Hold()
    with serving(app, threads=1) as server:
        for number in range(5):
            running = ask_all(server, ["/hold"])
            until(lambda: app.now == 1, "the call runs")
            waiting = ask_all(server, ["/quick", "/quick"])
            with server.connect() as client:
                assert client.ask(b"no request\r\n\r\n").status == 400
            until(lambda: server.worker.crew.queued == 2, "two requests wait")
            app.permits.release()
            assert answers(running) == [b"/hold"]
            assert answers(waiting) == [b"/quick"] * 2
            for _ in range(number * 10):
                server.get("/quick")
        assert set(app.threads) == {server.thread.ident}
    assert app.most == 1


@pytest.mark.parametrize("threads", [1, 4])
def test_usually_slow_calls_run_without_the_lead(threads: int) -> None:
    leaders: list[bool] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            time.sleep(0.005)
            crew = server.worker.crew
            leader = crew._leader
            leaders.append(leader is not None and leader.thread is threading.current_thread())
        start_response("200 OK", [])
        return [b"."]

    with serving(app, threads=threads) as server, server.connect() as client:
        for _ in range(30):
            client.ask(head("GET", "/slow"))
        assert server.worker.crew.turn.slow, "the lead is handed on before each call"
        # The first come while the average rises, under a lookout that may be late on a busy machine.
        assert not any(leaders[3:]), "whoever is about to be in a call for 5 ms leads no more"
        for _ in range(2000):
            if not server.worker.crew.turn.slow:
                break
            client.ask(head("GET", "/quick"))
        assert not server.worker.crew.turn.slow, "quick calls run on the leader again"


def test_a_connection_has_one_owner_while_the_lead_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second request arrives just when the lead has been handed on and the first call has not begun."""
    app = Hold()
    with serving(app, threads=2) as server, server.connect() as client:
        crew = server.worker.crew
        handed, sent = threading.Event(), threading.Event()
        give_lead = crew.hand_on

        def hand_on() -> None:
            give_lead()
            if not handed.is_set():
                handed.set()
                sent.wait(PATIENCE)

        monkeypatch.setattr(crew, "_doze_off", lambda me: False)
        assert client.ask(head("GET", "/before")).body == b"/before"
        assert crew.turn.watched
        monkeypatch.setattr(crew, "hand_on", hand_on)
        monkeypatch.setattr(crew.habit, "ended_beside", lambda since, own, process: None)
        crew.turn.slow = True
        client.send(head("GET", "/first"))
        assert handed.wait(PATIENCE)
        (connection,) = server.worker.connections
        client.send(head("GET", "/second"))
        # The new leader either leaves the connection alone, or wrongly begins the second request.
        until(lambda: not connection._mask or "/second" in app.begun, "the new leader has seen it")
        sent.set()
        assert [client.read_answer().body for _ in range(2)] == [b"/first", b"/second"]
        assert app.begun == ["/before", "/first", "/second"]


class Mixed:
    """Counts each call by the identity its request carries; every kind of answer and length of call."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.calls: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.now = 0
        self.most = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        _, kind, identity = environ["PATH_INFO"].split("/")
        with self.lock:
            self.calls[identity] += 1
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if kind == "slow":
                time.sleep(0.003)
            elif kind == "busy":
                sum(range(30_000))
            body = identity.encode() + environ["wsgi.input"].read()
        finally:
            with self.lock:
                self.now -= 1
        start_response("200 OK", [])
        return self.stream(body, identity) if kind == "stream" else [body]

    def stream(self, body: bytes, identity: str) -> Iterator[bytes]:
        try:
            yield body
            time.sleep(0.001)
            yield body
        finally:
            with self.lock:
                self.closed[identity] += 1


def exchange(client: Client, rng: random.Random, identities: list[str]) -> None:
    """Some requests at once, then their answers, each its own and in order."""
    batch: list[tuple[bytes, bytes]] = []
    for identity in identities:
        kind = rng.choice(["quick", "quick", "quick", "slow", "busy", "stream"])
        body = b"." * rng.choice([0, 0, 1, 70_000]) if rng.random() < 0.3 else b""
        request = head("POST", f"/{kind}/{identity}", length=len(body)) + body
        batch.append((request, (identity.encode() + body) * (2 if kind == "stream" else 1)))
    client.send(b"".join(request for request, _ in batch))
    for _, expected in batch:
        assert client.read_answer("POST").body == expected


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_under_stress_every_request_is_answered_once(threads: int) -> None:
    app = Mixed()
    asked: list[list[str]] = [[] for _ in range(12)]
    failures: list[BaseException] = []

    def customer(server: Server, name: int, end: float) -> None:
        rng = random.Random(name)
        mine = asked[name]
        try:
            while time.monotonic() < end:
                with server.connect() as client:
                    for _ in range(rng.randrange(1, 8)):
                        identities = [f"{name}-{len(mine) + at}" for at in range(rng.choice([1, 1, 1, 4]))]
                        mine += identities
                        exchange(client, rng, identities)
        except BaseException as error:
            failures.append(error)

    with serving(app, threads=threads) as server:
        end = time.monotonic() + 1.0
        customers = [
            threading.Thread(target=customer, args=(server, name, end)) for name in range(len(asked))
        ]
        for thread in customers:
            thread.start()
        for thread in customers:
            thread.join(PATIENCE)
        assert not failures
        assert server.log == ""
    every = [identity for identities in asked for identity in identities]
    assert app.calls == Counter(every)
    assert set(app.closed.values()) <= {1}
    assert app.most <= threads
