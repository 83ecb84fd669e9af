"""Clients that are slow, stalled or gone: each has its time, none has a thread, and none spoils the rest."""

import resource
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pronghorn.observe.access import AccessLog
from tests.serve.process import connected, process
from tests.serving import PATIENCE, Client, CutOff, Server, head, serving, until
from tests.wsgi.answers import hello

LATE = 1.5
"""Seconds that a time limit may be late on a busy machine; the server's own resolution is 0.05."""

BIG = 20 << 20
"""Octets: more than both sockets' buffers on loopback."""


class Downloads:
    """Answers that no socket takes at once, and a count of their close() calls."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.produced = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        start_response("200 OK", [])
        if path == "/list":
            return [bytes(BIG)]
        if path == "/generator":
            return Blocks(self, path, BIG // 65536)
        if path == "/endless":
            return Blocks(self, path, 1 << 40)
        if path == "/file":
            return environ["wsgi.file_wrapper"](open(self.file, "rb"))  # type: ignore[no-any-return]
        return [b"quick"]

    file = ""


class Blocks:
    def __init__(self, app: Downloads, path: str, count: int) -> None:
        self._app = app
        self._path = path
        self._left = count

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        self._left -= 1
        self._app.produced += 1
        return bytes(65536)

    def close(self) -> None:
        self._app.closed.append(self._path)


def quick(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"quick" + environ["wsgi.input"].read()]


def reset(client: Client) -> None:
    """Leave at once, with RST."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def assert_between(seconds: float, least: float) -> None:
    assert least <= seconds <= least + LATE, f"after {seconds:.2f} s"


# Time limits


@pytest.mark.parametrize("before", [b"", head("GET", "/")], ids=["first", "kept-alive"])
def test_head_timeout_is_for_the_whole_head(before: bytes) -> None:
    """Each byte arrives soon after the one before it, the head never does: 408."""
    with serving(quick, head_timeout=0.5, keep_alive=PATIENCE) as server, server.connect() as client:
        if before:
            assert client.ask(before).status == 200
        client.send(b"GET / HTTP/1.1\r\nX: ")
        began = time.monotonic()
        client.socket.settimeout(0.05)
        while True:
            try:
                client.buffer += client.socket.recv(65536)
                break
            except TimeoutError:
                assert time.monotonic() - began < 0.5 + LATE, "each byte moves the deadline on"
                client.send(b"x")
        assert_between(time.monotonic() - began, 0.4)
        client.socket.settimeout(PATIENCE)
        answer = client.read_answer()
        assert answer.status == 408
        assert answer.closes


def test_head_timeout_of_a_pipelined_head() -> None:
    """It began to arrive together with the request before it."""
    with serving(quick, head_timeout=0.3, keep_alive=PATIENCE) as server, server.connect() as client:
        began = time.monotonic()
        assert client.ask(head("GET", "/") + b"GET /second").status == 200
        assert client.read_answer().status == 408
        assert_between(time.monotonic() - began, 0.25)
        client.assert_end()


def test_a_connection_that_never_says_anything() -> None:
    with serving(quick, head_timeout=0.3) as server, server.connect() as client:
        began = time.monotonic()
        client.assert_end()
        assert_between(time.monotonic() - began, 0.25)


def test_idle_timeout_is_a_plain_close() -> None:
    with serving(quick, keep_alive=0.3) as server, server.connect() as client:
        assert not client.ask(head("GET", "/")).closes
        began = time.monotonic()
        client.assert_end()
        assert_between(time.monotonic() - began, 0.25)
        assert server.log == ""


def test_a_head_in_time_after_long_idling() -> None:
    """The idle limit does not run while a head arrives, nor the head's while idle."""
    with serving(quick, keep_alive=0.5, head_timeout=5.0) as server, server.connect() as client:
        assert client.ask(head("GET", "/")).status == 200
        request = head("GET", "/")
        client.send(request[:5])
        client.socket.settimeout(0.8)
        with pytest.raises(TimeoutError):
            client.socket.recv(1)
        client.socket.settimeout(PATIENCE)
        assert client.ask(request[5:], method="GET").body == b"quick"


def test_keep_alive_0_closes_after_each_answer() -> None:
    with serving(quick, keep_alive=0) as server, server.connect() as client:
        assert client.ask(head("GET", "/")).closes
        client.assert_end()


@pytest.mark.parametrize("size", [10, 200_000, 2_000_000], ids=["small", "in memory", "spooled"])
def test_body_timeout(size: int) -> None:
    with serving(quick, body_timeout=0.3) as server, server.connect() as client:
        began = time.monotonic()
        client.send(head("POST", "/", length=size) + bytes(size - 1))
        answer = client.read_answer("POST")
        assert_between(time.monotonic() - began, 0.25)
        assert answer.status == 408
        assert answer.closes
        client.assert_end()


