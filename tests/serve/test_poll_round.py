"""serve/poll_round.py: requests are taken in groups while there is a queue, and nobody waits for a slow call."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import pytest

from pronghorn.http.limits import Limits
from pronghorn.net.transport import Transport
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.outbox import Outbox
from pronghorn.serve.phases import BODY, FLUSH
from pronghorn.serve.poll_round import FEW, HOLD, LASTING, MANY, MOST, PollRound
from pronghorn.serve.worker import Worker
from tests.serve.process import connected
from tests.serve.test_kept_answers import kept
from tests.serving import PATIENCE, Client, Server, head, serving, until

LARGE = 2340
"""Times `/large`: an answer of nearly 16 KiB, more than both sockets take."""


# Groups


@pytest.mark.parametrize(
    ("ready", "seconds", "size"),
    [
        (FEW - 1, LASTING * 2, 0),
        (FEW, LASTING * 2, MOST),
        (MANY, LASTING / 2, 0),
        (MANY + 1, LASTING / 2, MOST),
        (64, HOLD / MOST / 2, MOST),
        (FEW, HOLD / 1.5, 0),
        (12, HOLD / 3, 3),
        (32, HOLD / 3, 8),  # a quarter of the round
        (64, HOLD / 3, 12),  # HOLD_MOST
        (64, HOLD * 0.99, 4),
        (64, HOLD, 0),
        (64, HOLD * 2, 0),
    ],
)
def test_so_many_requests_are_a_group(ready: int, seconds: float, size: int) -> None:
    answered: list[Outbox] = []
    poll_round = PollRound(answered)
    poll_round.targets += [None] * ready
    poll_round.seconds = seconds
    events = [(fd, 1) for fd in range(ready)]
    poll_round.begin(events)
    assert poll_round.grouped is (size > 0)
    seen = list(poll_round.events)
    assert len(seen) == (0 if size else ready)
    sizes = []
    while poll_round.grouped and poll_round.next_group():
        group = list(poll_round.events)
        sizes.append(len(group))
        seen += group
    assert seen == events
    assert sizes == ([min(size, ready - at) for at in range(0, ready, size)] if size else [])


def test_answers_leave_when_the_group_has_ended() -> None:
    answered: list[Outbox] = []
    poll_round = PollRound(answered)
    poll_round.targets += [None] * (2 * MOST + 4)
    poll_round.seconds = LASTING * 2
    poll_round.begin([(fd, 1) for fd in range(2 * MOST + 4)])
    for size in (MOST, MOST, 4):
        assert poll_round.next_group()
        desks = [kept() for _ in range(size)]
        answered += [desk.outbox for desk in desks]
        assert not any(desk.wire.sends for desk in desks)
    assert not poll_round.next_group()
    assert all(desk.wire.sends == 1 for desk in desks)
    assert not answered


def test_each_round_begins_anew() -> None:
    poll_round = PollRound([])
    poll_round.targets += [None] * 20
    poll_round.seconds = LASTING * 2
    for count in (20, 20, 1, 20):
        events = [(fd, 1) for fd in range(count)]
        poll_round.begin(events)
        assert poll_round.grouped is (count > 1)
        seen = list(poll_round.events)
        while poll_round.grouped and poll_round.next_group():
            seen += poll_round.events
        assert seen == events
        assert not poll_round.grouped, "what comes now belongs to no group"


def test_what_a_call_took_is_an_average_of_the_last_round(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def poll(self, timeout: float) -> list[tuple[int, int]]:
            return []

    worker = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    worker.poller.close()
    worker.poller = Silent()  # type: ignore[assignment]
    worker.clock.now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: 100.02)
    worker.turn.calls += 4
    worker._poll()
    assert worker.round.seconds == pytest.approx(0.005)
    worker._poll()
    assert worker.round.seconds == pytest.approx(0.005), "of the last round with any"
    worker._bell.close()


def test_until_a_round_has_been_measured_there_are_no_groups() -> None:
    poll_round = PollRound([])
    poll_round.begin([(0, 1)] * 64)
    assert not poll_round.grouped


# In a worker


class Site:
    """An application that notes whether answers were kept while it ran; `stuck` waits for `go`."""

    def __init__(self) -> None:
        self.grouped: list[bool] = []
        self.kept: list[int] = []
        """Answers that waited, and requests that were received, while it ran."""
        self.fetched: list[int] = []
        self.stuck = threading.Event()
        self.go = threading.Event()
        self.server: Server | None = None
        self.between: Any = None
        """Called by the request for `/between`."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        if self.server is not None:
            worker = self.server.worker
            self.grouped.append(worker.round.grouped)
            self.kept.append(len(worker.answered))
            self.fetched.append(sum(each._fetched is not None for each in list(worker.connections)))
        body: bytes = environ["wsgi.input"].read()
        content = body or path.encode() * (LARGE if path == "/large" else 1)
        start_response("200 OK", [("Content-Length", str(len(content)))])
        if path == "/stuck":
            self._wait()
        if path == "/between":
            self.between()
        return Behind(content, self._wait) if path == "/behind" else [content]

    def _wait(self) -> None:
        self.stuck.set()
        self.go.wait(PATIENCE)


