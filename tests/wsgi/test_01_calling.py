"""PEP 3333: calling the application. CHECKLIST P-01 to P-13."""

import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import CutOff, head, serving
from tests.wsgi.answers import Body, answer_to, hello, start, wait


class AsMethod:
    def app(self, environ: Any, start_response: Any) -> list[bytes]:
        return hello(environ, start_response)

    @classmethod
    def of_class(cls, environ: Any, start_response: Any) -> list[bytes]:
        return hello(environ, start_response)

    @staticmethod
    def static(environ: Any, start_response: Any) -> list[bytes]:
        return hello(environ, start_response)


class AsClass:
    """Calling the class makes the iterable: the PEP's own example."""

    def __init__(self, environ: Any, start_response: Any) -> None:
        self.start_response = start_response

    def __iter__(self) -> Iterator[bytes]:
        start(self.start_response)
        yield b"hello"


class AsInstance:
    def __call__(self, *arguments: Any) -> list[bytes]:
        assert len(arguments) == 2
        return hello(*arguments)


def with_other_names(a: Any, b: Any, /) -> list[bytes]:
    return hello(a, b)


CALLABLES = {
    "function": hello,
    "positional": with_other_names,
    "lambda": lambda environ, start_response: hello(environ, start_response),
    "method": AsMethod().app,
    "class method": AsMethod.of_class,
    "static method": AsMethod.static,
    "class": AsClass,
    "instance": AsInstance(),
    "partial": functools.partial(lambda word, *arguments: hello(*arguments), "word"),
}


@pytest.mark.parametrize("kind", CALLABLES)
def test_p01_any_callable_gets_two_positional_arguments(kind: str) -> None:
    """P-01: the application is any callable, called with two positional arguments."""
    assert answer_to(CALLABLES[kind]).body == b"hello"


def test_p02_each_request_is_one_call() -> None:
    """P-02: one call for each request, again and again."""
    calls = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        for number in range(5):
            assert client.ask(head("GET", f"/{number}")).body == b"hello"
    assert calls == ["/0", "/1", "/2", "/3", "/4"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
    ],
    ids=["no host", "two spaces", "space before colon"],
)
def test_p02_a_refused_request_is_no_call(request_bytes: bytes) -> None:
    """P-02: what the server refuses never reaches the application."""
    calls = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(1)
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        answer = client.ask(request_bytes, method="GET")
        assert answer.status == 400
        assert answer.closes
        client.assert_end()
    assert calls == []


def test_p03_environ_is_a_fresh_builtin_dict() -> None:
    """P-03: exactly dict, a fresh one each time; the application may do with it as it likes."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert type(environ) is dict
        assert "left.behind" not in environ
        seen.append(dict(environ))
        environ.clear()
        environ["left.behind"] = 1
        environ["wsgi.input"] = None
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        for _ in range(3):
            assert client.ask(head("POST", "/same", length=4) + b"body").status == 200
    assert len({frozenset(environ) for environ in seen}) == 1
    assert len({id(environ["wsgi.input"]) for environ in seen}) == 3


def test_p03_values_of_one_request_do_not_reach_the_next() -> None:
    """P-03: a changed value is gone with its request."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response)
        before = environ["SCRIPT_NAME"] + environ["PATH_INFO"] + environ["HTTP_HOST"]
        environ.update(SCRIPT_NAME="/evil", PATH_INFO="/evil", HTTP_HOST="evil")
        return [before.encode()]

    with serving(app) as server, server.connect() as client:
        assert [client.ask(head("GET", "/a")).body for _ in range(3)] == [b"/aexample"] * 3