def test_a_body_that_keeps_moving_is_waited_for() -> None:
    with serving(quick, body_timeout=0.4) as server, server.connect() as client:
        client.send(head("POST", "/", length=6))
        client.socket.settimeout(0.1)
        for byte in (b"a", b"b", b"c", b"d", b"e"):
            with pytest.raises(TimeoutError):
                client.socket.recv(1)
            client.send(byte)
        client.socket.settimeout(PATIENCE)
        client.send(b"f")
        assert client.read_answer("POST").body == b"quickabcdef"


@pytest.mark.parametrize("path", ["/generator", "/endless", "/list", "/file"])
@pytest.mark.parametrize("threads", [1, 4])
def test_write_timeout_ends_what_nobody_reads(path: str, threads: int, tmp_path: Any) -> None:
    app = Downloads()
    app.file = str(tmp_path / "big")
    with open(app.file, "wb") as file:
        file.truncate(BIG)
    with serving(app, threads=threads, write_timeout=0.4) as server, server.connect() as client:
        client.send(head("GET", path))
        until(lambda: len(server.worker.connections) == 1, "the connection is accepted")
        began = time.monotonic()
        until(lambda: not server.worker.connections, "the client is given up")
        assert_between(time.monotonic() - began, 0.3)
        assert server.get("/quick").body == b"quick"
        with pytest.raises((CutOff, ConnectionResetError)):
            client.read_answer()
    assert app.closed == ([path] if path in ("/generator", "/endless") else [])


def test_a_client_that_reads_slowly_gets_it_all() -> None:
    """Progress counts, not speed."""
    app = Downloads()
    with serving(app, threads=2, write_timeout=0.4) as server, server.connect() as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
        client.send(head("GET", "/list"))
        client.read_until(b"\r\n\r\n")
        pause = threading.Event()
        received, began = len(client.buffer), time.monotonic()
        while received < BIG:
            if time.monotonic() - began < 0.8:
                pause.wait(0.05)
            received += len(client.socket.recv(1 << 18))
        assert received == BIG


# Threads


def stalled(server: Server, request: bytes, count: int, stack: ExitStack) -> list[Client]:
    clients = []
    for _ in range(count):
        client = stack.enter_context(server.connect())
        client.send(request)
        clients.append(client)
    return clients


def slowest_quick_request(server: Server) -> float:
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert server.get("/quick").body.startswith(b"quick")
        slowest = max(slowest, time.monotonic() - began)
    return slowest


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("path", ["/list", "/generator", "/file"])
def test_slow_readers_hold_no_thread(path: str, threads: int, tmp_path: Any) -> None:
    app = Downloads()
    app.file = str(tmp_path / "big")
    with open(app.file, "wb") as file:
        file.truncate(BIG)
    with serving(app, threads=threads) as server, ExitStack() as stack:
        clients = stalled(server, head("GET", path), 6, stack)
        until(lambda: len(server.worker.connections) == 6, "all are accepted")
        assert slowest_quick_request(server) < 1.0
        for client in clients:
            answer = client.read_answer()
            assert answer.status == 200
            assert len(answer.body) == BIG
        assert server.get("/quick").body == b"quick"
    assert app.closed == (["/generator"] * 6 if path == "/generator" else [])


@pytest.mark.parametrize(
    "request_part",
    [b"GET / HTTP/1.1\r\nHost: x\r\n", head("POST", "/", length=10) + b"abc", b"", b"nonsense\r\n\r\n"],
    ids=["head", "body", "silent", "refused"],
)
def test_stalled_senders_hold_no_thread(request_part: bytes) -> None:
    with serving(quick, threads=2) as server, ExitStack() as stack:
        stalled(server, request_part, 40, stack)
        until(lambda: len(server.worker.connections) >= 40, "all are accepted")
        assert slowest_quick_request(server) < 1.0


# Clients that leave


