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
TEXT = ("Content-Type", "text/plain")


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


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """Twenty blocks and no Content-Length: the server chooses the framing. /wait rests after the first."""
    start_response("200 OK", [TEXT])
    yield CHUNK
    if environ["PATH_INFO"] == "/wait":
        time.sleep(SLEEP)
    for _ in range(CHUNKS - 1):
        yield CHUNK


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
