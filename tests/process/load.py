"""Clients that never stop asking, and that notice everything: what a reload, a crash or a drain costs them.

with Load(server.port) as load:
    server.signal(signal.SIGHUP)
    until(lambda: "2" in load.versions, "the new version answers")
assert load.failures == []

One thread asks for all of them, each with a pause after its answer, so that the clients leave the machine
to the server. Half of the clients keep their connection, half open one for each request. A connection that
the server closes while no request is on it costs nobody anything (`reused_closed`). Whatever else does
not end in the answer that was asked for is a failure.
"""

import errno
import heapq
import os
import random
import re
import selectors
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tests.process.harness import eventually
from tests.serving import PATIENCE

EXPECTED = rb"version=(?P<version>\S+) pid=(?P<pid>\d+)\n"
_AFTER_FAILURE = 0.05
"""Seconds; arbitrary: a client that fails at once must not spin."""


class Served(NamedTuple):
    """One answer: as expected."""

    at: float
    took: float
    version: str
    pid: int


@dataclass(frozen=True)
class Failure:
    """One request that was not answered as it should. pid: who answered on this connection before, or None."""

    why: str
    at: float
    took: float
    pid: int | None


class _Wrong(Exception):
    """Ends the request as a failure."""


class _Client:
    """One client: resting, connecting, or waiting for its answer."""

    def __init__(self, kept: bool, pause: float) -> None:
        self.kept = kept
        self.pause = pause
        self.socket: socket.socket | None = None
        self.asked = 0.0
        self.waiting = False
        self.buffer = b""
        self.pid: int | None = None


