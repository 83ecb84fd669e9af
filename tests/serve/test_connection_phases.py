"""The table MOVES of serve/connection.py holds for whatever real traffic does to a connection."""

import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from pronghorn.serve import worker as worker_module
from pronghorn.serve.connection import Connection
from pronghorn.serve.phases import MOVES, Phase
from tests.serve.process import connected
from tests.serving import PATIENCE, Client, Server, head, serving, until

pytestmark = pytest.mark.source
"""A compiled connection's phase cannot be watched; it is the same source."""

SEEN: set[tuple[Phase, Phase]] = set()
BIG = 8 << 20


class Watched(Connection):
    """A connection that notes each change of its phase, whoever makes it."""

    __slots__ = ()

    @property
    def phase(self) -> Phase:  # type: ignore[override]
        return Connection.phase.__get__(self)  # type: ignore[attr-defined, no-any-return]

    @phase.setter
    def phase(self, after: Phase) -> None:
        try:
            before = self.phase
        except AttributeError:
            before = after
        if before is not after:
            SEEN.add((before, after))
        Connection.phase.__set__(self, after)  # type: ignore[attr-defined]


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path == "/slow":
        threading.Event().wait(0.01)
    start_response("200 OK", [])
    if path == "/list":
        return [bytes(BIG)]
    if path == "/stream":
        return (bytes(65536) for _ in range(BIG // 65536))
    return [b"done"]


def quick(server: Server, client: Client) -> None:
    assert client.ask(head("GET", "/")).status == 200
    assert client.ask(head("GET", "/", "Connection: close")).status == 200


def slow(server: Server, client: Client) -> None:
    for _ in range(30):
        client.ask(head("GET", "/slow"))


def crowd(server: Server, client: Client) -> None:
    clients = [server.connect() for _ in range(6)]
    for one in clients:
        one.send(head("GET", "/slow") + head("POST", "/slow", length=3) + b"abc")
    for one in clients:
        assert [one.read_answer().status for _ in range(2)] == [200, 200]
        one.close()


def body_in_pieces(server: Server, client: Client) -> None:
    for _ in range(3):
        client.send(head("POST", "/", "Expect: 100-continue", length=6))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.send_each([b"abc", b"def"])
        assert client.read_answer("POST").status == 200


def large_answers(server: Server, client: Client) -> None:
    client.send(head("GET", "/list") + head("GET", "/stream") + head("GET", "/list", "Connection: close"))
    for _ in range(3):
        assert len(client.read_answer().body) == BIG


def refused(server: Server, client: Client) -> None:
    assert client.ask(b"GET / HTTP/1.1\r\nBad Field\r\n\r\n").status == 400
    client.assert_end()


def refused_in_body(server: Server, client: Client) -> None:
    client.send(head("POST", "/", "Transfer-Encoding: chunked") + b"2\r\n")
    until(lambda: any(one.phase is Phase.BODY for one in list(server.worker.connections)), "a body")
    client.send(b"abX")
    assert client.read_answer("POST").status == 400


def refused_after_pipelined(server: Server, client: Client) -> None:
    client.send(head("GET", "/") * 3 + b"nonsense\r\n\r\n")
    assert [client.read_answer().status for _ in range(4)] == [200, 200, 200, 400]


def times_out_in_head(server: Server, client: Client) -> None:
    client.send(b"GET / HT")
    assert client.read_answer().status == 408


def times_out_in_body(server: Server, client: Client) -> None:
    client.send(head("POST", "/", length=10) + b"abc")
    assert client.read_answer().status == 408


def times_out_idle(server: Server, client: Client) -> None:
    client.assert_end()


def reset(client: Client) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def leaves(server: Server, client: Client) -> None:
    """In every phase."""
    for request in [
        b"",
        b"GET / HT",
        head("POST", "/", length=10) + b"abc",
        head("GET", "/slow"),
        head("GET", "/list"),
        head("GET", "/stream"),
        b"nonsense\r\n\r\n" + b"more",
    ]:
        for leave in (Client.close, reset):
            one = server.connect()
            one.send(request)
            leave(one)


def leaves_in_the_middle(server: Server, client: Client) -> None:
    for path in ("/list", "/stream"):
        with server.connect() as one:
            one.send(head("GET", path))
            one.read_until(b"\r\n\r\n")
            reset(one)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(worker_module, "Connection", Watched)
    SEEN.clear()
    yield


TRAFFIC = [
    quick,
    slow,
    crowd,
    body_in_pieces,
    large_answers,
    refused,
    refused_in_body,
    refused_after_pipelined,
    times_out_in_head,
    times_out_in_body,
    times_out_idle,
    leaves,
    leaves_in_the_middle,
]


def exercise(server: Server, traffic: Any) -> None:
    with server.connect() as client:
        traffic(server, client)


@pytest.mark.parametrize("threads", [1, 3])
def test_every_move_is_allowed(threads: int) -> None:
    """All kinds of traffic one after the other, then all at once."""
    failures: list[BaseException] = []

    def attempt(traffic: Any) -> None:
        try:
            exercise(server, traffic)
        except BaseException as error:
            failures.append(error)

    limits = {"head_timeout": 0.3, "body_timeout": 0.3, "keep_alive": 0.3, "write_timeout": 5.0}
    with serving(app, threads=threads, **limits) as server:
        for traffic in TRAFFIC:
            exercise(server, traffic)
        at_once = [
            threading.Thread(target=attempt, args=(traffic,))
            for traffic in TRAFFIC
            if not traffic.__name__.startswith("times_out")
            for _ in range(3)
        ]
        for thread in at_once:
            thread.start()
        for thread in at_once:
            thread.join(PATIENCE)
        until(lambda: not server.worker.connections, "all connections are closed")
        assert not failures
        assert "defect" not in server.log
    forbidden = {(before.name, after.name) for before, after in SEEN if after not in MOVES[before]}
    assert not forbidden
    assert {phase for move in SEEN for phase in move} == set(Phase), "the traffic reaches every phase"


def test_the_table_is_whole() -> None:
    assert set(MOVES) == set(Phase)
    assert not MOVES[Phase.CLOSED]
    assert all(Phase.CLOSED in after for phase, after in MOVES.items() if phase is not Phase.CLOSED)


def test_a_body_begins_while_earlier_answers_wait() -> None:
    """The client's socket is full when a body begins: what follows is still that body, not a request."""

    def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.input"].read() or bytes(1000)]

    smuggled = head("GET", "/smuggled")
    with serving(echo, threads=2) as server:
        server.listeners[0].socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        with connected(server.port, receive_buffer=4096) as client:
            client.send(head("GET", "/") * 50 + head("POST", "/", length=len(smuggled)))
            (connection,) = _until_connected(server)
            until(lambda: connection.phase is Phase.FLUSH, "the answers wait for the client")
            assert [len(client.read_answer().body) for _ in range(50)] == [1000] * 50
            client.send(smuggled)
            assert client.read_answer("POST").body == smuggled
    assert all(after in MOVES[before] for before, after in SEEN)


def _until_connected(server: Server) -> list[Connection]:
    until(lambda: len(server.worker.connections) == 1, "the connection is accepted")
    return list(server.worker.connections)
