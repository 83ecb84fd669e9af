"""PEP 3333: Expect, file_wrapper, threads, URL reconstruction. CHECKLIST P-68 to P-76."""

import gzip
import io
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.serving import CutOff, head, serving, until
from tests.wsgi.answers import PLAIN, Body, answer_to, hello, start, wait


def echo(environ: Any, start_response: Any) -> list[bytes]:
    start(start_response)
    return [environ["wsgi.input"].read()]


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_p68_continue_is_sent_before_the_body(expectation: str) -> None:
    """P-68: once, and without waiting for content."""
    with serving(echo) as server, server.connect() as client:
        client.send(head("POST", "/", f"Expect: {expectation}", length=4))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.send(b"body")
        answer = client.read_answer("POST")
        assert (answer.body, answer.interim) == (b"body", [])
        assert client.ask(head("POST", "/", length=2) + b"ab").interim == []


def test_p68_never_to_http_1_0() -> None:
    """P-68: a 1.0 client does not know it."""
    with serving(echo) as server, server.connect() as client:
        client.send(head("POST", "/", "Expect: 100-continue", length=4, version="1.0"))
        client.send(b"body")
        answer = client.read_answer("POST")
        assert (answer.body, answer.interim) == (b"body", [])


@pytest.mark.parametrize("body", [None, b""], ids=["no body", "empty body"])
def test_p68_without_content_nobody_waits(body: bytes | None) -> None:
    """P-68: an expectation without content is answered at once."""
    with serving(echo) as server, server.connect() as client:
        answer = client.ask(head("POST", "/", "Expect: 100-continue", length=body if body is None else 0))
        assert answer.status == 200
        assert len(answer.interim) <= 1


def hint(environ: Any, start_response: Any) -> list[bytes]:
    environ["wsgi.early_hints"]([("Link", "</style.css>; rel=preload; as=style")])
    return hello(environ, start_response)


def test_early_hints_come_before_the_answer() -> None:
    """RFC 8297: a 103 with the fields, then the answer."""
    with serving(hint) as server, server.connect() as client:
        answer = client.ask(head("GET", "/"))
        assert [interim.status for interim in answer.interim] == [103]
        assert answer.interim[0].fields == [("Link", "</style.css>; rel=preload; as=style")]
        assert answer.body == b"hello"


def test_early_hints_are_not_for_http_1_0() -> None:
    """RFC 9110, section 15.2: no interim response to HTTP/1.0."""
    with serving(hint) as server, server.connect() as client:
        answer = client.ask(head("GET", "/", version="1.0"))
        assert (answer.interim, answer.body) == ([], b"hello")


def test_early_hints_are_checked() -> None:
    """CVE-2020-5249: no header injection by way of a hint."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgi.early_hints"]([("Link", "a\r\nX-Evil: 1")])
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        answer = client.ask(head("GET", "/"))
        assert answer.status == 500
        assert answer.interim == []


CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(CONTENT)
    return tmp_path / "file"


def wrapping(
    make: Any, *fields: tuple[str, str], block: tuple[int, ...] = (), then: Any = lambda body: body
) -> Any:
    """An application that returns a wrapped file."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response, *fields)
        return then(environ["wsgi.file_wrapper"](make(), *block))

    return app


@pytest.mark.parametrize("block", [(), (1,), (8192,), (10_000_000,)], ids=["default", "1", "8192", "large"])
@pytest.mark.parametrize("fields", [(), (("Content-Length", str(len(CONTENT))),)], ids=["chunked", "length"])
def test_p69_a_file_is_sent(path: Path, block: tuple[int, ...], fields: tuple[tuple[str, str], ...]) -> None:
    """P-69: file_wrapper(file[, block size])."""
    if block == (1,):
        path.write_bytes(CONTENT[:300])
        fields = fields and (("Content-Length", "300"),)
    assert answer_to(wrapping(lambda: path.open("rb"), *fields, block=block)).body == path.read_bytes()


def test_p69_http_1_0_too(path: Path) -> None:
    """P-69: ended by the connection where there is no length."""
    with serving(wrapping(lambda: path.open("rb"))) as server, server.connect() as client:
        assert client.ask(head("GET", "/", version="1.0")).body == CONTENT


