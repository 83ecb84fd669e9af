"""Answers that come bit by bit, and answers that must not wait for each other."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.limits import Limits
from pronghorn.http.response import ResponseHead
from pronghorn.net.transport import TlsTransport
from pronghorn.serve.clock import Clock
from pronghorn.serve.h1_exchange import H1Exchange, Persistence
from pronghorn.serve.outbox import Held, Outbox
from pronghorn.serve.streams import Streams
from tests.serving import PATIENCE, head, serving, until
from tests.wsgi.answers import Body, wait

PROMPTLY = 0.08
"""Seconds from a block's yield to its arrival; the design wants 0.02, a busy machine may not."""


def clockwork(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
    """Blocks that say when they were yielded."""
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for _ in range(5):
        yield repr(time.monotonic()).encode() + b"\n"
        time.sleep(0.1)


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_each_block_arrives_when_it_is_yielded(threads: int, version: str) -> None:
    with serving(clockwork, threads=threads) as server, server.connect() as client:
        client.send(head("GET", "/", version=version))
        client.read_until(b"\r\n\r\n")
        delays = []
        for _ in range(5):
            line = client.read_until(b".")
            line = line.rpartition(b"\n")[2] + client.read_until(b"\n")
            delays.append(time.monotonic() - float(line))
    # One stall of the machine is no fault of the server's: most blocks must be prompt, and none late.
    assert sorted(delays)[-2] < PROMPTLY, delays
    assert max(delays) < 1.0


def test_a_block_is_with_the_client_before_the_next_is_made() -> None:
    """PEP 3333, "Buffering and Streaming": the generator goes on only when the client has the block."""
    arrived = threading.Semaphore(0)

    def app(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        for number in range(5):
            yield b"block %d." % number
            assert arrived.acquire(timeout=PATIENCE), "the client has not got it"

    with serving(app, threads=1) as server, server.connect() as client:
        client.send(head("GET", "/"))
        client.read_until(b"\r\n\r\n")
        for number in range(5):
            assert client.read_until(b".").endswith(b"block %d." % number)
            arrived.release()
        assert client.read_until(b"0\r\n\r\n")


def test_write_is_immediate() -> None:
    arrived = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"first.")
        return [b"in time" if arrived.wait(PATIENCE) else b"too late"]

    with serving(app, threads=1) as server, server.connect() as client:
        client.send(head("GET", "/"))
        client.read_until(b"first.")
        arrived.set()
        assert b"in time" in client.read_until(b"0\r\n\r\n")


def test_early_hints_arrive_before_the_answer_is_made() -> None:
    """RFC 8297."""
    arrived = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload; as=style")])
        in_time = arrived.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"in time" if in_time else b"too late"]

    with serving(app, threads=2) as server, server.connect() as client:
        client.send(head("GET", "/"))
        hints = client.read_until(b"\r\n\r\n")
        assert hints == b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"
        arrived.set()
        assert client.read_answer().body == b"in time"
        arrived.clear()
        client.send(head("GET", "/", version="1.0"))
        arrived.set()
        assert client.read_answer().interim == [], "HTTP/1.0 knows none (RFC 9110 section 15.2)"


