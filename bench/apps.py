"""The applications under measurement: each does as little as its profile allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

HELLO = b"Hello, world!\n"
LARGE = bytes(range(32, 127)) * 1052 + b"." * 60
CHUNK = b"x" * 99 + b"\n"
CHUNKS = 20
SLEEP = 0.3
COMPUTE = 0.030
REST = 0.010
STAMP_PAUSE = 0.004
STAMP_DIGITS = 20
TEXT = ("Content-Type", "text/plain")

_made: dict[int, bytes] = {}


def hello(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", "14")])
    return [HELLO]


def post(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with the length of the request body."""
    source = environ["wsgi.input"]
    body = b"%d" % len(source.read(int(environ["CONTENT_LENGTH"])))
    start_response("200 OK", [TEXT, ("Content-Length", str(len(body)))])
    return [body]


def large(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    start_response("200 OK", [TEXT, ("Content-Length", "100000")])
    return [LARGE]


def sized(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """As many bytes as the path says, made once."""
    size = int(environ["PATH_INFO"][1:])
    body = _made.get(size)
    if body is None:
        body = _made[size] = b"x" * size
    start_response("200 OK", [TEXT, ("Content-Length", str(size))])
    return [body]


def rest(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Waits as for a database."""
    time.sleep(REST)
    return hello(environ, start_response)


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Twenty blocks and no Content-Length: the server chooses the framing.

    At /stamped each begins with the time at which it was yielded, in ns of the monotonic clock, which all
    processes share, and a pause follows it.
    """
    start_response("200 OK", [TEXT])
    if environ["PATH_INFO"] != "/stamped":
        for _ in range(CHUNKS):
            yield CHUNK
        return
    for _ in range(CHUNKS):
        yield b"%0*d%s" % (STAMP_DIGITS, time.monotonic_ns(), CHUNK[STAMP_DIGITS:])
        time.sleep(STAMP_PAUSE)


def beside(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Quick at /, asleep at /slow, computing at /busy."""
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(SLEEP)
    elif path == "/busy":
        compute()
    return hello(environ, start_response)


def compute() -> int:
    """Plain Python until this thread has used COMPUTE seconds of processor time."""
    done = time.thread_time() + COMPUTE
    total = 0
    while time.thread_time() < done:
        for number in range(500):
            total += number * number % 7
    return total