def test_p69_the_wrapper_alone_sends_nothing(path: Path) -> None:
    """P-69: a wrapper that is not returned is forgotten."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        with path.open("rb") as file:
            environ["wsgi.file_wrapper"](file)
            start(start_response)
            return [b"something else"]

    assert answer_to(app).body == b"something else"


def test_p69_middleware_may_iterate_it(path: Path) -> None:
    """P-69 and P-76: it is an ordinary iterable of bytes for whoever comes between."""

    def backwards(body: Any) -> Body:
        return Body((block[::-1] for block in body), before_close=body.close)

    app = wrapping(lambda: path.open("rb"), then=backwards, block=(1000,))
    expected = b"".join(CONTENT[at : at + 1000][::-1] for at in range(0, len(CONTENT), 1000))
    assert answer_to(app).body == expected


class Closeable(io.BytesIO):
    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.closed_once = threading.Event()

    def close(self) -> None:
        self.closed_once.set()
        super().close()


class OnlyRead:
    """The least that a file-like object can be."""

    def __init__(self) -> None:
        self.blocks = [b"one", b"two"]

    def read(self, size: int) -> bytes:
        return self.blocks.pop(0) if self.blocks else b""


def test_p70_anything_with_read() -> None:
    """P-70: no other method is needed, not even close()."""
    assert answer_to(wrapping(OnlyRead)).body == b"onetwo"


@pytest.mark.parametrize(
    "method, status",
    [("GET", "200 OK"), ("HEAD", "200 OK"), ("GET", "304 Not Modified"), ("GET", "204 No Content")],
)
@pytest.mark.parametrize("real", [True, False], ids=["file", "file-like"])
def test_p70_the_file_is_closed(path: Path, method: str, status: str, real: bool) -> None:
    """P-70: also when nothing of it is sent."""
    files: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response, status=status)
        files.append(path.open("rb") if real else Closeable(CONTENT))
        return environ["wsgi.file_wrapper"](files[0])

    assert answer_to(app, method=method).body == (CONTENT if (method, status[:3]) == ("GET", "200") else b"")
    assert files[0].closed


def test_p70_a_wrapper_closes_its_file(path: Path) -> None:
    """P-70: close() of the wrapper is close() of the file."""
    with path.open("rb") as file:

        def app(environ: Any, start_response: Any) -> list[bytes]:
            environ["wsgi.file_wrapper"](file).close()
            return hello(environ, start_response)

        assert answer_to(app).body == b"hello"
        assert file.closed


@pytest.mark.parametrize("fields", [(), (("Content-Length", "1000"),)], ids=["to the end", "length"])
@pytest.mark.parametrize("after_read", [False, True], ids=["seek", "read"])
def test_p71_from_the_current_position(
    path: Path, fields: tuple[tuple[str, str], ...], after_read: bool
) -> None:
    """P-71: from where the file stands to its end, or as far as Content-Length says."""

    def at_100() -> Any:
        file = path.open("rb")
        if after_read:
            file.read(100)
        else:
            file.seek(100)
        return file

    assert answer_to(wrapping(at_100, *fields)).body == CONTENT[100 : 1100 if fields else None]


def test_p71_a_file_that_is_too_short_cuts_the_answer(path: Path) -> None:
    """P-71: less than Content-Length promises must not look complete."""
    length = str(len(CONTENT) + 5)
    with (
        serving(wrapping(lambda: path.open("rb"), ("Content-Length", length))) as server,
        server.connect() as client,
    ):
        client.send(head("GET", "/") + head("GET", "/"))
        with pytest.raises(CutOff) as cut:
            client.read_answer()
        assert cut.value.partial == CONTENT
        client.assert_end()


def test_p71_a_file_that_grows_keeps_its_framing(path: Path) -> None:
    """P-71: what is added after the head was sent belongs to no answer, or to this one's framing."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response)
        file = path.open("rb")
        wrapper = environ["wsgi.file_wrapper"](file)
        with path.open("ab") as more:
            more.write(b"more")
        return wrapper

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(head("GET", "/")).body.startswith(CONTENT)