# Pipelining


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path = environ["PATH_INFO"]
    if path.endswith("/slow"):
        time.sleep(0.002)
    start_response("200 OK", [])
    return iter([path.encode(), b"!"]) if path.endswith("/stream") else [path.encode(), b"!"]


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_pipelined_answers_come_in_order(threads: int) -> None:
    paths = [f"/{number}/{('quick', 'slow', 'quick', 'stream')[number % 4]}" for number in range(100)]
    with serving(echo, threads=threads) as server, server.connect() as client:
        client.send(b"".join(head("GET", path) for path in paths))
        assert [client.read_answer().body.decode() for _ in paths] == [f"{path}!" for path in paths]


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("usually_slow", [False, True])
def test_a_slow_request_does_not_hold_back_the_answers_before_it(threads: int, usually_slow: bool) -> None:
    go = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/3":
            go.wait(PATIENCE)
        elif path == "/slow":
            time.sleep(0.005)
        start_response("200 OK", [])
        return [path.encode()]

    with serving(app, threads=threads) as server, server.connect() as client:
        if usually_slow:
            for _ in range(20):
                client.ask(head("GET", "/slow"))
        client.send(b"".join(head("GET", f"/{number}") for number in range(1, 6)))
        client.socket.settimeout(PATIENCE / 2)
        assert [client.read_answer().body for _ in range(2)] == [b"/1", b"/2"]
        go.set()
        assert [client.read_answer().body for _ in range(3)] == [b"/3", b"/4", b"/5"]


def _failing() -> Iterator[bytes]:
    raise ValueError
    yield b""


BEHIND: dict[str, tuple[bytes, Callable[[Any, Callable[[], None]], Any]]] = {
    "generator": (
        b"early",
        lambda write, work: (b"early" if number == 0 else work() or b"" for number in (0, 1)),
    ),
    "close": (b"early", lambda write, work: Body([b"early"], work)),
    "write": (b"early", lambda write, work: write(b"early") or work() or []),
    "nothing, then close": (b"", lambda write, work: Body([], work)),
    "error, then close": (b"500", lambda write, work: Body(_failing(), work)),
}


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("kind", BEHIND)
def test_no_answer_waits_for_what_its_call_does_behind_it(kind: str, threads: int) -> None:
    """PEP 3333, "Buffering and Streaming": pipelined, and in a call that has lost the lead."""
    content, result = BEHIND[kind]
    arrived = threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/next":
            start_response("200 OK", [])
            return [b"next"]
        until(lambda: server.worker.crew.leader.ident != threading.get_ident(), "another thread leads")
        write = start_response("200 OK", [("Content-Length", str(len(content)))])
        answer: Iterable[bytes] = result(write, lambda: wait(arrived))
        return answer

    with serving(app, threads=threads) as server, server.connect() as client:
        client.socket.settimeout(PATIENCE / 2)
        client.send(head("GET", "/") + head("GET", "/next"))
        assert client.read_answer().body.startswith(content)
        arrived.set()
        assert client.read_answer().body == b"next"


def test_a_queued_request_does_not_hold_back_the_answers_before_it() -> None:
    """The third must wait for a thread, which another connection's call has."""
    go = threading.Event()
    begun: list[str] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/hold":
            go.wait(PATIENCE)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    with serving(app, threads=1) as server, server.connect() as other, server.connect() as client:
        other.send(head("GET", "/hold"))
        until(lambda: begun == ["/hold"], "the only thread is taken")
        client.send(head("GET", "/1") + b"nonsense\r\n\r\n")
        until(lambda: server.worker.crew.queued == 1, "the first waits")
        go.set()
        assert client.read_answer().body == b"/1"
        assert client.read_answer().status == 400
        assert other.read_answer().body == b"/hold"


def test_an_answer_that_never_began_is_not_told_as_the_stream_before_it() -> None:
    told: list[tuple[Any, int]] = []
    log = logging.getLogger("pronghorn.error")
    h1 = H1Connection(Limits())
    request = h1.receive(head("GET", "/"))
    transport: Any = TlsTransport(SimpleNamespace(send=len))  # takes everything
    outbox = Outbox(transport, lambda: None, lambda: False, Held(), Streams(log))
    exchange = H1Exchange(
        h1, outbox, Clock(), Persistence(True), None, lambda _, head, sent: told.append((head, sent))
    )
    assert request is not None
    exchange.request = request
    answer = ResponseHead("200 OK", [])
    exchange.begin(answer, None)
    exchange.send(b"hello")
    exchange.end()
    exchange.abort()
    assert told == [(answer, 5), (None, 0)]
