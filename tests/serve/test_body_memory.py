"""Request bodies in memory: how much of it a worker gives to them, and that it gets it back on every path."""

import gc
import hashlib
import threading
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import pytest

from pronghorn.observe.access import AccessLog
from pronghorn.observe.atoms import COMBINED
from pronghorn.serve.worker import Worker
from pronghorn.wsgi.input import MEMORY_MOST, SMALL, BodyMemory, RequestBody
from tests.serve.apps import digest, octets, process_memory
from tests.serve.overtime import TIMEOUT
from tests.serving import PATIENCE, Client, Server, head, serving, until

SIZE = 300_000
"""Octets: too many for any body, few enough for memory."""


def sums(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()]


def filled(memory: BodyMemory, size: int, length: int | None, step: int = SMALL) -> RequestBody:
    body = RequestBody(memory, length)
    content = b"".join(octets(size))
    for at in range(0, size, step):
        body.write(content[at : at + step])
    return body


# One body


@pytest.mark.parametrize(
    ("size", "length", "room", "takes"),
    [
        (SMALL, SMALL, 0, 0),
        (SMALL, None, 0, 0),
        (SMALL, MEMORY_MOST, MEMORY_MOST, 0),
        (SMALL + 1, SMALL + 1, SMALL + 1, SMALL + 1),
        (SMALL + 1, SMALL + 1, SMALL, None),
        (SMALL + 1, None, MEMORY_MOST, MEMORY_MOST),
        (SMALL + 1, None, MEMORY_MOST - 1, None),
        (MEMORY_MOST, MEMORY_MOST, MEMORY_MOST, MEMORY_MOST),
        (MEMORY_MOST, None, MEMORY_MOST, MEMORY_MOST),
        (MEMORY_MOST + 1, MEMORY_MOST + 1, 1 << 30, None),
        (MEMORY_MOST + 1, None, 1 << 30, None),
    ],
)
def test_where_a_body_goes(size: int, length: int | None, room: int, takes: int | None) -> None:
    """takes: octets of the worker's; None where it goes to disk, and has none at its end."""
    memory = BodyMemory(room)
    body = filled(memory, size, length)
    assert memory.taken == (takes or 0)
    body.complete()
    assert isinstance(body.stream, BytesIO) is (takes is not None)
    assert memory.taken == (takes or 0), "until it is closed"
    assert body.size == size
    assert digest([body.stream.read()]) == digest(octets(size))
    body.close()
    body.close()
    assert memory.taken == 0


def test_what_one_gives_back_another_may_have() -> None:
    memory = BodyMemory(2 * SIZE)
    first, second, third = (filled(memory, SIZE, SIZE) for _ in range(3))
    assert memory.taken == 2 * SIZE
    third.close()
    assert memory.taken == 2 * SIZE, "it was on disk"
    first.close()
    fourth = filled(memory, SIZE, SIZE)
    assert memory.taken == 2 * SIZE
    for body in (second, fourth):
        body.complete()
        assert isinstance(body.stream, BytesIO)


def test_tiny_chunks_cost_little_more_than_their_octets() -> None:
    body = filled(BodyMemory(), 100_000, None, step=1)
    assert len(body._blocks) < 1000
    body.complete()
    assert digest([body.stream.read()]) == digest(octets(100_000))


# Every end


def server_of(app: Callable[..., Any], **options: Any) -> Any:
    return serving(app, threads=2, **options)


def upload(server: Server, client: Client, missing: int = 1) -> None:
    """All but the last octets of a body; returns when the server has them."""
    client.send(head("POST", "/", length=SIZE) + bytes(SIZE - missing))
    until(lambda: server.worker.body_memory.taken == SIZE, "it is in memory")


def all_back(server: Server) -> None:
    until(lambda: server.worker.body_memory.taken == 0, "all memory is given back")


def test_an_answered_request_gives_its_memory_back() -> None:
    with server_of(sums) as server, server.connect() as client:
        for _ in range(2):
            upload(server, client)
            client.send(b"\0")
            assert client.read_answer("POST").body.decode() == digest([bytes(SIZE)])
            all_back(server)