def test_p72_gzip_file_is_sent_decompressed(tmp_path: Path) -> None:
    """P-72: its fileno() is that of other content."""
    with gzip.open(tmp_path / "file.gz", "wb") as packed:
        packed.write(CONTENT)
    assert answer_to(wrapping(lambda: gzip.GzipFile(tmp_path / "file.gz"))).body == CONTENT


def test_p72_a_buffer_over_a_gzip_file(tmp_path: Path) -> None:
    """P-72: what is under io's own buffer decides."""
    with gzip.open(tmp_path / "file.gz", "wb") as packed:
        packed.write(CONTENT)
    app = wrapping(lambda: io.BufferedReader(gzip.GzipFile(tmp_path / "file.gz")))  # type: ignore[type-var]
    assert answer_to(app).body == CONTENT


class Upper:
    """A file-like object whose fileno() is true and whose content is its own."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb")
        self.fileno = self.file.fileno
        self.close = self.file.close

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size).upper()


def test_p72_a_fileno_may_lie(path: Path) -> None:
    """P-72: an object that reads differently is read, not sent by its number."""
    assert answer_to(wrapping(lambda: Upper(path))).body == CONTENT.upper()


def test_p72_bytes_io() -> None:
    """P-72: BytesIO has a fileno() that raises."""
    assert answer_to(wrapping(lambda: io.BytesIO(CONTENT))).body == CONTENT


def test_p72_a_pipe() -> None:
    """P-72: no size, no position."""

    def pipe() -> Any:
        reader, writer = os.pipe()
        os.write(writer, b"through a pipe")
        os.close(writer)
        return os.fdopen(reader, "rb")

    assert answer_to(wrapping(pipe)).body == b"through a pipe"


def test_p72_a_socket() -> None:
    """P-72: a socket has a number, too."""

    def made() -> Any:
        ours, theirs = socket.socketpair()
        theirs.sendall(b"through a socket")
        theirs.close()
        with ours:
            return ours.makefile("rb")

    assert answer_to(wrapping(made)).body == b"through a socket"


def test_p72_a_file_without_a_size() -> None:
    """P-72: files of /proc say that they are empty."""
    path = Path("/proc/self/cmdline")
    assert answer_to(wrapping(lambda: path.open("rb"))).body == path.read_bytes()


def test_p72_files_of_tempfile(path: Path) -> None:
    """P-72: what tempfile makes is a wrapper around a file."""

    def made() -> Any:
        file = tempfile.NamedTemporaryFile()  # noqa: SIM115
        file.write(CONTENT)
        file.seek(0)
        return file

    assert answer_to(wrapping(made)).body == CONTENT


def test_p72_a_spooled_file() -> None:
    """P-72: a file that may be in memory."""

    def made() -> Any:
        file = tempfile.SpooledTemporaryFile(max_size=10)  # noqa: SIM115
        file.write(CONTENT)
        file.seek(0)
        return file

    assert answer_to(wrapping(made)).body == CONTENT


def test_p72_unbuffered_files(path: Path) -> None:
    """P-72: FileIO, without a buffer."""
    assert answer_to(wrapping(lambda: path.open("rb", buffering=0))).body == CONTENT


def test_p73_one_thread_runs_every_call() -> None:
    """P-73: with one thread, each call is on the thread that runs the worker."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(threading.current_thread())
        return hello(environ, start_response)

    with serving(app, threads=1) as server:
        clients = [server.connect() for _ in range(4)]
        for client in clients:
            client.send(head("GET", "/") * 3)
        for client in clients:
            assert [client.read_answer().body for _ in range(3)] == [b"hello"] * 3
            client.close()
        assert set(seen) == {server.thread}


def test_p73_calls_never_overlap_with_one_thread() -> None:
    """P-73: no second call begins before the first has ended, its iteration included."""
    inside: list[int] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response)
        inside.append(1)
        for _ in range(3):
            assert len(inside) == 1
            yield b"x"
        inside.pop()

    with serving(app, threads=1) as server:
        clients = [server.connect() for _ in range(8)]
        for client in clients:
            client.send(head("GET", "/") * 5)
        for client in clients:
            assert [client.read_answer().body for _ in range(5)] == [b"xxx"] * 5
            client.close()