def test_p04_start_response_takes_three_and_returns_write() -> None:
    """P-04: (status, headers[, exc_info]), all positional; write() is returned."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(
            callable(
                start_response("500 No", [("A", "b")], None)
                if environ["PATH_INFO"] == "/3"
                else start(start_response)
            )
        )
        return [b"x"]

    with serving(app) as server:
        assert server.get("/2").status == 200
        assert server.get("/3").status == 500
    assert seen == [True, True]


class OldProtocol:
    def __getitem__(self, index: int) -> bytes:
        return [b"one", b"two"][index]


class OwnIterator:
    def __init__(self) -> None:
        self.left = [b"one", b"two"]

    def __iter__(self) -> "OwnIterator":
        return self

    def __next__(self) -> bytes:
        if not self.left:
            raise StopIteration
        return self.left.pop(0)


RESULTS = {
    "list": lambda: [b"one", b"two"],
    "tuple": lambda: (b"one", b"two"),
    "generator": lambda: (block for block in (b"one", b"two")),
    "iterator": lambda: iter([b"one", b"two"]),
    "map": lambda: map(bytes, [b"one", b"two"]),
    "own iterator": OwnIterator,
    "__getitem__ only": OldProtocol,
    "dict": lambda: {b"one": 1, b"two": 2},
}


@pytest.mark.parametrize("kind", RESULTS)
def test_p05_any_iterable_is_a_result(kind: str) -> None:
    """P-05: the result is iterated and that is all."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return RESULTS[kind]()

    assert answer_to(app).body == b"onetwo"


def test_p05_no_other_attribute_is_asked_for() -> None:
    """P-05: nothing but close() is looked up in a result of an unknown type."""
    asked = []

    class Nosy:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return Nosy()

    assert answer_to(app).body == b"x"
    assert set(asked) <= {"close"}


