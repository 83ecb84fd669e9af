"""The per-request deadline (--request-timeout): what is done about a call that lasts too long.

    worker.deadlines = Deadlines(worker, interrupt)     # before run

1. The client: the leader seizes the exchange, so that the call's thread can send nothing more, and answers
   504 itself; an answer that was begun is cut off. Where the thread is does not matter.
2. The log: the request and the stacks of all threads.
3. The thread: RequestTimeout is raised in it, at most once for each call, and only while it runs that call.
4. The process: if the call has not ended GRACE seconds later, `worker.stuck` is told.

A request that waits too long for a thread is answered 503, and never run.
"""

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from pronghorn.errors import RequestTimeout
from pronghorn.serve.calls import Call, stack, stacks
from pronghorn.serve.h1_exchange import Progress, SeizableExchange
from pronghorn.serve.orphan import Orphan
from pronghorn.serve.phases import CALL, QUEUED, RETURNED
from pronghorn.serve.refusals import BUSY
from pronghorn.serve.timers import NEVER

if TYPE_CHECKING:
    from pronghorn.serve.connection import Connection
    from pronghorn.serve.worker import Worker

Interrupt = Callable[[int, type[BaseException] | None], None]
"""Raise an exception in the thread of this identifier; None: not after all, if it has not been raised yet."""

GRACE = 2.0
"""Seconds that a call has to end after RequestTimeout was raised in it."""

_AGAIN = 0.05
"""Seconds until another try, where a thread sends or holds a lock right now."""

_AGAIN_LATER = 1.0
"""After GRACE, for a thread that could not be interrupted yet."""

_ALL_STACKS_EVERY = 1.0
"""Seconds. Arbitrary: where many requests time out at once, the log shows all threads once, and of the others
only the one that is meant. Each stack costs some 0.1 ms."""

_LOCKING = frozenset({"acquire", "release", "__enter__", "__exit__", "_acquire_restore", "_release_save"})

_OUTCOME = {
    Progress.NOTHING: "answered with 504",
    Progress.BEGUN: "its answer is cut off",
    Progress.ENDED: "its answer was complete, but the call goes on",
}


