"""HTTP/1.1's Exchange: what the application answers, through H1Connection, into the outbox."""

import math
import threading
from collections.abc import Callable
from enum import IntEnum
from time import monotonic  # not looked up in its module for each request: 0.02 µs

from pronghorn.errors import ClientDisconnected
from pronghorn.http.exchange import Exchange
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.states import Writing
from pronghorn.http.request import NO_REQUEST
from pronghorn.http.response import NO_CONTENT, ResponseHead
from pronghorn.observe.asked import Asked
from pronghorn.serve.clock import Clock
from pronghorn.serve.outbox import JOIN_MOST, Outbox

Observer = Callable[["H1Exchange", ResponseHead | None, int], None]
"""Told of each exchange that has ended: (exchange, the head that was sent, octets of content)."""


class Persistence:
    """Whether connections outlive their answers; the leader sets it, all connections of a worker share it."""

    __slots__ = ("persist",)

    def __init__(self, persist: bool) -> None:
        self.persist = persist


class H1Exchange(Exchange):
    """One connection's exchanges, one after the other. The thread that runs the call."""

    __slots__ = (
        "_before",
        "_clock",
        "_h1",
        "_observer",
        "_outbox",
        "_persistence",
        "asked",
        "environ",
        "head",
        "peer",
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
        super().__init__()
        # Of the worker and the connection
        self._h1 = h1
        self._outbox = outbox
        self._clock = clock
        self._persistence = persistence
        self._observer = observer
        self.peer = peer
        self.asked: Asked | None = None
        # Of the request
        self.environ: dict[str, object] | None = None
        """For the observer, who is told of the end; the next request may take long to come, so not longer."""
        self.head: ResponseHead | None = None
        self._before = b""  # a head that leaves with the first content
        self.sent = 0
        self.started = 0.0
        self.reset = False
        """The connection must be reset: only so can the client see that the content is not complete."""

    def begin_call(self, environ: dict[str, object] | None) -> None:
        """A call for `request` begins; only where somebody wants to know when, or its environ."""
        self.environ = environ
        self.started = monotonic()

    def forget(self) -> None:
        """The last request is over for good: what the application put into its environ may go."""
        self.request = NO_REQUEST
        self.environ = None
        self.head = None
        self.asked = None

    def respond(self, head: ResponseHead, block: bytes, goes_on: bool = False) -> None:
        h1 = self._h1
        stamp, persist = self._clock.stamp, self._persistence.persist
        if len(block) <= JOIN_MOST:
            octets = h1.respond(self.request, head, block, stamp, persist)
            outbox, more = self._outbox, h1.unread and h1.persistent
            if more and goes_on:
                # Pipelined answers wait for each other, but none for what an application does behind it.
                outbox.slow = False
                outbox.hold(octets)
            elif outbox.lead and not more:
                outbox.keep(octets)
            else:
                outbox.put(octets, more)
        else:
            octets = h1.announce(self.request, head, len(block), stamp, persist)
            if h1.content_follows:
                self._outbox.put_large(octets, block)
            else:
                self._outbox.put(octets)
        if self._observer is not None:
            sent = len(block)
            # Two flags first: the question itself takes 0.05 µs.
            if not (self.request.simple and head.ordinary) and (
                self.request.line.method == "HEAD" or head.code in NO_CONTENT
            ):
                sent = 0
            self._observer(self, head, sent)
            self.environ = None

    def inform(self, lines: bytes) -> None:
        if self.request.line.version == "HTTP/1.1":
            self._outbox.put(lines)

    def begin(self, head: ResponseHead, length: int | None) -> bool:
        self.head = head
        self._before = self._h1.begin(
            self.request, head, length, self._clock.stamp, self._persistence.persist
        )
        self._outbox.slow = False
        return self._h1.content_follows

    def send(self, block: bytes) -> None:
        outbox = self._outbox
        self.sent += len(block)
        before, behind = self._h1.frame(len(block))
        before = self._before + before
        self._before = b""
        if len(block) <= JOIN_MOST:
            outbox.hold(before + block + behind)
        else:
            outbox.put_large(before, block)
            if behind:
                outbox.put(behind)
        if outbox.waiting:
            outbox.wait_for_room()

    def send_file(self, file: int, offset: int, count: int) -> None:
        before, behind = self._h1.frame(count)
        octets = self._before + before
        self._before = b""
        self._outbox.put_file(file, offset, count, octets)
        if behind:
            self._outbox.put(behind)
        self.sent += count

    def end(self) -> None:
        octets = self._before + self._h1.end()
        self._before = b""
        if octets:
            self._outbox.put(octets)
        else:
            self._outbox.release()  # what was held back
        if self._observer is not None:
            self._tell(self._observer)

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
            self._tell(self._observer)

    def _tell(self, observer: Observer) -> None:
        """Of the end of what was begun, or of nothing."""
        observer(self, self.head, self.sent)
        self.environ = None
        self.head = None
        self.sent = 0


class Progress(IntEnum):
    """How far an answer is."""

    NOTHING = 0
    """No final response; there may have been interim ones."""
    BEGUN = 1
    ENDED = 2


NOTHING, BEGUN, ENDED = Progress


class Guard:
    """Held by whoever sends, in the thread of the call; the leader may only try it.

    Once the exchange is seized nobody takes the lock any more: RequestTimeout may interrupt that thread
    anywhere, even between the lock and the `with`.
    """

    __slots__ = ("_lock", "_seized")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seized = False

    def __enter__(self) -> None:
        if self._open():
            self._lock.acquire()
            if self._open():
                return
            self._lock.release()
        raise ClientDisconnected("the request took too long, the client has been answered")

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _open(self) -> bool:
        return not self._seized

    def seize(self, may: Callable[[], bool]) -> bool:
        """If `may` says so, while nobody sends. False: it did not, or somebody is sending."""
        if not self._lock.acquire(blocking=False):
            return False
        self._seized = may()
        self._lock.release()
        return self._seized


class SeizableExchange(H1Exchange):
    """An exchange that the leader can take from a call which lasts too long (--request-timeout).

    The leader gets it only while the call's thread sends nothing, and from then on that thread cannot send:
    so exactly one of them answers. A thread that waits for a slow client is sending; the time limit for
    that is another one (--write-timeout).
    """

    __slots__ = ("_guard", "own", "progress", "until")

    def __init__(
        self,
        h1: H1Connection,
        outbox: Outbox,
        clock: Clock,
        persistence: Persistence,
        peer: tuple[str, int] | None,
        observer: Observer | None,
    ) -> None:
        super().__init__(h1, outbox, clock, persistence, peer, observer)
        self._guard = Guard()
        # Of the request
        self.progress = NOTHING
        self.own: float | None = None
        """Seconds that this request may take, where its route says so."""
        self.until = 0.0

    def begin_call(self, environ: dict[str, object] | None) -> None:
        super().begin_call(environ)
        self.progress = NOTHING
        self.until = 0.0
        self.own = None

    def limit(self, seconds: float) -> None:
        """This request's route has a time limit of its own; 0 for none. The call's thread, as it begins."""
        self.own = seconds or math.inf

    def extend(self, seconds: float) -> None:
        """`pronghorn.extend_deadline`: this request may take so many seconds from now. Raises ValueError.

        It never brings the deadline nearer; `inf` lifts it. Any thread, while the call lasts.
        """
        seconds = float(seconds)
        if math.isnan(seconds) or seconds < 0:
            raise ValueError(f"extend_deadline() takes seconds from now, not {seconds}")
        self.until = max(self.until, monotonic() + seconds)

    def seize(self, even_ended: bool) -> bool:
        """Leader only. False: the thread is sending right now.

        even_ended: also if its answer is complete, so that the call may be about to end.
        """
        return self._guard.seize(lambda: even_ended or self.progress is not ENDED)

    def rest(self) -> H1Exchange:
        """What the leader does the rest with, after `seize`."""
        rest = H1Exchange(self._h1, self._outbox, self._clock, self._persistence, self.peer, self._observer)
        rest.request = self.request
        rest.environ = self.environ
        rest.head = self.head
        rest._before = self._before
        rest.sent = self.sent
        rest.started = self.started
        rest.reset = self.reset
        return rest

    def respond(self, head: ResponseHead, block: bytes, goes_on: bool = False) -> None:
        with self._guard:
            self.progress = BEGUN
            super().respond(head, block, goes_on)
            self.progress = ENDED

    def inform(self, lines: bytes) -> None:
        with self._guard:
            super().inform(lines)

    def begin(self, head: ResponseHead, length: int | None) -> bool:
        with self._guard:
            self.progress = BEGUN
            return super().begin(head, length)

    def send(self, block: bytes) -> None:
        with self._guard:
            super().send(block)

    def send_file(self, file: int, offset: int, count: int) -> None:
        with self._guard:
            super().send_file(file, offset, count)

    def end(self) -> None:
        with self._guard:
            super().end()
            self.progress = ENDED

    def abort(self) -> None:
        try:
            with self._guard:
                super().abort()
                self.progress = ENDED
        except ClientDisconnected:
            pass  # it is seized