class Load:
    """What is counted may be read while it runs.

    until_refused: a server that ends is what the test is about: a refused connection ends its client.
    """

    def __init__(
        self,
        port: int,
        *,
        kept: int = 6,
        fresh: int = 6,
        pause: float = 0.01,
        target: str = "/",
        expected: bytes = EXPECTED,
        spread: float = 0.02,
        until_refused: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """kept, fresh: how many clients keep their connection, and how many never do.

        pause: seconds between an answer and the client's next request, on average. spread: within so many
        seconds all have begun.
        """
        self.served: list[Served] = []
        self.failures: list[Failure] = []
        self.versions: Counter[str] = Counter()
        self.pids: Counter[int] = Counter()
        self.reused_closed = 0
        self.refused = 0
        self._address = ("127.0.0.1", port)
        head = f"GET {target} HTTP/1.1\r\nHost: example\r\n"
        self._requests = {True: f"{head}\r\n".encode(), False: f"{head}Connection: close\r\n\r\n".encode()}
        self._expected = re.compile(expected)
        self._until_refused = until_refused
        self._patience = patience
        self._spread = spread
        self._selector = selectors.DefaultSelector()
        self._clients = [_Client(number < kept, pause) for number in range(kept + fresh)]
        self._due: list[tuple[float, int]] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load")

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> "Load":
        """What was begun is waited for."""
        self._stopping.set()
        self._thread.join(self._patience * 2)
        assert not self._thread.is_alive()
        return self

    def join(self) -> "Load":
        """With until_refused: when all clients have been refused."""
        self._thread.join(self._patience * 2)
        assert not self._thread.is_alive(), "nobody refuses the clients"
        return self

    def wait_for_more(self, answers: int = 100) -> None:
        goal = self.answered + answers
        eventually(lambda: self.answered >= goal, f"{answers} more answers")

    def wait_for_version(self, version: str, patience: float = PATIENCE) -> None:
        eventually(lambda: version in self.versions, f"an answer of version {version}", patience=patience)

    def wait_for_all_of(self, pids: set[int]) -> None:
        eventually(lambda: pids <= set(self.pids), f"answers of all of {pids}")

    def wait_for_other_than(self, pids: set[int], patience: float = PATIENCE) -> None:
        eventually(lambda: set(self.pids) - pids, f"an answer of another than {pids}", patience=patience)

    # What came of it

    @property
    def answered(self) -> int:
        return len(self.served)

    @property
    def worst(self) -> float:
        """Seconds; the longest that anybody waited for an answer, or for the lack of one."""
        return max([item.took for item in self.served] + [item.took for item in self.failures], default=0.0)

    def percentile(self, share: float) -> float:
        """Seconds."""
        times = sorted(item.took for item in self.served)
        return times[min(len(times) - 1, int(len(times) * share))]

    def since(self, moment: float) -> list[Served]:
        """The answers to what was asked after that moment (time.monotonic())."""
        return [item for item in self.served[:] if item.at - item.took > moment]

    def summary(self) -> str:
        return (
            f"{self.answered} answered, {len(self.failures)} failed, worst {self.worst * 1000:.0f} ms, "
            f"99 % {self.percentile(0.99) * 1000:.1f} ms, {self.reused_closed} idle closed, "
            f"{len(self.pids)} workers, {len(self.versions)} versions"
        )

    # The load thread

    def _run(self) -> None:
        start = time.monotonic()
        for index in range(len(self._clients)):
            heapq.heappush(self._due, (start + self._spread * index / len(self._clients), index))
        while True:
            now = time.monotonic()
            busy = sum(client.waiting for client in self._clients)
            if (self._stopping.is_set() or not self._due) and not busy:
                break
            while self._due and self._due[0][0] <= now and not self._stopping.is_set():
                self._begin(self._clients[heapq.heappop(self._due)[1]])
            rest = self._due[0][0] - time.monotonic() if self._due else 0.05
            for key, _ in self._selector.select(max(0.0, min(rest, 0.05))):
                self._ready(key.data)
            self._give_up_late(time.monotonic())
        for client in self._clients:
            self._close(client)
        self._selector.close()

    def _begin(self, client: _Client) -> None:
        client.asked = time.monotonic()
        client.buffer = b""
        if client.socket is None:
            self._connect(client)
            return
        try:
            gone = client.socket.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            gone = False
        except OSError:
            gone = True
        if gone:
            self._idle_closed(client)
            self._connect(client)
        else:
            client.waiting = True
            self._guarded(client, self._send)

    def _connect(self, client: _Client) -> None:
        client.waiting, client.pid = True, None
        client.socket = socket.socket()
        client.socket.setblocking(False)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = client.socket.connect_ex(self._address)
        if code not in (0, errno.EINPROGRESS):
            self._end(client, os.strerror(code))
            return
        self._selector.register(client.socket, selectors.EVENT_WRITE, client)

    def _ready(self, client: _Client) -> None:
        if client.socket is None:
            return
        if not client.waiting:
            self._at_rest(client)
        elif self._selector.get_key(client.socket).events == selectors.EVENT_WRITE:
            code = client.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == errno.ECONNREFUSED and self._until_refused:
                self.refused += 1
                client.waiting = False
                self._close(client)
            elif code:
                self._end(client, f"connect: {os.strerror(code)}")
            else:
                self._selector.modify(client.socket, selectors.EVENT_READ, client)
                self._guarded(client, self._send)
        else:
            self._guarded(client, self._receive)

    def _guarded(self, client: _Client, step: Callable[[_Client], None]) -> None:
        try:
            step(client)
        except BlockingIOError:
            pass
        except (OSError, _Wrong) as error:
            self._end(client, str(error))

    def _send(self, client: _Client) -> None:
        assert client.socket is not None
        request = self._requests[client.kept]
        if client.socket.send(request) != len(request):
            raise _Wrong("the request did not fit the socket")

    def _receive(self, client: _Client) -> None:
        assert client.socket is not None
        block = client.socket.recv(65536)
        if not block:
            raise _Wrong(f"end of the stream after {len(client.buffer)} octets of the answer")
        client.buffer += block
        head, ends, body = client.buffer.partition(b"\r\n\r\n")
        if not ends:
            return
        length = re.search(rb"\r\ncontent-length: ?(\d+)", head, re.IGNORECASE)
        if head[:13] != b"HTTP/1.1 200 " or length is None:
            raise _Wrong(f"answered {client.buffer[:200]!r}")
        if len(body) >= int(length[1]):
            self._answered(client, body, closes=b"\r\nconnection: close" in head.lower())

    def _answered(self, client: _Client, body: bytes, *, closes: bool) -> None:
        found = self._expected.fullmatch(body)
        if not found:
            raise _Wrong(f"body {body[:200]!r}")
        now = time.monotonic()
        client.pid = int(found["pid"])
        item = Served(now, now - client.asked, found["version"].decode(), client.pid)
        self.served.append(item)
        self.versions[item.version] += 1
        self.pids[item.pid] += 1
        if closes or not client.kept:
            self._close(client)
        self._rest(client, client.pause * random.uniform(0.5, 1.5))

    def _at_rest(self, client: _Client) -> None:
        assert client.socket is not None
        try:
            block = client.socket.recv(65536)
        except OSError:
            block = b""
        if block:
            self._close(client)
            self.failures.append(Failure(f"{block[:80]!r} unasked", time.monotonic(), 0.0, client.pid))
        else:
            self._idle_closed(client)

    def _idle_closed(self, client: _Client) -> None:
        """Its time to ask again is in the queue already."""
        self.reused_closed += 1
        self._close(client)

    def _end(self, client: _Client, why: str) -> None:
        now = time.monotonic()
        self.failures.append(Failure(why, now, now - client.asked, client.pid))
        self._close(client)
        self._rest(client, max(client.pause, _AFTER_FAILURE))

    def _rest(self, client: _Client, seconds: float) -> None:
        client.waiting = False
        heapq.heappush(self._due, (time.monotonic() + seconds, self._clients.index(client)))

    def _close(self, client: _Client) -> None:
        if client.socket is not None:
            try:
                self._selector.unregister(client.socket)
            except KeyError:
                pass
            client.socket.close()
            client.socket = None

    def _give_up_late(self, now: float) -> None:
        for client in self._clients:
            if client.waiting and now - client.asked > self._patience:
                self._end(client, f"no answer within {self._patience} s")
