"""PEP 3333: the length of a response. CHECKLIST P-60 to P-67."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pronghorn.errors import ClientDisconnected
from pronghorn.net.transport import Transport
from pronghorn.serve import polled
from tests.serving import PATIENCE, CutOff, head, serving
from tests.wsgi.answers import PLAIN, answer_to, hello, start

NEXT = head("GET", "/next")


def app_with(result: Any, *fields: tuple[str, str], status: str = "200 OK") -> Any:
    """An application that answers so once, and with `hello` on /next."""

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/next":
            return hello(environ, start_response)
        start(start_response, *fields, status=status)
        return result() if callable(result) else result

    return app


LONG = {
    "one block": lambda: [b"0123456789"],
    "at a block's end": lambda: [b"01234", b"56789"],
    "in a block": lambda: [b"012", b"3456", b"789"],
    "generator": lambda: iter([b"012", b"3456", b"789"]),
}


@pytest.mark.parametrize("kind", LONG)
def test_p60_never_more_than_the_length(kind: str) -> None:
    """P-60: the surplus is dropped and logged; the next answer is untouched."""
    with serving(app_with(LONG[kind], ("Content-Length", "5"))) as server, server.connect() as client:
        answer = client.ask(head("GET", "/"))
        assert answer.body == b"01234"
        if not answer.closes:
            assert client.ask(NEXT).body == b"hello"


def test_p60_a_block_that_is_the_whole_content_is_the_answer() -> None:
    """P-60: what the iterable does afterwards changes nothing, not even an error."""

    def result() -> Iterator[bytes]:
        yield b"01234"
        raise ValueError("too late")

    with serving(app_with(result, ("Content-Length", "5"))) as server, server.connect() as client:
        for _ in range(2):
            answer = client.ask(head("GET", "/"))
            assert answer.body == b"01234" and not answer.closes
        assert client.ask(NEXT).body == b"hello"
        assert server.log.count("ValueError: too late") == 2


def test_p60_iteration_stops_at_the_length() -> None:
    """P-60: an endless iterable ends with its length."""

    def endless() -> Iterator[bytes]:
        while True:
            yield b"0123"

    assert answer_to(app_with(endless, ("Content-Length", "10"))).body == b"0123012301"


def test_p60_writing_beyond_the_length_raises() -> None:
    """P-60: write() says so."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start(start_response, ("Content-Length", "5"))
        write(b"01234")
        try:
            write(b"5")
        except Exception as error:
            seen.append(error)
        return []

    assert answer_to(app).body == b"01234"
    assert len(seen) == 1


SHORT = {
    "list": lambda: [b"01234"],
    "two": lambda: [b"012", b"34"],
    "generator": lambda: iter([b"01234"]),
    "none": list,
}


@pytest.mark.parametrize("kind", SHORT)
def test_p61_too_few_bytes_end_the_connection(kind: str) -> None:
    """P-61: closed and logged; the next answer never fills the gap."""
    with serving(app_with(SHORT[kind], ("Content-Length", "50"))) as server, server.connect() as client:
        client.send(head("GET", "/") + NEXT)
        try:
            answer = client.read_answer()
        except CutOff as cut:
            assert cut.partial == (b"" if kind == "none" else b"01234")
        else:
            assert answer.status == 500
            assert answer.closes
        client.assert_end()
        assert "Content-Length" in server.wait_for_log("Content-Length")


LARGE = bytes(50_000)


def write_on(write: Callable[[bytes], object], *blocks: bytes) -> None:
    """As an application does that takes no error of write() for the end."""
    for block in blocks:
        with contextlib.suppress(MemoryError):
            write(block)


UNSENT: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "list": (1, lambda write: [LARGE]),
    "iterator": (1, lambda write: iter([LARGE])),
    "iterator of two": (2, lambda write: iter([LARGE, LARGE])),
    "write": (1, lambda write: write(LARGE) or []),
    "write, caught": (1, lambda write: write_on(write, LARGE) or []),
    "write, caught, then blocks": (1, lambda write: write_on(write, LARGE) or iter([LARGE, LARGE])),
    "write of two, caught": (2, lambda write: write_on(write, LARGE, LARGE) or []),
    "write of one of two, caught": (2, lambda write: write_on(write, LARGE) or [LARGE]),
    "write in chunks, caught": (0, lambda write: write_on(write, LARGE) or [LARGE]),
}


