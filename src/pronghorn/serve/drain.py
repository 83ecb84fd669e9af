"""How a worker ends: nobody who got through to it is sent away.

It stops accepting, answers all that it has accepted with `Connection: close`, leaves idle connections a
moment (a request may be on its way), and is over when the last connection is gone. TERM, reload,
recycling and fewer workers all go this way.
"""

import threading
import time
from enum import IntEnum
from typing import TYPE_CHECKING

from pronghorn.serve.phases import BODY, CALL, HEAD, LINGER, QUEUED, RETURNED
from pronghorn.serve.timers import NEVER

if TYPE_CHECKING:
    from pronghorn.serve.connection import Connection
    from pronghorn.serve.worker import Worker

_LAST_ACCEPTS = 0.01
"""Seconds between the last SYN let in and the close of a listener: handshakes that were under way end."""

_LOOK_AGAIN = 0.05
_ARRIVING_MOST = 1.2
"""Seconds between looks whether somebody is still on the way in, and in all: those who have sent nothing come
in after one (Listener.defer_accept)."""

_IDLE_MOMENT = 1.0
_IDLE_LONG = 0.1
"""Seconds that a drain waits for a request which may be on its way: on a connection used a moment ago, and
on one that has been idle for long."""

UNWIND = 0.5
"""Seconds that threads have to end their calls, whose clients are gone by then, before nobody waits."""

_NAMED_MOST = 10
"""Requests that the log names when they are cut off."""


class End(IntEnum):
    """How the worker is to end; a later one outranks an earlier one."""

    NOT_YET = 0
    HANDED_OVER = 1
    """Other workers go on with the listeners."""
    FINAL = 2
    """Nobody accepts after this worker."""
    AT_ONCE = 3


class Stage(IntEnum):
    SERVING = 0
    UNREADY = 1
    """Health checks fail, all else goes on (--drain-delay)."""
    LAST_ACCEPTS = 2
    ANSWERING = 3
    OVER = 4


class Drain:
    """Leader only, but for `ask`."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self.asked = End.NOT_YET
        self._asking = threading.RLock()  # a signal may come in between
        self.stage = Stage.SERVING
        self.alarm = NEVER
        """When `step` wants to be called next."""
        self._late = self._until = self._patience = NEVER
        self.clean = True
        """Nothing was cut off."""

    def ask(self, end: End) -> None:
        """End this way, unless a quicker one was asked for. Any thread."""
        with self._asking:
            self.asked = max(self.asked, end)

    def step(self, now: float) -> None:
        """Each round, once an end was asked for."""
        if self.stage is Stage.SERVING and self.asked < End.AT_ONCE:
            self.stage = Stage.UNREADY
            delay = self._worker.options.drain_delay if self.asked is End.FINAL else 0.0
            self.alarm = now + delay
            if delay:
                self._worker.doors.expect_end()
                self._worker.log.info("not ready any more; the drain begins in %g s", delay)
        if self.stage is Stage.UNREADY and (now >= self.alarm or self.asked is not End.FINAL):
            self._begin(now)
        if self.stage is Stage.LAST_ACCEPTS and now >= self.alarm:
            self._let_in(now)
        if self.asked is End.AT_ONCE or now >= self._until:
            self._cut()
        elif self.stage is Stage.ANSWERING and not self._worker.connections and not self._unwinding():
            self._end(bool(self._worker.calls.running()))

    def falter(self) -> None:
        """A round failed, and each may, before `step` gets to its end: the time limit holds all the same."""
        if self.asked is End.NOT_YET:
            return
        options, now = self._worker.options, time.monotonic()
        if self._patience == NEVER:
            self._patience = now + options.drain_delay + options.graceful_timeout
        if self.asked is End.AT_ONCE or now >= min(self._until, self._patience):
            try:
                self._cut()
            except Exception:  # perhaps the very one that was logged
                self.clean = False
                self._end(bool(self._worker.calls.running()))

    def _let_in(self, now: float) -> None:
        """Those who are on their way in, for a while; then nobody."""
        if now < self._late and self._worker.doors.arriving():
            # With many connections a look costs the leader some of its time.
            pause = max(_LOOK_AGAIN, 10 * (time.monotonic() - now))
            self.alarm = min(now + pause, self._late)
        else:
            self._worker.doors.finish()
            self._answer()

    def _unwinding(self) -> bool:
        """Calls whose clients are gone have their time to clean up."""
        deadlines = self._worker.deadlines
        return deadlines is not None and deadlines.unwinding

    def _end(self, stuck: bool) -> None:
        """stuck: a call still runs."""
        worker = self._worker
        self.stage = Stage.OVER
        # Where the one thread that calls leads, no call keeps the process.
        if stuck and not worker.crew.leader.may_call and worker.abandon is not None:
            worker.crew.stop()
            if not worker.crew.first_ended.wait(UNWIND):
                worker.abandon()

    def _begin(self, now: float) -> None:
        worker = self._worker
        worker.persistence.persist = False
        self._until = now + worker.options.graceful_timeout
        if self.asked is End.FINAL:
            self.stage = Stage.LAST_ACCEPTS
            self.alarm = now + _LAST_ACCEPTS
            self._late = now + _ARRIVING_MOST
            worker.doors.withdraw()
        else:
            if worker.orphan:
                worker.doors.finish()
            else:
                worker.doors.hand_over()
            self._answer()
        worker.idle_time = min(worker.idle_time, _IDLE_MOMENT)
        worker.silent_time = min(worker.silent_time, _IDLE_MOMENT)
        for connection in worker.connections:
            if connection.phase is HEAD and not connection.h1.pending:
                connection.deadline = now + (_IDLE_LONG if connection.h1.rests else _IDLE_MOMENT)
                worker.timers.watch(connection)

    def _answer(self) -> None:
        self.stage = Stage.ANSWERING
        self.alarm = self._until

    def _cut(self) -> None:
        """The graceful timeout has passed, or nobody wants to wait."""
        worker = self._worker
        busy = [one for one in worker.connections if one.phase not in (HEAD, LINGER) or one.h1.pending]
        if busy:
            self.clean = False
            self._tell(busy)
        worker.doors.close()
        stuck = bool(worker.calls.running())
        for connection in list(worker.connections):
            if connection.phase in (CALL, QUEUED, RETURNED):
                stuck = True
                connection.outbox.close()
            else:
                connection.close(reset=connection in busy)
        self._end(stuck)

    def _tell(self, busy: list["Connection"]) -> None:
        named = "".join(f"\n  {_name(connection)}" for connection in busy[:_NAMED_MOST])
        more = f"\n  and {len(busy) - _NAMED_MOST} more" if len(busy) > _NAMED_MOST else ""
        were = "request was" if len(busy) == 1 else "requests were"
        self._worker.log.warning("%d %s cut off at the end:%s%s", len(busy), were, named, more)


def _name(connection: "Connection") -> str:
    if connection.phase in (HEAD, LINGER):
        return "a request whose head had not arrived"
    line = connection.exchange.request.line
    where = {CALL: "in the application", BODY: "its body was arriving", QUEUED: "it waited for a thread"}
    return f"{line.method} {line.target}: {where.get(connection.phase, 'its answer was being sent')}"