@pytest.mark.parametrize("leave", [Client.close, reset])
@pytest.mark.parametrize("path", ["/generator", "/endless"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_client_that_leaves_ends_its_answer(
    path: str, threads: int, leave: Callable[[Client], None]
) -> None:
    """PEP 3333: close() is called once, and soon, not after the whole answer was produced."""
    app = Downloads()
    with serving(app, threads=threads) as server:
        client = server.connect()
        client.send(head("GET", path))
        client.read_until(b"\r\n\r\n")
        leave(client)
        until(lambda: bool(app.closed), "close() is called")
        assert server.get("/quick").body == b"quick"
        until(lambda: not server.worker.connections, "nothing is left of it")
        assert app.closed == [path]
        assert server.worker.crew.queued == 0


def test_a_client_that_leaves_during_a_body() -> None:
    with serving(quick, threads=2) as server:
        for size in (10, 200_000, 2_000_000):
            client = server.connect()
            client.send(head("POST", "/", length=size) + bytes(size - 1))
            client.close()
        until(lambda: not server.worker.connections, "nothing is left of them")
        assert server.get("/").body == b"quick"


def test_an_answer_before_a_close_is_not_lost_to_a_reset() -> None:
    """RFC 9112 section 9.6: octets nobody read must not turn the end of the last answer into a RST."""
    begun, go = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        begun.set()
        go.wait(PATIENCE)
        start_response("200 OK", [])
        return [b"last"]

    with serving(app, threads=2) as server, server.connect() as client:
        client.send(head("GET", "/", "Connection: close"))
        assert begun.wait(PATIENCE)
        client.send(head("GET", "/one-too-many"))
        go.set()
        assert client.read_answer().body == b"last"
        client.assert_end()


# Things run short


def test_out_of_descriptors_is_not_the_end() -> None:
    with (
        process(rlimits={resource.RLIMIT_NOFILE: 48}, threads=2, no_defer_accept=True) as server,
        ExitStack() as stack,
    ):
        clients = [stack.enter_context(server.connect()) for _ in range(80)]
        server.wait_for_log("no descriptors left")
        assert clients[0].ask(head("GET", "/quick")).body == b"quick", "whoever is in is served"
        for client in clients[:60]:
            client.close()
        assert server.get("/quick") == b"quick"
        assert clients[-1].ask(head("GET", "/quick")).body == b"quick", "whoever waited is let in"
        before = server.log.count("no descriptors left")
        assert before <= 20, "said with moderation"


FULL = 1_200_000
"""Octets that any one file may have: RLIMIT_FSIZE stands in for a full disk."""


@pytest.mark.parametrize("size", [2_000_000, FULL + 100])
def test_a_full_disk_costs_the_request_that_needs_it(size: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    with process(rlimits={resource.RLIMIT_FSIZE: FULL}, threads=2) as server, server.connect() as client:
        client.send(head("POST", "/digest", length=size) + bytes(size))
        assert client.read_answer("POST").status == 503
        client.assert_end()
        server.wait_for_log("a request body cannot be stored")
        assert server.get("/quick") == b"quick"


def test_a_full_disk_at_the_last_octets() -> None:
    """They stood in a buffer when the body was complete."""
    with process(rlimits={resource.RLIMIT_FSIZE: FULL}, threads=2) as server, server.connect() as client:
        first = FULL - 10
        client.send(head("POST", "/digest", "Transfer-Encoding: chunked"))
        client.send(b"%x\r\n" % first + bytes(first) + b"\r\n")
        client.send(b"%x\r\n" % 100 + bytes(100) + b"\r\n0\r\n\r\n")
        assert client.read_answer("POST").status == 503
        assert "defect" not in server.log
        assert server.get("/quick") == b"quick"


def test_a_full_disk_under_answers_nobody_reads() -> None:
    """They cannot be moved to disk, so their producers wait; they are whole all the same."""
    with process(rlimits={resource.RLIMIT_FSIZE: FULL}, threads=2) as server, ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        for client in clients:
            client.send(head("GET", f"/generator?{BIG}"))
        for client in clients:
            assert len(client.read_answer().body) == BIG
        assert server.get("/quick") == b"quick"


@pytest.mark.parametrize(
    "request_octets",
    [
        head("HEAD", "/x", length=5) + b"ab",
        head("HEAD", "/x", "Transfer-Encoding: chunked") + b"5\r\nab",
        b"HEAD /x HTTP/1.1\r\nHo",
    ],
    ids=["sized", "chunked", "head"],
)
def test_an_incomplete_head_request_gets_no_content(request_octets: bytes, tmp_path: Path) -> None:
    """RFC 9110 section 9.3.2, RFC 9112 section 8."""
    path = tmp_path / "access.log"
    with serving(hello, access=AccessLog(str(path))) as server, server.connect() as client:
        client.send(request_octets)
        client.finish_sending()
        assert client.read_answer("HEAD").status == 400
        client.assert_end()
        until(lambda: path.read_text() != "", "it is logged")
        begun = request_octets.find(b"\r\n\r\n") > 0
        assert ('"HEAD /x HTTP/1.1" 400 0' if begun else '"-" 400 0') in path.read_text()


@pytest.mark.parametrize("size", [3_500_000, 13_000_000], ids=["after the call", "during the call"])
def test_an_answer_without_a_length_that_times_out_does_not_look_complete(size: int) -> None:
    """RFC 9112 section 8: it ends with the connection, so a reset says that it was not all."""
    with process(write_timeout=1) as server, connected(server.port, 4096) as client:
        client.send(head("GET", f"/generator?{size}", version="1.0"))
        client.read_until(b"\r\n\r\n")
        poll = select.poll()
        poll.register(client.socket, select.POLLHUP)
        assert poll.poll(PATIENCE * 1000), (
            "the server gives up, and the client is told while it does not read"
        )
        with pytest.raises(ConnectionResetError):
            client.read_to_end()