@pytest.mark.parametrize("threads", [2, 4])
def test_p73_as_many_calls_at_once_as_threads(threads: int) -> None:
    """P-73: --threads N calls meet at a barrier."""
    barrier = threading.Barrier(threads)

    def app(environ: Any, start_response: Any) -> list[bytes]:
        barrier.wait(10)
        return hello(environ, start_response)

    with serving(app, threads=threads) as server:
        clients = [server.connect() for _ in range(threads)]
        for client in clients:
            client.send(head("GET", "/"))
        for client in clients:
            assert client.read_answer().body == b"hello"
            client.close()


def test_p74_a_request_in_flight_is_answered() -> None:
    """P-74: a graceful stop answers what it has, and says that the connection ends."""
    called, stopping = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        called.set()
        wait(stopping)
        return hello(environ, start_response)

    with serving(app, threads=2) as server, server.connect() as client:
        client.send(head("GET", "/"))
        assert called.wait(10)
        server.worker.stop()
        until(lambda: not server.worker.persistence.persist, "the worker drains")
        stopping.set()
        answer = client.read_answer()
        assert answer.body == b"hello"
        assert answer.closes
        client.assert_end()
        server.thread.join(10)
        assert not server.thread.is_alive()
    assert server.worker.clean


def url_of(environ: Any) -> str:
    """The algorithm of PEP 3333, "URL Reconstruction"."""
    url = environ["wsgi.url_scheme"] + "://"
    if environ.get("HTTP_HOST"):
        url += environ["HTTP_HOST"]
    else:
        url += environ["SERVER_NAME"]
        if environ["SERVER_PORT"] != {"https": "443", "http": "80"}[environ["wsgi.url_scheme"]]:
            url += ":" + environ["SERVER_PORT"]
    url += quote(environ.get("SCRIPT_NAME", ""), encoding="latin-1")
    url += quote(environ.get("PATH_INFO", ""), safe="/:", encoding="latin-1")
    if environ.get("QUERY_STRING"):
        url += "?" + environ["QUERY_STRING"]
    return url


def tell_url(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [PLAIN])
    return [url_of(environ).encode()]


@pytest.mark.parametrize("target", ["/", "/a/b", "/caf%C3%A9", "/a%20b?q=%C3%A9", "/a?", "/a:b", "//x"])
@pytest.mark.parametrize("host", ["shop.example", "shop.example:8080", "[::1]:81"])
def test_p75_the_url_is_the_one_that_was_asked_for(target: str, host: str) -> None:
    """P-75: with Host, port, a path that is not ASCII, an empty query."""
    with serving(tell_url) as server:
        assert server.get(target, f"Host: {host}").body.decode() == f"http://{host}{target.removesuffix('?')}"


def test_p75_absolute_form_decides_on_the_host() -> None:
    """P-75 and RFC 9112, section 3.2.2: the target's authority replaces Host."""
    with serving(tell_url) as server:
        answer = server.get("http://real.example:81/a?b", "Host: other.example")
    assert answer.body == b"http://real.example:81/a?b"


def test_p75_without_host() -> None:
    """P-75: an HTTP/1.0 request has none; the server's own name and port stand in."""
    with serving(tell_url) as server, server.connect() as client:
        answer = client.ask(b"GET /a HTTP/1.0\r\n\r\n")
        assert answer.body.startswith(b"http://")
        assert answer.body.endswith(f":{server.port}/a".encode())


def test_p76_middleware_around_the_response(path: Path) -> None:
    """P-76: a wrapper in another iterable is sent through that iterable, and closed through it."""
    bodies: list[Body] = []

    def app(environ: Any, start_response: Any) -> Body:
        start(start_response)
        bodies.append(Body(environ["wsgi.file_wrapper"](path.open("rb"))))
        return bodies[0]

    assert answer_to(app).body == CONTENT
    assert bodies[0].closings == 1
    bodies[0].blocks.close()  # type: ignore[attr-defined]