def test_an_application_that_fails_gives_it_back() -> None:
    def fails(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ValueError

    with server_of(fails) as server, server.connect() as client:
        upload(server, client)
        client.send(b"\0")
        assert client.read_answer("POST").status == 500
        all_back(server)


def test_a_client_that_leaves_gives_it_back() -> None:
    with server_of(sums) as server:
        with server.connect() as client:
            upload(server, client)
        all_back(server)


def test_a_client_that_stops_gives_it_back() -> None:
    with server_of(sums, body_timeout=0.2) as server, server.connect() as client:
        upload(server, client)
        assert client.read_answer("POST").status == 408
        all_back(server)


def test_a_refused_body_gives_it_back() -> None:
    with server_of(sums) as server, server.connect() as client:
        client.send(head("POST", "/", "Transfer-Encoding: chunked"))
        client.send(b"%x\r\n" % SIZE + bytes(SIZE))
        until(lambda: server.worker.body_memory.taken == MEMORY_MOST, "it may become 1 MiB")
        client.send(b"nonsense")
        assert client.read_answer("POST").status == 400
        all_back(server)


def test_a_call_that_is_seized_gives_it_back_when_it_ends() -> None:
    begun, go = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.set()
        try:
            go.wait(PATIENCE)
        finally:
            go.wait(PATIENCE)
        return sums(environ, start_response)

    with server_of(app, request_timeout=TIMEOUT) as server, server.connect() as client:
        upload(server, client)
        client.send(b"\0")
        assert begun.wait(PATIENCE)
        assert client.read_answer("POST").status == 504
        assert server.worker.body_memory.taken == SIZE, "the application may still read"
        go.set()
        all_back(server)


def test_a_drain_that_cuts_gives_it_back() -> None:
    with server_of(sums) as server, server.connect() as client:
        upload(server, client)
        server.worker.stop(graceful=False)
        all_back(server)


# Behind the call


@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.parametrize("format", ["", COMBINED, "%({x}e)s"])
@pytest.mark.parametrize("timeout", [0, PATIENCE])
@pytest.mark.parametrize("size", [1000, SIZE])
def test_a_body_is_gone_with_its_call(size: int, timeout: float, format: str, kind: Any) -> None:
    """Also where somebody is told of each exchange, and the next body is slow to come."""
    inputs: list[weakref.ref[Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        inputs.append(weakref.ref(environ["wsgi.input"]))
        return kind(sums(environ, start_response))

    access = AccessLog("/dev/null", format) if format else None
    with server_of(app, access=access, request_timeout=timeout) as server, server.connect() as client:
        client.send(head("POST", "/", length=size) + bytes(size))
        assert client.read_answer("POST").body.decode() == digest([bytes(size)])
        client.send(head("POST", "/", length=SIZE) + b"\0")
        until(lambda: inputs[0]() is None, "it is gone")


@pytest.mark.parametrize("observed", [False, True])
def test_who_keeps_the_environ_does_not_keep_the_body(observed: bool) -> None:
    kept: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        kept.append(environ)
        return sums(environ, start_response)

    access = AccessLog("/dev/null") if observed else None
    with server_of(app, access=access) as server, server.connect() as client:
        upload(server, client)
        client.send(b"\0")
        assert client.read_answer("POST").status == 200
        until(lambda: kept[0]["wsgi.input"].closed, "its octets are given back")
        all_back(server)


def test_a_view_of_a_body_outlives_it() -> None:
    """io.BytesIO.getbuffer(): such an object cannot be closed, which must cost nobody anything."""
    views: list[memoryview] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        views.append(environ["wsgi.input"].getbuffer())
        return sums(environ, start_response)

    with server_of(app) as server, server.connect() as client:
        for _ in range(2):
            upload(server, client)
            client.send(b"\0")
            assert client.read_answer("POST").status == 200
            all_back(server)
        assert views[0] == bytes(SIZE)
        assert "defect" not in server.log


# Many


def test_many_large_bodies_share_what_there_is() -> None:
    """The rest of them is on disk; all are whole."""
    room, count, size = 8 << 20, 100, 1 << 20

    def prepare(worker: Worker) -> None:
        worker.body_memory = BodyMemory(room)

    content = b"".join(octets(size))
    with serving(sums, threads=2, prepare=prepare) as server, ExitStack() as stack:
        gc.collect()
        before = process_memory()["VmRSS"]
        clients = [stack.enter_context(server.connect()) for _ in range(count)]
        for client in clients:
            client.send(head("POST", "/", length=size))
            client.send(memoryview(content)[:-1])  # type: ignore[arg-type]
        until(lambda: len(server.worker.connections) == count, "all are accepted")
        waiting = list(server.worker.connections)
        until(lambda: all(each.body and each.body.size == size - 1 for each in waiting), "all has come")
        assert server.worker.body_memory.taken == room
        assert process_memory()["VmRSS"] - before < (room >> 10) + (24 << 10)
        for client in clients:
            client.send(content[-1:])
            assert client.read_answer("POST").body.decode() == digest([content])
        all_back(server)


# How they are received


def test_a_large_body_in_one_piece_then_small_requests() -> None:
    """Who has sent one is read in larger pieces, but not who pipelines: all of a piece is answered at once."""
    content = bytes(SMALL)
    with server_of(sums) as server, server.connect() as client:
        for _ in range(3):
            client.send(head("POST", "/", length=SMALL) + content)
            assert client.read_answer("POST").body.decode() == digest([content])
        (connection,) = server.worker.connections
        assert connection._recv_most > SMALL
        client.send(head("GET", "/") * 3)
        for _ in range(3):
            assert client.read_answer().body.decode() == digest([])
        assert connection._recv_most < SMALL


@pytest.mark.parametrize("sizes", [(5, 100_000, 5), (100_000, 100_000, 5), (40_000, 5, 100_000)])
def test_large_answers_among_pipelined_ones(sizes: tuple[int, ...]) -> None:
    """A head that leaves with its content in two pieces keeps its place, and its framing."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["PATH_INFO"][1:2].encode() * int(environ["QUERY_STRING"])]

    with server_of(app) as server, server.connect() as client:
        for method in ("GET", "HEAD", "GET"):
            client.send(b"".join(head(method, f"/{at}?{size}") for at, size in enumerate(sizes)))
            for at, size in enumerate(sizes):
                answer = client.read_answer(method)
                assert answer.one("content-length") == str(size)
                assert answer.body == (b"%d" % at * size if method == "GET" else b"")
        answer = client.ask(head("GET", "/a?100000", "Connection: close"))
        assert answer.closes
        assert len(answer.body) == 100_000
        client.assert_end()