class Deadlines:
    """Leader only, but for `come_back`. It stands among the timers like a connection (timers.Timed)."""

    def __init__(self, worker: "Worker", interrupt: Interrupt | None, least: float = NEVER) -> None:
        """interrupt: None where exceptions cannot be raised in other threads. least: the shortest time limit
        that a route has, in seconds."""
        self.deadline = NEVER
        self.bucket = 0
        self.due = NEVER
        self._worker = worker
        self._interrupt = interrupt
        self._timeout = worker.options.request_timeout or NEVER
        self._least = min(least, self._timeout)
        self._queued: dict[Connection, float] = {}  # since when, oldest first; some do not wait any more
        self._all_stacks_at = 0.0

    @property
    def unwinding(self) -> bool:
        """Whether calls whose clients are gone still have their time to end."""
        return any(call.seized_at is not None and not call.given_up for call in self._worker.calls.running())

    # What is to be looked at

    def begun(self, call: Call) -> None:
        self._alarm(call.since + self._least)

    def queued(self, connection: "Connection") -> None:
        """It waits for a thread. The call of one that waited is not announced otherwise: it is due later."""
        now = time.monotonic()
        self._queued.pop(connection, None)
        self._queued[connection] = now
        self._alarm(now + self._timeout)

    def _alarm(self, at: float) -> None:
        if at < self.deadline:
            self.deadline = at
            self._worker.timers.watch(self)

    def expired(self) -> None:
        """The timer: look at everything, and when to look again."""
        self.deadline = NEVER
        now = time.monotonic()
        try:
            for connection, since in list(self._queued.items()):
                self._look_at_queued(connection, since, now)
                if now < since + self._timeout:
                    break  # the others came later
            for call in self._worker.calls.running():
                self._alarm(self._look_at(call, now))
        except BaseException:  # a defect of ours, which must not cost the others their deadlines
            self._alarm(now + _AGAIN_LATER)
            raise

    # Requests that wait for a thread

    def _look_at_queued(self, connection: "Connection", since: float, now: float) -> None:
        if connection.phase is not QUEUED:
            del self._queued[connection]
            return
        if now < since + self._timeout:
            self._alarm(since + self._timeout)
            return
        if not self._worker.crew.withdraw(connection):
            self._alarm(now + _AGAIN)  # a thread is just taking it
            return
        del self._queued[connection]
        exchange = connection.exchange
        line = exchange.request.line
        self._worker.log.error(
            "%s %s waited %.1f s for a thread: answered with 503", line.method, line.target, now - since
        )
        exchange.begin_call(None)
        exchange.started = since
        connection.phase = CALL  # the leader's own
        connection.answer(BUSY)

    # Calls

    def _look_at(self, call: Call, now: float) -> float:
        """What is to be done about it; gives when to look again."""
        connection = call.connection
        if connection.phase is RETURNED:
            return NEVER  # it has been posted, or is about to be
        if call.seized_at is not None:
            return self._urge(call, now)
        exchange = connection.exchange
        assert isinstance(exchange, SeizableExchange)
        if connection.phase is not CALL:
            return now + _AGAIN  # its thread has not come to it yet
        limit = self._timeout if exchange.own is None else exchange.own
        due = max(call.since + limit, exchange.until)
        if now < due:
            return due
        # The client that has its whole answer may be about to send the next request: leave it its connection
        # while the call may still be about to end.
        if not exchange.seize(even_ended=now >= due + GRACE):
            return now + _AGAIN
        # From here on its thread touches neither the protocol's state nor the socket: both are the leader's.
        connection.seized = call
        call.seized_at = now
        orphan = Orphan(connection, exchange)
        orphan.finish(exchange.progress)
        self._tell(call, now, limit, _OUTCOME[exchange.progress])
        return self._urge(call, now)

    def _urge(self, call: Call, now: float) -> float:
        """Its client is gone: get the thread out of the call."""
        if not call.raised:
            self._raise_in(call)
        assert call.seized_at is not None
        end = call.seized_at + GRACE
        if now >= end and not call.given_up:
            call.given_up = True
            self._give_up(f"a call of {call} does not end")
        if call.raised or self._interrupt is None:
            return NEVER if call.given_up else end
        return now + (_AGAIN_LATER if call.given_up else _AGAIN)

    def _give_up(self, reason: str) -> None:
        worker = self._worker
        worker.log.error("%s: this process should be replaced", reason)
        stuck, worker.stuck = worker.stuck, None
        if stuck is not None:
            stuck(reason)

    def _raise_in(self, call: Call) -> None:
        """RequestTimeout in the call's thread, if that is possible right now."""
        thread = call.member.ident
        # The thread sets RETURNED before it looks at `seized`, and we the other way round: while we see CALL,
        # it has yet to come to `come_back`, and will find its call seized there.
        if (
            self._interrupt is None
            or call.connection.phase is not CALL
            or _is_delicate(sys._current_frames().get(thread))
        ):
            return
        try:
            call.right.pop()
        except IndexError:
            return  # it has just come back
        try:
            self._interrupt(thread, RequestTimeout)
        finally:
            call.raised = True

    def _tell(self, call: Call, now: float, limit: float, outcome: str) -> None:
        worker = self._worker
        if now >= self._all_stacks_at:
            self._all_stacks_at = now + _ALL_STACKS_EVERY
            where = stacks(worker.calls.running(), worker.crew.roles(), call)
        else:
            where = stack(call.member.ident).rstrip("\n")
        worker.log.error(
            "%s has run for %.1f s, --request-timeout is %g s: %s\n%s",
            call,
            now - call.since,
            limit,
            outcome,
            where,
        )

    # The thread

    def come_back(self, connection: "Connection") -> None:
        """The thread that ran its call, before it does anything else; only if it had lost the lead.

        Until this has ended, RequestTimeout may arrive anywhere, even in here; its caller calls again then.
        Afterwards it cannot. So no lock of the crew, nor any other of the worker's that is taken outside of
        a call, is ever interrupted. There is no lock in here either: an exception could arrive between it
        and its `with`. `list.pop` is atomic, and whose call's right is gone is not interrupted any more.
        """
        connection.phase = RETURNED
        call = connection.seized
        if call is None or self._interrupt is None:
            return
        try:
            call.right.pop()
        except IndexError:
            while not call.raised:
                time.sleep(0)  # the leader is just about to
            self._interrupt(threading.get_ident(), None)


def _is_delicate(frame: FrameType | None) -> bool:
    """Whether a thread should not be interrupted where it is.

    Between taking a lock and the `try` that gives it back is such a place, and so is the server's own code.
    A thread that waits for a lock within `acquire` could not be reached before it has it anyway. This is a
    look, not a guarantee: the thread may have gone on meanwhile.
    """
    if frame is None:
        return True
    module = frame.f_globals.get("__name__") or ""
    return (
        frame.f_code.co_name in _LOCKING
        or module == "logging"
        or (module.startswith("pronghorn.") and not module.startswith("pronghorn.apps."))
    )
