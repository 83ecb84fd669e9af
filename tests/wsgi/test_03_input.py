"""PEP 3333: wsgi.input. CHECKLIST P-33 to P-42."""

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.serving import head, serving
from tests.wsgi.answers import hello

LINES = b"first\nsecond\r\n\nlast without end"


def reading(what: Callable[[Any], Any], body: bytes = LINES, *, framing: str = "length") -> Any:
    """What a function finds in wsgi.input."""
    found = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.append(what(environ["wsgi.input"]))
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        assert client.ask(framed(body, framing)).body == b"hello"
        assert client.ask(framed(body, framing)).body == b"hello"
    assert found[0] == found[1]
    return found[0]


def framed(body: bytes, framing: str) -> bytes:
    if framing == "length":
        return head("POST", "/", length=len(body)) + body
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7)
    )
    return head("POST", "/", "Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n"


both = pytest.mark.parametrize("framing", ["length", "chunked"])


@both
def test_p33_the_four_methods(framing: str) -> None:
    """P-33: read, readline, readlines and iteration, with exact bytes."""

    def what(stream: Any) -> list[Any]:
        blocks = [stream.read(3), stream.readline(), next(iter(stream)), *stream.readlines()]
        assert all(type(block) is bytes for block in blocks)
        return blocks

    assert reading(what, framing=framing) == [b"fir", b"st\n", b"second\r\n", b"\n", b"last without end"]


@both
def test_p33_iteration_gives_lines(framing: str) -> None:
    """P-33: iteration ends with the body."""
    assert reading(list, framing=framing) == [b"first\n", b"second\r\n", b"\n", b"last without end"]


def test_p33_the_hint_of_readlines() -> None:
    """P-33: readlines(hint) stops after the line that reaches it; what is left stays."""
    lines, rest = reading(lambda stream: (stream.readlines(1), stream.read()))
    assert b"".join(lines) + rest == LINES
    assert lines[0] == b"first\n"


@pytest.mark.parametrize("size", [(), (-1,), (None,)], ids=["none", "-1", "None"])
def test_p34_read_without_a_size_gives_the_rest(size: tuple[Any, ...]) -> None:
    """P-34: read(), read(-1) and read(None)."""
    assert reading(lambda stream: (stream.read(6), stream.read(*size), stream.read(*size))) == (
        LINES[:6],
        LINES[6:],
        b"",
    )


PAST_THE_END: dict[str, Callable[[Any], Any]] = {
    "read()": lambda stream: stream.read(),
    "read(1)": lambda stream: stream.read(1),
    "read(-1)": lambda stream: stream.read(-1),
    "readline()": lambda stream: stream.readline(),
    "readline(5)": lambda stream: stream.readline(5),
    "readlines()": lambda stream: b"".join(stream.readlines()),
    "iteration": lambda stream: b"".join(stream),
}


@pytest.mark.parametrize("method", PAST_THE_END)
@pytest.mark.parametrize("framing", ["length", "chunked", "empty", "none"])
def test_p35_past_the_end_is_empty_for_ever(framing: str, method: str) -> None:
    """P-35: at once, never a byte of the next request, in every framing."""
    request = {
        "length": framed(b"body", "length"),
        "chunked": framed(b"body", "chunked"),
        "empty": framed(b"", "length"),
        "none": head("GET", "/"),
    }[framing]
    found = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]
        body = stream.read(100)
        found.append((body, [PAST_THE_END[method](stream) for _ in range(3)]))
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        client.send(request + request)
        assert client.read_answer("POST").body == client.read_answer("POST").body == b"hello"
    body = b"body" if framing in ("length", "chunked") else b""
    assert found == [(body, [b"", b"", b""])] * 2


@both
def test_p36_readline_honours_its_size(framing: str) -> None:
    """P-36: the next call goes on with the line."""
    sizes = (3, 100, 6, 2, 5, -1, 4)
    expected = [b"fir", b"st\n", b"second", b"\r\n", b"\n", b"last without end", b""]
    assert reading(lambda stream: [stream.readline(size) for size in sizes], framing=framing) == expected


