"""HTTP/1.1's Exchange: what the application answers, through H1Connection, into the outbox."""

import time
from collections.abc import Callable
from typing import BinaryIO

from pronghorn.errors import ClientDisconnected
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.states import Writing
from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead
from pronghorn.serve.clock import Clock
from pronghorn.serve.outbox import JOIN_MOST, Outbox

Observer = Callable[["H1Exchange", ResponseHead | None, int], None]
"""Told of each exchange that has ended: (exchange, the head that was sent, octets of content)."""


class Persistence:
    """Whether connections outlive their answers; the leader sets it, all connections of a worker share it."""

    __slots__ = ("persist",)

    def __init__(self, persist: bool) -> None:
        self.persist = persist


class H1Exchange:
    """One connection's exchanges, one after the other. The thread that runs the call."""

    __slots__ = (
        "_before",
        "_clock",
        "_h1",
        "_observer",
        "_outbox",
        "_persistence",
        "body",
        "environ",
        "head",
        "peer",
        "request",
        "reset",
        "sent",
        "started",
    )

    def __init__(
        self,
        h1: H1Connection,
        outbox: Outbox,
        clock: Clock,
        persistence: Persistence,
        peer: tuple[str, int] | None,
        observer: Observer | None,
    ) -> None:
        # Of the worker and the connection
        self._h1 = h1
        self._outbox = outbox
        self._clock = clock
        self._persistence = persistence
        self._observer = observer
        self.peer = peer
        # Of the request
        self.request: Request
        self.body: BinaryIO | None = None
        self.environ: dict[str, object] | None = None
        self.head: ResponseHead | None = None
        self._before = b""  # a head that leaves with the first content
        self.sent = 0
        self.started = 0.0
        self.reset = False
        """The connection must be reset: only so can the client see that the content is not complete."""

    def begin_call(self) -> None:
        """A call for `request` begins; only where an observer wants to know."""
        self.head = None
        self.sent = 0
        self.started = time.monotonic()

    def respond(self, head: ResponseHead, block: bytes) -> None:
        h1 = self._h1
        stamp, persist = self._clock.stamp, self._persistence.persist
        if len(block) <= JOIN_MOST:
            octets = h1.respond(self.request, head, block, stamp, persist)
            self._outbox.put(octets, h1.unread and h1.persistent)
        else:
            octets = h1.begin(self.request, head, len(block), stamp, persist)
            if h1.content_follows:
                self._outbox.put_large(octets, block)
            else:
                self._outbox.put(octets)
            h1.end()
        if self._observer is not None:
            self._observer(self, head, 0 if self.request.line.method == "HEAD" else len(block))

    def inform(self, lines: bytes) -> None:
        if self.request.line.version == "HTTP/1.1":
            self._outbox.put(lines)

    def begin(self, head: ResponseHead, length: int | None) -> bool:
        self.head = head
        self._before = self._h1.begin(
            self.request, head, length, self._clock.stamp, self._persistence.persist
        )
        return self._h1.content_follows

    def send(self, block: bytes) -> None:
        outbox = self._outbox
        self.sent += len(block)
        before, behind = self._h1.frame(len(block))
        before = self._before + before
        self._before = b""
        if len(block) <= JOIN_MOST:
            outbox.put(before + block + behind)
        else:
            outbox.put_large(before, block)
            if behind:
                outbox.put(behind)
        outbox.wait_for_room()

    def send_file(self, file: int, offset: int, count: int) -> None:
        before, behind = self._h1.frame(count)
        self._outbox.put(self._before + before)
        self._before = b""
        self._outbox.put_file(file, offset, count)
        if behind:
            self._outbox.put(behind)
        self.sent += count

    def end(self) -> None:
        octets = self._before + self._h1.end()
        self._before = b""
        if octets:
            self._outbox.put(octets)
        if self._observer is not None:
            self._observer(self, self.head, self.sent)

    def abort(self) -> None:
        self.reset = self._h1.until_close and self._h1.writing is Writing.BODY
        self._h1.cut()
        if self._before and not self._outbox.broken:
            try:
                self._outbox.put(self._before)
            except ClientDisconnected:
                pass
        self._before = b""
        if self._observer is not None:
            self._observer(self, self.head, self.sent)
