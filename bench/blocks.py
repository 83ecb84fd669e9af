"""Does a server stream? Each block of /stamped says when it was yielded, and must be here soon after."""

from __future__ import annotations

import re
import socket
import statistics
import time

from bench import apps
from bench.process import WrongAnswer

LIMIT_MS = 2.0
# The kernel may be late, too: one stream of these in which all blocks were in time is enough.
ATTEMPTS = 5
TIMEOUT = 3.0
# Streams before, on the same connection, as in the load. On a new one Linux acknowledges segments at once.
# Later it may take 40 ms, and so does a block of a server that leaves Nagle's algorithm on (RFC 896).
USED = 2
CHUNKED = re.compile(rb"^transfer-encoding: *chunked\r$", re.IGNORECASE | re.MULTILINE)
STAMP = re.compile(rb"[0-9]{%d}(?=x)" % apps.STAMP_DIGITS)


def lateness(port: int) -> float:
    """Median of the milliseconds between a block's being yielded and its arrival.

    Raises WrongAnswer when in each attempt some block took more than LIMIT_MS.
    """
    worst: list[float] = []
    for _ in range(ATTEMPTS):
        try:
            late = _stream(port)
        except TimeoutError as error:
            raise WrongAnswer(f"no complete stream within {TIMEOUT:.0f} s") from error
        except OSError as error:
            raise WrongAnswer(f"no stream: {error}") from error
        worst.append(max(late))
        if worst[-1] <= LIMIT_MS:
            return statistics.median(late)
    raise WrongAnswer(f"does not stream: a block arrives {min(worst):.1f} ms after it was yielded")


def _stream(port: int) -> list[float]:
    """How late each block of the last stream of a connection came, in milliseconds."""
    late: list[float] = []
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as client:
        for _ in range(USED + 1):
            try:
                late = _answer(client, port)
            except ConnectionError:
                if not late:
                    raise
                break  # to this server each connection is new
    return late


def _answer(client: socket.socket, port: int) -> list[float]:
    """Raises ConnectionError if the connection is at its end."""
    late: list[float] = []
    client.sendall(f"GET /stamped HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    received = b""
    while len(late) < apps.CHUNKS or (CHUNKED.search(received) and not received.endswith(b"\r\n0\r\n\r\n")):
        block = client.recv(65536)
        now = time.monotonic_ns()
        if not block:
            if late:
                raise WrongAnswer(f"the stream ended after {len(late)} of {apps.CHUNKS} blocks")
            raise ConnectionError("the connection was closed")
        received += block
        stamps = STAMP.findall(received)
        late += [(now - int(stamp)) / 1e6 for stamp in stamps[len(late) :]]
    return late