@both
def test_p37_reading_nothing_is_not_the_end(framing: str) -> None:
    """P-37: read(0) gives b'' and loses nothing."""
    assert reading(lambda stream: [stream.read(0), stream.readline(0), stream.read(2), stream.read(0), stream.read()], framing=framing) == [
        b"", b"", LINES[:2], b"", LINES[2:],
    ]  # fmt: skip


@both
def test_p38_read_gives_as_much_as_there_is(framing: str) -> None:
    """P-38: read(n) is n bytes unless the body ends before."""
    body = bytes(range(256)) * 40
    blocks = reading(lambda stream: [stream.read(1000) for _ in range(12)], body, framing=framing)
    assert [len(block) for block in blocks] == [1000] * 10 + [240, 0]
    assert b"".join(blocks) == body


@both
def test_p39_segments_may_cut_anywhere(framing: str) -> None:
    """P-39: a request that comes byte by byte is the same request."""
    found = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        found.append(list(environ["wsgi.input"]))
        return hello(environ, start_response)

    request = framed(LINES, framing)
    with serving(app) as server, server.connect() as client:
        client.send_each(request[at : at + 1] for at in range(len(request)))
        assert client.read_answer("POST").body == b"hello"
    assert found == [LINES.splitlines(keepends=True)]


@pytest.mark.parametrize("request_bytes", [
    head("POST", "/", length=10) + b"12345",
    head("POST", "/", "Transfer-Encoding: chunked") + b"5\r\n12345\r\n",
    head("POST", "/", "Transfer-Encoding: chunked") + b"5\r\n123",
], ids=["length", "between chunks", "in a chunk"])  # fmt: skip
@pytest.mark.parametrize("abrupt", [False, True], ids=["half-closed", "closed"])
def test_p40_a_body_cut_short_never_reaches_the_application(request_bytes: bytes, abrupt: bool) -> None:
    """P-40: the whole body comes before the call, so a part of one is no call."""
    calls = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        calls.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    with serving(app) as server:
        with server.connect() as client:
            client.send(request_bytes)
            if not abrupt:
                client.finish_sending()
                answer = client.read_to_end()
                assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
        assert server.get("/after").status == 200
    assert calls == ["/after"]


@pytest.mark.parametrize("method", ["close", "seek", "tell", "fileno", "detach", "flush"])
def test_p41_other_methods_do_no_harm(method: str) -> None:
    """P-41: not promised, but a stream that was closed hurts nobody."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            getattr(environ["wsgi.input"], method)(*((0,) if method == "seek" else ()))
        except (AttributeError, OSError, ValueError):
            pass
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(framed(LINES, "length")).body == b"hello"
            assert client.ask(framed(LINES, "chunked")).body == b"hello"


@both
@pytest.mark.parametrize("size", [10, 300_000])
def test_p42_an_unread_body_is_never_the_next_request(framing: str, size: int) -> None:
    """P-42: what the application left is skipped, or the connection closed."""
    paths = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        paths.append(environ["PATH_INFO"])
        return hello(environ, start_response)

    evil = (head("GET", "/evil") * (size // 20 + 1))[:size]
    with serving(app) as server, server.connect() as client:
        client.send(framed(evil, framing))
        if not client.read_answer("POST").closes:
            assert client.ask(head("GET", "/next")).body == b"hello"
    assert paths in (["/"], ["/", "/next"])


@both
@pytest.mark.parametrize("size", [65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_p38_bodies_in_memory_and_on_disk_read_the_same(framing: str, size: int) -> None:
    """P-38: where a body was kept is not to be seen."""
    body = (hashlib.sha256(b"seed").digest() * (size // 32 + 1))[:size]
    if framing == "chunked":
        request = head("POST", "/", "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    else:
        request = framed(body, framing)
    found = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.input"]
        found.append(
            (environ["CONTENT_LENGTH"], stream.read(10) + stream.readline(50) + stream.read(), stream.read())
        )
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        assert client.ask(request).body == b"hello"
    assert found == [(str(size), body, b"")]


def test_p41_a_stream_on_disk_may_be_detached() -> None:
    """P-41: whatever the application does with it, is no defect of the server's."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.input"].detach().close()
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(framed(bytes(1_200_000), "length")).body == b"hello"
        assert "defect" not in server.log