@pytest.mark.parametrize("kind", UNSENT)
def test_p61_a_block_that_could_not_be_sent_ends_the_connection(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P-61: no memory to send it with, as over TLS, where head and block are joined first."""
    count, result = UNSENT[kind]

    class ShortOfMemory(Transport):
        once = iter([MemoryError])

        def send_parts(self, parts: Any) -> int:
            for error in self.once:
                raise error
            return super().send_parts(parts)

    monkeypatch.setattr(polled, "make_transport", ShortOfMemory)

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/next":
            return hello(environ, start_response)
        fields = [("Content-Length", str(count * len(LARGE)))] if count else []
        return result(start(start_response, *fields))

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/") + head("GET", "/next", "Connection: close"))
        assert client.read_to_end() == b""
        if "caught" not in kind:
            assert "MemoryError" in server.log


def test_to_go_on_where_the_client_is_gone_is_no_failure() -> None:
    begun, gone, ended = threading.Event(), threading.Event(), threading.Event()
    raised: list[Exception] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/next":
            return hello(environ, start_response)
        write = start(start_response, ("Content-Length", "5"))
        begun.set()
        gone.wait(PATIENCE)
        try:
            write(b"hello")
        except ClientDisconnected as error:
            raised.append(error)
        ended.set()
        return []

    with serving(app) as server:
        with server.connect() as client:
            client.send(head("GET", "/"))
            assert begun.wait(PATIENCE)
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        gone.set()
        assert ended.wait(PATIENCE)
        with server.connect() as client:
            assert client.ask(head("GET", "/next")).status == 200
        assert raised
    assert "Traceback" not in server.log and "failed" not in server.log


@pytest.mark.parametrize(
    "fields",
    [
        [("Content-Length", "abc")],
        [("Content-Length", "")],
        [("Content-Length", "-1")],
        [("Content-Length", "+5")],
        [("Content-Length", "5.0")],
        [("Content-Length", "0x5")],
        [("Content-Length", "1_0")],
        [("Content-Length", "٥")],
        [("Content-Length", "5, 5")],
        [("Content-Length", "5"), ("content-length", "6")],
        [("Content-Length", "5"), ("Content-Length", "5")],
    ],
    ids=lambda fields: "/".join(value for _, value in fields) or "empty",
)
def test_p62_a_wrong_length_is_an_error(fields: list[tuple[str, str]]) -> None:
    """P-62: invalid, negative or repeated."""
    with serving(app_with([b"hello"], *fields)) as server:
        answer = server.get()
        assert answer.status == 500
        assert server.log


def test_p63_one_block_has_a_length() -> None:
    """P-63: from a list, or a tuple, of one."""
    answer = answer_to(app_with([b"hello"]))
    assert (answer.one("Content-Length"), answer.all("Transfer-Encoding")) == ("5", [])


def test_p63_others_are_chunked() -> None:
    """P-63: for HTTP/1.1; the connection goes on."""
    with serving(app_with(lambda: (b for b in (b"one", b"two")))) as server, server.connect() as client:
        answer = client.ask(head("GET", "/"))
        assert (answer.one("Transfer-Encoding"), answer.body) == ("chunked", b"onetwo")
        assert client.ask(NEXT).body == b"hello"


@pytest.mark.parametrize("fields", [(), ("Connection: keep-alive",)], ids=["plain", "keep-alive"])
def test_p63_or_end_with_the_connection(fields: tuple[str, ...]) -> None:
    """P-63: for HTTP/1.0, which knows no chunks."""
    with serving(app_with(lambda: (b for b in (b"one", b"two")))) as server, server.connect() as client:
        answer = client.ask(head("GET", "/", *fields, version="1.0"))
        assert answer.body == b"onetwo"
        assert answer.all("Transfer-Encoding") == answer.all("Content-Length") == []


def test_p63_http_1_0_is_kept_with_a_length() -> None:
    """P-63: where the length is known, keep-alive is agreed to."""
    with serving(app_with([b"hello"])) as server, server.connect() as client:
        for _ in range(2):
            answer = client.ask(head("GET", "/", "Connection: keep-alive", version="1.0"))
            assert (answer.body, answer.one("Connection")) == (b"hello", "keep-alive")


def test_p64_empty_blocks_do_not_end_a_body() -> None:
    """P-64: they are no chunks."""
    blocks = [b"", b"one", b"", b"", b"two", b""]
    with serving(app_with(lambda: iter(blocks))) as server, server.connect() as client:
        assert client.ask(head("GET", "/")).body == b"onetwo"
        assert client.ask(NEXT).body == b"hello"


NO_CONTENT = [("HEAD", "200 OK"), ("HEAD", "404 Not Found"), ("GET", "204 No Content"), ("GET", "304 Not Modified"), ("HEAD", "304 Not Modified"), ("POST", "204 No Content")]  # fmt: skip


@pytest.mark.parametrize("method, status", NO_CONTENT)
@pytest.mark.parametrize("kind", ["list", "two", "generator", "empty", "write"])
def test_p65_no_content_where_there_is_none(method: str, status: str, kind: str) -> None:
    """P-65: no byte and no chunk's end, whatever is yielded; the connection goes on."""

    def app(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/next":
            return hello(environ, start_response)
        write = start(start_response, status=status)
        if kind == "write":
            write(b"written")
        return {"list": [b"one"], "two": [b"one", b"two"], "generator": iter([b"one"])}.get(kind, [])

    with serving(app) as server, server.connect() as client:
        client.send(head(method, "/", length=0) + NEXT)
        answer = client.read_answer(method)
        assert f"{answer.status} {answer.reason}" == status
        if status[:3] in ("204", "304"):
            assert answer.all("Transfer-Encoding") == []
        if answer.closes:
            client.assert_end()
        else:
            assert client.read_answer().body == b"hello"


def test_p65_head_keeps_the_applications_length() -> None:
    """P-65: HEAD says what GET would."""
    with serving(app_with([], ("Content-Length", "12345"))) as server, server.connect() as client:
        assert client.ask(head("HEAD", "/")).one("Content-Length") == "12345"
        assert client.ask(NEXT).body == b"hello"


def test_p65_204_loses_its_length() -> None:
    """P-65: RFC 9110, section 8.6: no Content-Length in a 204."""
    with (
        serving(app_with([], ("Content-Length", "0"), status="204 No Content")) as server,
        server.connect() as client,
    ):
        assert client.ask(head("GET", "/")).status == 204
        assert client.ask(NEXT).body == b"hello"


def failing() -> Iterator[bytes]:
    yield b"some"
    raise ValueError("secret-detail")


@pytest.mark.parametrize("fields", [(), (("Content-Length", "500"),)], ids=["chunked", "length"])
def test_p66_an_error_in_the_middle_is_seen_by_the_client(fields: tuple[tuple[str, str], ...]) -> None:
    """P-66: the body is left without its end, the connection closed, the error logged."""
    with serving(app_with(failing, *fields)) as server, server.connect() as client:
        client.send(head("GET", "/") + NEXT)
        with pytest.raises(CutOff) as cut:
            client.read_answer()
        assert cut.value.partial == b"some"
        client.assert_end()
        log = server.wait_for_log("secret-detail")
    assert "Traceback" in log
    assert "test_07_framing.py" in log


def raise_at_once(environ: Any, start_response: Any) -> list[bytes]:
    raise ValueError("secret-detail")


def raise_after_start(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [PLAIN, ("X-Mine", "1")])
    raise ValueError("secret-detail")


def raise_in_iteration(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [PLAIN, ("X-Mine", "1")])
    yield b""
    raise ValueError("secret-detail")


def exit_the_process(environ: Any, start_response: Any) -> list[bytes]:
    raise SystemExit("secret-detail")


@pytest.mark.parametrize("app", [raise_at_once, raise_after_start, raise_in_iteration, exit_the_process])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_p67_an_error_before_output_is_a_500(app: Any, method: str) -> None:
    """P-67: the client learns nothing of the traceback, the log everything; the server lives."""
    with serving(app) as server:
        for _ in range(2):
            answer = server.get(method=method)
            assert answer.status == 500
            assert answer.all("X-Mine") == []
            assert b"secret-detail" not in answer.body
            assert b"Traceback" not in answer.body
        assert "secret-detail" in server.log
        assert app.__name__ in server.log


class Fickle:
    """Gives text, and raises when it is asked for anything else."""

    def __iter__(self) -> Iterator[Any]:
        return iter(["text"])

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self, environ: Any, start_response: Any) -> "Fickle":
        start_response("200 OK", [PLAIN])
        return self


def test_p67_an_object_that_raises_for_each_attribute_gets_its_500() -> None:
    """P-67: also while the server looks for the place of an error."""
    with serving(Fickle()) as server:
        assert server.get().status == 500
        assert "the response's blocks must be bytes, not str" in server.log
        assert "test_07_framing.py" in server.log
        assert "defect" not in server.log
