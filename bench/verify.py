"""Is the answer right? Asked of each server before each measurement, with http.client."""

from __future__ import annotations

import contextlib
import http.client
import io
import select
import socket
import time
from typing import IO, Any

from bench.process import WrongAnswer
from bench.profiles import Profile

TIMEOUT = 3.0
WARM_UP = 0.1


class _Shared(io.BufferedReader):
    """Several responses are read from one connection, and each closes what it reads from."""

    def close(self) -> None:
        pass


class _Wire:
    """One connection, as http.client.HTTPResponse wants it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.raw = self.socket.makefile("rb", buffering=0)
        self.shared = _Shared(self.raw)

    def makefile(self, *_: Any) -> IO[bytes]:
        return self.shared

    def exchange(self, data: bytes, responses: int) -> list[tuple[int, bytes, bool]]:
        """Status, body, and whether the server ends the connection, for each response."""
        self.socket.sendall(data)
        return [self._response() for _ in range(responses)]

    def _response(self) -> tuple[int, bytes, bool]:
        response = http.client.HTTPResponse(self)  # type: ignore[arg-type]
        response.begin()
        return response.status, response.read(), response.will_close

    def ended(self) -> bool:
        """Has the server closed the connection?"""
        self.socket.settimeout(1.0)
        try:
            return not self.socket.recv(1)
        except TimeoutError:
            return False

    def close(self) -> None:
        self.raw.close()
        self.socket.close()


def verify(profile: Profile, port: int, exact: bool = True) -> str:
    """Check and warm up. Return a note for the table, mostly empty.

    exact: compare the body's bytes, not only their number (the floor answers a row of x).
    Raises WrongAnswer, which says what is wrong.
    """
    deadline = time.monotonic() + WARM_UP
    number, note = 0, ""
    while True:
        wire = _connect(port)
        try:
            while True:
                number += 1
                closed = _check(profile, wire, port, number, exact)
                if closed and not profile.close:
                    note = "closes each connection"
                if time.monotonic() > deadline:
                    return note
                if closed:
                    break
        except (OSError, http.client.HTTPException) as error:
            raise WrongAnswer(_sentence(error, number)) from error
        finally:
            wire.close()


def newcomer(profile: Profile, port: int, seconds: float) -> bool:
    """Is any of a few new clients, who come one after the other, answered while the load goes on?"""
    end = time.monotonic() + seconds
    with contextlib.ExitStack() as stack:
        clients: list[socket.socket] = []
        while (now := time.monotonic()) < end:
            try:
                client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=end - now))
                client.sendall(profile.request(port))
            except OSError:
                return False
            clients.append(client)
            ready, _, _ = select.select(clients, [], [], min(seconds / 4, max(0, end - time.monotonic())))
            if any(_answers(client) for client in ready):
                return True
    return False


def _answers(client: socket.socket) -> bool:
    try:
        return client.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _connect(port: int) -> _Wire:
    try:
        return _Wire(port)
    except OSError as error:
        raise WrongAnswer(f"connection refused: {error}") from error


def _check(profile: Profile, wire: _Wire, port: int, number: int, exact: bool) -> bool:
    batch = b"".join(profile.request(port, number + i) for i in range(profile.batch))
    answers = wire.exchange(batch, profile.batch)
    for status, body, _ in answers:
        if status != 200:
            raise WrongAnswer(f"status {status}")
        if profile.close and not wire.ended():
            raise WrongAnswer("keeps the connection, though asked to close it")
        if len(body) != len(profile.answer) or (exact and body != profile.answer):
            raise WrongAnswer(f"wrong body: {len(body)} bytes, not the {len(profile.answer)} expected")
    return profile.close or answers[-1][2]


def _sentence(error: Exception, number: int) -> str:
    if isinstance(error, TimeoutError):
        return f"no complete answer within {TIMEOUT:.0f} s (request {number})"
    return f"{type(error).__name__} at request {number}: {error}"
