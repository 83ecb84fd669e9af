"""A real server in this process, and a client that takes nothing on trust.

with serving(app, threads=2) as server:
    answer = server.get("/path")
    assert answer.status == 200
"""

import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pronghorn.http.limits import Limits
from pronghorn.net.address import Address
from pronghorn.net.listen import bind
from pronghorn.observe.access import AccessLog
from pronghorn.serve.deadlines import Deadlines
from pronghorn.serve.interrupt import interrupt
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.worker import Worker

PATIENCE = 10.0
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)")
FIELD_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\t\x20-\x7e\x80-\xff]*)")


class CutOff(Exception):
    """The server closed the connection in the middle of an answer; `partial` is what came of the body."""

    def __init__(self, partial: bytes, answer: "Answer | None" = None) -> None:
        super().__init__(f"cut off after {len(partial)} bytes of the body")
        self.partial = partial
        self.answer = answer


class Fields:
    """The fields of an answer."""

    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def one(self, name: str) -> str | None:
        """The value of a field that may occur once at most."""
        values = self.all(name)
        assert len(values) <= 1, f"{name} occurs {len(values)} times"
        return values[0] if values else None


class Answer(Fields):
    """One final response, with the interim ones before it."""

    def __init__(self, status: int, reason: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.reason = reason.decode("latin-1")
        self.fields = [(name.decode("ascii"), value.decode("latin-1")) for name, value in fields]
        self.body = b""
        self.chunks: list[bytes] = []
        self.interim: list[Answer] = []

    @property
    def closes(self) -> bool:
        return "close" in [option.strip().lower() for option in ",".join(self.all("connection")).split(",")]


class Client:
    """One connection. Every read has a deadline; whatever breaks RFC 9112 is an AssertionError."""

    def __init__(self, address: Any, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.socket = socket.socket(family)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.buffer = b""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_each(self, pieces: Iterable[bytes]) -> None:
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.socket.sendall(piece)

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def read_to_end(self) -> bytes:
        """Everything until the server closes."""
        while block := self.socket.recv(65536):
            self.buffer += block
        data, self.buffer = self.buffer, b""
        return data

    def assert_end(self) -> None:
        assert self.read_to_end() == b"", "bytes after the last answer"

    def ask(self, request: bytes, *, method: str = "") -> Answer:
        self.send(request)
        return self.read_answer(method or request.split(b" ", 1)[0].decode("latin-1"))

    def read_answer(self, method: str = "GET") -> Answer:
        """The next final answer; `method` is the request's, which decides on the body."""
        interim = []
        while (answer := self._read_head()).status < 200:
            interim.append(answer)
        answer.interim = interim
        try:
            self._read_body(answer, method)
        except CutOff as cut:
            answer.body = cut.partial
            cut.answer = answer
            raise
        return answer

    def read_until(self, marker: bytes) -> bytes:
        """Raw bytes up to and with the marker."""
        while marker not in self.buffer:
            self._more(b"")
        end = self.buffer.index(marker) + len(marker)
        data, self.buffer = self.buffer[:end], self.buffer[end:]
        return data

    def _read_head(self) -> Answer:
        lines = self.read_until(b"\r\n\r\n")[:-4].split(b"\r\n")
        start = STATUS_LINE.fullmatch(lines[0])
        assert start, f"no status line: {lines[0]!r}"
        fields = []
        for line in lines[1:]:
            field = FIELD_LINE.fullmatch(line)
            assert field, f"no field line: {line!r}"
            fields.append((field[1], field[2]))
        return Answer(int(start[1]), start[2], fields)

    def _read_body(self, answer: Answer, method: str) -> None:
        coding, length = answer.one("transfer-encoding"), answer.one("content-length")
        assert coding is None or length is None, "both Content-Length and Transfer-Encoding"
        if answer.status == 204:
            assert coding is None and length is None, "204 with framing"
        if method == "HEAD" or answer.status in (204, 304):
            return
        if coding is not None:
            assert coding == "chunked"
            self._read_chunks(answer)
        elif length is not None:
            assert re.fullmatch("[0-9]+", length), f"Content-Length {length!r}"
            answer.body = self._take(int(length), b"")
        else:
            assert answer.closes, "neither framing nor close"
            answer.body = self.read_to_end()

    def _read_chunks(self, answer: Answer) -> None:
        body = b""
        while True:
            line = self._line(body)
            assert re.fullmatch(b"[0-9A-Fa-f]{1,16}", line), f"chunk size {line!r}"
            size = int(line, 16)
            if not size:
                break
            chunk = self._take(size, body)
            answer.chunks.append(chunk)
            body += chunk
            assert self._take(2, body) == b"\r\n", "no line end after a chunk"
        assert self._line(body) == b"", "a trailer that nobody asked for"
        answer.body = body

    def _line(self, so_far: bytes) -> bytes:
        while b"\r\n" not in self.buffer:
            self._more(so_far)
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line

    def _take(self, size: int, so_far: bytes) -> bytes:
        pieces, missing = [self.buffer[:size]], size - len(self.buffer)
        self.buffer = self.buffer[size:]
        while missing > 0:
            block = self.socket.recv(min(missing, 1 << 20))
            if not block:
                raise CutOff(so_far + b"".join(pieces))
            pieces.append(block)
            missing -= len(block)
        return b"".join(pieces)

    def _more(self, so_far: bytes) -> None:
        block = self.socket.recv(65536)
        if not block:
            raise CutOff(so_far + self.buffer)
        self.buffer += block


class _Records(logging.Handler):
    """Keeps what was logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.arrived = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.arrived:
            self.records.append(record)
            self.arrived.notify_all()

    def text(self) -> str:
        with self.arrived:
            return "\n".join(self.format(record) for record in self.records)


class Server:
    """What a test may ask of the server beside it."""

    def __init__(self, worker: Worker, listeners: list[Any], thread: threading.Thread, log: _Records) -> None:
        self.worker = worker
        self.listeners = listeners
        self.thread = thread
        self._log = log
        self.family = listeners[0].socket.family
        self.address = listeners[0].socket.getsockname()
        self.port = self.address[1] if self.family == socket.AF_INET else 0

    @property
    def log(self) -> str:
        """Everything in the error log so far."""
        return self._log.text()

    def wait_for_log(self, text: str) -> str:
        """The log, once it holds the text."""
        with self._log.arrived:
            found = self._log.arrived.wait_for(lambda: text in self._log.text(), PATIENCE)
        assert found, f"{text!r} was not logged, but: {self.log!r}"
        return self.log

    def connect(self) -> Client:
        return Client(self.address, self.family)

    def get(self, target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        """One request on a connection of its own, which must end with its answer."""
        request = head(method, target, *fields, "Connection: close", length=len(body) if body else None)
        with self.connect() as client:
            answer = client.ask(request + body)
            assert answer.closes
            client.assert_end()
        return answer


def head(method: str, target: str, *fields: str, length: int | None = None, version: str = "1.1") -> bytes:
    """A request's head, latin-1; Host is `example` unless a field says otherwise."""
    lines = [f"{method} {target} HTTP/{version}"]
    if not any(field.lower().startswith("host:") for field in fields):
        lines.append("Host: example")
    lines += fields
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def until(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.001)


@contextmanager
def serving(
    app: Callable[..., Any],
    *,
    address: str = "127.0.0.1:0",
    limits: Limits | None = None,
    access: AccessLog | None = None,
    prepare: Callable[[Worker], None] | None = None,
    tls: ssl.SSLContext | None = None,
    **options: Any,
) -> Iterator[Server]:
    """A worker in a thread, on a port of its own; the keywords are those of ServeOptions.

    prepare: called with the worker before it runs.
    """
    listeners = bind(Address.parse(address), 128)
    if tls is not None:
        for listener in listeners:
            listener.socket = tls.wrap_socket(listener.socket, server_side=True)
    log = _Records()
    log.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    errors = logging.Logger("served", logging.DEBUG)
    errors.addHandler(log)
    worker = Worker(app, listeners, ServeOptions(**options), limits or Limits(), errors=errors, access=access)
    if worker.options.request_timeout:
        worker.deadlines = Deadlines(worker, interrupt)
    if prepare is not None:
        prepare(worker)
    thread = threading.Thread(target=worker.run, name="served", daemon=True)  # a hang fails its test
    thread.start()
    try:
        yield Server(worker, listeners, thread, log)
    finally:
        worker.stop(graceful=False)
        thread.join(PATIENCE)
        for listener in listeners:
            listener.close()
    assert not thread.is_alive(), "the worker did not stop"