class Behind:
    """An answer of one block, behind which something takes long."""

    def __init__(self, content: bytes, then: Any) -> None:
        self._content = content
        self._then = then

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        self._then()


def hold_up(worker: Worker) -> threading.Event:
    """The leader waits, until the event that is returned."""
    waits, ready = threading.Event(), threading.Event()

    def wait() -> None:
        waits.set()
        ready.wait(PATIENCE)

    worker.ask(wait)
    assert waits.wait(PATIENCE)
    return ready


@contextmanager
def queue(
    site: Site,
    paths: list[str],
    small: bool = False,
    newcomer: str = "",
    prepare: Callable[[Worker, list[Client]], None] | None = None,
    **options: Any,
) -> Iterator[list[Client]]:
    """Clients whose requests are ready in one round.

    small: sockets take less than 16 KiB. newcomer: what one more, the last, asks for when it connects in
    that round; it sends no more. prepare: called while the leader waits.
    """
    with serving(site, **options) as server, ExitStack() as stack:
        stack.callback(site.go.set)
        worker = server.worker
        if small:
            server.listeners[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        clients = [stack.enter_context(connected(server.port, 4096 if small else 0)) for _ in paths]

        for client in clients:
            client.ask(head("GET", "/first"))
        ready = hold_up(worker)
        worker.round.seconds = 2 * LASTING
        for client, path in zip(clients, paths, strict=True):
            client.send(head("GET", path))
        if newcomer:
            clients.append(stack.enter_context(connected(server.port, 4096 if small else 0)))
            clients[-1].send(head("GET", newcomer))
            clients[-1].finish_sending()
        if prepare is not None:
            prepare(worker, clients)
        site.server = server
        ready.set()
        yield clients


class Faulty(Transport):
    """Fails to receive, once, for a reason of the server's own."""

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.failed = False

    def recv(self, size: int) -> bytes:
        if not self.failed:
            self.failed = True
            raise MemoryError
        data: bytes = self.sock.recv(size)
        return data

    def send(self, data: Any) -> int:
        count: int = self.sock.send(data)
        return count

    def close(self) -> None:
        self.sock.close()


NAMES = ["/0", "/1", "/2", "/3", "/4", "/5"]


@pytest.mark.parametrize("options", [{}, {"threads": 1}, {"request_timeout": 5.0}], ids=str)
def test_each_client_has_its_own_answer(options: dict[str, Any]) -> None:
    site = Site()
    with queue(site, NAMES, **options) as clients:
        assert [client.read_answer().body.decode() for client in clients] == NAMES
        assert any(site.grouped)
        assert clients[0].ask(head("GET", "/again")).body == b"/again"


def test_a_group_is_received_and_then_called_and_then_answered() -> None:
    site = Site()
    paths = [f"/{number}" for number in range(MOST + 2)]
    with queue(site, paths) as clients:
        assert [client.read_answer().body.decode() for client in clients] == paths
        # The lookout may take the lead in between, and send what is kept.
        assert all(now in (0, before + 1) for before, now in pairwise([-1, *site.kept]))
        assert 1 < max(site.kept) < MOST
        assert 1 < max(site.fetched) < MOST


def test_pipelined_requests_of_a_group_are_answered_in_order() -> None:
    site = Site()

    def prepare(_: Worker, clients: list[Client]) -> None:
        for client in clients:
            client.send(head("GET", "/next") + head("GET", "/last"))

    with queue(site, NAMES, prepare=prepare) as clients:
        for client, name in zip(clients, NAMES, strict=True):
            bodies = [client.read_answer().body.decode() for _ in range(3)]
            assert bodies == [name, "/next", "/last"]


def test_a_connection_that_comes_with_its_request_belongs_to_no_group() -> None:
    """It may have sent all that it will send, which must not end it before its answer has left."""
    site = Site()
    with queue(site, NAMES, small=True, newcomer="/large") as clients:
        newcomer = clients.pop()
        assert newcomer.read_answer().body == b"/large" * LARGE
        assert [client.read_answer().body.decode() for client in clients] == NAMES
        assert any(site.grouped)


def test_a_defect_while_a_group_is_received_costs_nobody_its_answer() -> None:
    site = Site()

    def prepare(worker: Worker, clients: list[Client]) -> None:
        second = clients[1].socket.getsockname()
        (connection,) = (each for each in worker.connections if each.exchange.peer == second)
        connection._transport = Faulty(connection._sock)

    paths = [f"/{number}" for number in range(MOST + 2)]
    with queue(site, paths, prepare=prepare) as clients:
        assert [client.read_answer().body.decode() for client in clients] == paths
        assert site.server is not None
        assert "defect in the server" in site.server.log


def test_what_one_client_alone_asks_for_is_not_kept() -> None:
    site = Site()
    with queue(site, NAMES[:1]) as (client,):
        assert client.read_answer().body == b"/0"
        assert site.grouped == [False]


@pytest.mark.parametrize("path", ["/stuck", "/behind"])
@pytest.mark.parametrize("options", [{"threads": 4}, {"threads": 4, "request_timeout": 5.0}], ids=str)
def test_nobody_waits_for_a_call_that_is_slow(path: str, options: dict[str, Any]) -> None:
    """Nor for what an application does behind its answer."""
    site = Site()
    with queue(site, [*NAMES[:3], path, *NAMES[3:]], **options) as clients:
        assert site.stuck.wait(PATIENCE)
        slow = clients.pop(3)
        assert [client.read_answer().body.decode() for client in clients] == NAMES
        assert any(site.grouped)
        if path == "/behind":
            assert slow.read_answer().body == b"/behind"
        assert not site.go.is_set()
        site.go.set()
        if path == "/stuck":
            assert slow.read_answer().body == b"/stuck"
        assert slow.ask(head("GET", "/again")).body == b"/again"


def test_who_takes_the_lead_sends_what_was_kept_before_it_goes_on() -> None:
    site = Site()
    seen: list[bytes] = []
    with queue(site, ["/0", "/stuck", "/between", "/3"], threads=4) as clients:
        first = clients[0].socket
        first.setblocking(False)
        site.between = lambda: seen.append(first.recv(1, socket.MSG_PEEK))
        assert clients[2].read_answer().body == b"/between"
        assert seen == [b"H"]


def test_what_comes_of_a_body_in_a_group_is_the_bodys() -> None:
    site = Site()
    with queue(site, NAMES) as clients:
        for client in clients:
            client.read_answer()
            client.send(head("POST", "/body", length=2))
        assert site.server is not None
        worker = site.server.worker
        until(lambda: all(each.phase is BODY for each in list(worker.connections)), "all bodies are expected")
        for octets in (b"a", b"b"):
            ready = hold_up(worker)
            worker.round.seconds = 2 * LASTING
            for client in clients:
                client.send(octets)
            ready.set()
        assert [client.read_answer("POST").body for client in clients] == [b"ab"] * len(NAMES)


def test_requests_that_waited_for_the_only_thread_are_answered() -> None:
    site = Site()
    with queue(site, ["/0", "/stuck", "/1", "/2", "/3"], threads=1) as clients:
        assert site.stuck.wait(PATIENCE)
        assert clients[0].read_answer().body == b"/0", "it has its answer before"
        site.go.set()
        answers = [client.read_answer().body for client in clients[1:]]
        assert answers == [b"/stuck", b"/1", b"/2", b"/3"]


def test_a_client_that_has_left_meanwhile_is_forgotten() -> None:
    site = Site()
    with queue(site, ["/0", "/1", "/between", "/3", "/4"]) as clients:

        def leave() -> None:
            clients[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            clients[0].close()

        site.between = leave
        bodies = [client.read_answer().body for client in clients[1:]]
        assert bodies == [b"/1", b"/between", b"/3", b"/4"]
        assert any(site.grouped)
        assert site.server is not None
        connections = site.server.worker.connections
        until(lambda: len(connections) == 4, "the connection is forgotten")
        assert "defect" not in site.server.log


def test_an_answer_that_its_socket_does_not_take_is_flushed() -> None:
    site = Site()
    with queue(site, ["/large"] * 5, small=True) as clients:
        assert site.server is not None
        connections = site.server.worker.connections
        until(lambda: any(each.phase is FLUSH for each in list(connections)), "an answer waits")
        assert any(site.grouped)
        for client in clients:
            assert client.read_answer().body == b"/large" * LARGE
        assert clients[0].ask(head("GET", "/again")).body == b"/again"