def test_p06_start_response_may_come_with_the_first_block() -> None:
    """P-06: a generator calls start_response when it is first asked for a block."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response, status="201 Created")
        yield b"late"

    answer = answer_to(app)
    assert (answer.status, answer.body) == (201, b"late")


@pytest.mark.parametrize("fields", [(), (("Content-Length", "10"),)], ids=["chunked", "length"])
def test_p07_a_block_is_on_its_way_before_the_next_is_requested(fields: tuple[tuple[str, str], ...]) -> None:
    """P-07: blocks are not held back until the next one."""
    received = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response, *fields)
        yield b"first"
        wait(received)
        yield b"later"

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/"))
        client.buffer = client.read_until(b"first") + client.buffer
        received.set()
        assert client.read_answer().body == b"firstlater"


@pytest.mark.parametrize("threads", [1, 2])
def test_p07_holds_for_every_block(threads: int) -> None:
    """P-07: also for blocks that come at once after others, and with one thread."""
    received = threading.Semaphore(0)

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response)
        for number in range(6):
            yield b"<%d" % number
            yield b"%d>" % number
            assert received.acquire(timeout=10)

    with serving(app, threads=threads) as server, server.connect() as client:
        client.send(head("GET", "/"))
        raw = b""
        for number in range(6):
            raw += client.read_until(b"%d>" % number)
            received.release()
        client.buffer = raw + client.buffer
        assert client.read_answer().body == b"".join(b"<%d%d>" % (n, n) for n in range(6))


@pytest.mark.parametrize("result", [list, iter], ids=["list", "iterator"])
def test_p08_blocks_are_not_altered(result: Any) -> None:
    """P-08: every byte value arrives as it was given."""
    blocks = [bytes(range(256)), b"\r\n\r\n", b"\0", b"0\r\n\r\n", b"\xff\xfe", bytes([128]) * 70000]

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return result(blocks)

    assert answer_to(app).body == b"".join(blocks)


def test_p09_one_block_in_a_list_gives_the_length() -> None:
    """P-09: a list of one block is sent with Content-Length."""
    answer = answer_to(hello)
    assert answer.one("Content-Length") == "5"


def test_p09_len_is_not_asked_of_what_has_none() -> None:
    """P-09: a result without len() is fine."""

    class NoLength:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"x"])

        def __len__(self) -> int:
            raise TypeError("no length")

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return NoLength()

    assert answer_to(app).body == b"x"


def failing() -> Iterator[bytes]:
    yield b"some"
    raise ValueError("in the middle")


ENDINGS: dict[str, tuple[str, Any, tuple[tuple[str, str], ...], str]] = {
    # name: (method, blocks, fields, status)
    "normal": ("GET", [b"one", b"two"], (), "200 OK"),
    "empty": ("GET", [], (), "200 OK"),
    "HEAD": ("HEAD", [b"one"], (), "200 OK"),
    "204": ("GET", [b"one"], (), "204 No Content"),
    "304": ("GET", [b"one"], (), "304 Not Modified"),
    "too long": ("GET", [b"one", b"two", b"three"], (("Content-Length", "4"),), "200 OK"),
    "too short": ("GET", [b"one"], (("Content-Length", "4"),), "200 OK"),
    "str": ("GET", ["text"], (), "200 OK"),
    "error": ("GET", None, (), "200 OK"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_p10_close_is_called_exactly_once(ending: str) -> None:
    """P-10: close() once, however the response ends."""
    method, blocks, fields, status = ENDINGS[ending]
    body = Body(failing() if blocks is None else blocks)

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response, *fields, status=status)
        return body

    with serving(app) as server, server.connect() as client:
        client.send(head(method, "/"))
        try:
            client.read_answer(method)
        except CutOff:
            assert ending in ("too short", "error")
        assert body.closed.wait(10)
    assert body.closings == 1


def test_p10_close_is_called_when_start_response_was_not() -> None:
    """P-10: close() also when there was no start_response."""
    body = Body([b"x"])
    assert answer_to(lambda environ, start_response: body).status == 500
    assert body.closings == 1


def test_p10_close_is_called_when_start_response_raises_in_the_iteration() -> None:
    """P-10: close() also when the response was refused."""
    started: list[Any] = []

    def blocks() -> Iterator[bytes]:
        started[0]("not a status", [])
        yield b"x"

    body = Body(blocks())

    def app(environ: Any, start_response: Any) -> Any:
        started.append(start_response)
        return body

    assert answer_to(app).status == 500
    assert body.closings == 1


def endless() -> Iterator[bytes]:
    while True:
        yield b"x" * 65536


def test_p10_close_is_called_when_the_client_goes() -> None:
    """P-10: close() after an early disconnect."""
    body = Body(endless())

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return body

    with serving(app) as server:
        with server.connect() as client:
            client.send(head("GET", "/"))
            client.read_until(b"xxxx")
        assert body.closed.wait(10)
    assert body.closings == 1


def test_p10_close_is_called_at_shutdown() -> None:
    """P-10: close() when the server stops in the middle of a response."""
    body = Body(endless())

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return body

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/"))
        client.read_until(b"xxxx")
        server.worker.stop(graceful=False)
        assert body.closed.wait(10)
    assert body.closings == 1


def test_p11_close_comes_after_the_last_block() -> None:
    """P-11: the client has the whole body before close() is called."""
    received = threading.Event()
    body = Body([b"one", b"two"], before_close=lambda: wait(received))

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response, ("Content-Length", "6"))
        return body

    with serving(app) as server, server.connect() as client:
        assert client.ask(head("GET", "/")).body == b"onetwo"
        received.set()
        assert body.closed.wait(10)


@pytest.mark.parametrize("blocks", [[b"onetwo"], [b"one", b"two"]], ids=["one block", "two blocks"])
def test_p11_an_exception_in_close_is_logged(blocks: list[bytes]) -> None:
    """P-11: the connection is not hurt by a close() that raises."""

    def fail() -> None:
        raise ValueError("close was unhappy")

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return Body(blocks, before_close=fail)

    with serving(app) as server:
        with server.connect() as client:
            assert client.ask(head("GET", "/")).body == b"onetwo"
        assert "ValueError" in server.wait_for_log("close was unhappy")
        assert server.get().body == b"onetwo"


@pytest.mark.parametrize("result", [None, 5, "text", object()], ids=["None", "int", "str", "object"])
def test_p12_a_wrong_result_is_a_500(result: Any) -> None:
    """P-12: error, logged; the server lives."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return [b"fine"] if environ["PATH_INFO"] == "/fine" else result

    with serving(app) as server:
        answer = server.get()
        assert answer.status == 500
        assert server.log
        assert server.get("/fine").body == b"fine"


@pytest.mark.parametrize("block", ["text", None, 5, ["x"]], ids=["str", "None", "int", "list"])
def test_p12_a_wrong_block_is_a_500(block: Any) -> None:
    """P-12: blocks are bytes."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        return [block]

    with serving(app) as server:
        assert server.get().status == 500
        assert "ERROR" in server.log


@pytest.mark.parametrize(
    "result", [[], [b""], [b"x"], iter([b"x"])], ids=["nothing", "empty", "list", "iterator"]
)
def test_p13_a_response_must_be_started(result: Any) -> None:
    """P-13: start_response never called: 500, and the log says which rule."""
    with serving(lambda environ, start_response: result) as server:
        assert server.get().status == 500
        assert "start_response" in server.log
