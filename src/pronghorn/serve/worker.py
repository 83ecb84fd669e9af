"""The worker process: its listeners, poller, timers and threads, and the leader's loop.

    worker = Worker(app, bind(Address.parse("127.0.0.1:8000"), 2048), ServeOptions(), Limits())
    worker.run()        # until worker.stop() is called, from a signal handler or another thread

Between `run` and the end one thread leads (see `threads`); all that says "Leader only" needs no lock.
"""

import contextlib
import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence

from pronghorn.errors import RequestTimeout
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.limits import Limits
from pronghorn.net.listen import Listener
from pronghorn.observe.access import AccessLog
from pronghorn.serve.acceptor import PAUSE
from pronghorn.serve.bases import bases
from pronghorn.serve.bell import Bell
from pronghorn.serve.calls import Call, Calls, stacks
from pronghorn.serve.commons import Commons
from pronghorn.serve.connection import DROWSY, Connection
from pronghorn.serve.doors import Doors, Siblings
from pronghorn.serve.drain import UNWIND, Drain, End, Stage
from pronghorn.serve.forked import at_work
from pronghorn.serve.h1_exchange import Persistence
from pronghorn.serve.observation import Observation
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.outbox import Held
from pronghorn.serve.phases import QUEUED
from pronghorn.serve.poll_round import PollRound, Target
from pronghorn.serve.poller import READ, make_poller
from pronghorn.serve.pulse import INTERVAL
from pronghorn.serve.routing import answer_at_once, try_at_once
from pronghorn.serve.streams import Streams
from pronghorn.serve.threads import Crew, Member
from pronghorn.serve.timers import NEVER, Timers
from pronghorn.wsgi.call import Application, WSGIApplication
from pronghorn.wsgi.input import BodyMemory

OVER = Stage.OVER

WORK_OFF = 0.1
"""Seconds, arbitrary, after which the leader looks around, although requests wait that it could run."""


class Worker(Commons):
    """Serves one application from one process."""

    # Beyond 30 attributes an instance without slots is slower, 0.5 µs of a small request (CPython 3.11).
    __slots__ = (
        "_bases",
        "_bell",
        "_calls_most",
        "_errands",
        "_polling",
        "_posts",
        "_pulse_at",
        "_round_calls",
        "_siblings",
        "_twice",
        "body_memory",
        "calls",
        "connections",
        "crew",
        "crowded",
        "doors",
        "drain",
        "held",
        "idle_time",
        "known_heads",
        "limits",
        "log",
        "observation",
        "options",
        "persistence",
        "poller",
        "quick_application",
        "round",
        "silent_time",
        "streams",
        "timers",
        "turn",
    )

    def __init__(
        self,
        app: WSGIApplication,
        listeners: Sequence[Listener],
        options: ServeOptions,
        limits: Limits,
        *,
        access: AccessLog | None = None,
        errors: logging.Logger | None = None,
        multiprocess: bool = False,
        siblings: Siblings | None = None,
    ) -> None:
        """siblings: the other workers on the same listeners, if there are any."""
        log = errors if errors is not None else logging.getLogger("pronghorn.error")
        super().__init__(Application(app, log))
        self.options = options
        self.limits = limits
        self.log = log
        self.quick_application = Application(answer_at_once, self.log, many_heads=True)
        self.held = Held()
        self.body_memory = BodyMemory()
        self.known_heads = KnownHeads()
        self.streams = Streams(self.log)
        self.persistence = Persistence(options.keep_alive > 0)
        self.timers = Timers(self._sacrifice)
        self.poller = make_poller()
        self.round = PollRound(self.answered)
        self._bell = Bell(self._signalled)
        self.crew: Crew[Connection] = Crew(
            options.threads, self._lead, self._run_waiting, self._bell.ring, self.streams
        )
        self.turn = self.crew.turn
        self.crowded: Callable[[], bool] = lambda: self.crew.crowded
        self.idle_time = options.keep_alive
        self.silent_time = options.head_timeout
        """Seconds that a new connection may say nothing. While draining, both are shorter."""
        self.calls = Calls()
        self.connections: set[Connection] = set()
        new, count = self._new_connection, self.connections.__len__
        self.doors = Doors(listeners, self.poller, new, self.clock, self.log, siblings, count)
        self.drain = Drain(self)
        self.observation = Observation(access)
        self._siblings = siblings
        self._bases = bases(listeners, log, multithread=options.threads > 1, multiprocess=multiprocess)
        self._posts: deque[tuple[Connection, Callable[[], bool]]] = deque()
        self._errands: deque[Callable[[], None]] = deque()
        self._polling = False
        self._round_calls = 0
        self._twice = 0  # requests that stand twice in turn.calls: they waited, and the leader ran them
        self._pulse_at = 0.0
        self._calls_most = NEVER

    # Any thread

    @property
    def signals_fd(self) -> int:
        """Where signal.set_wakeup_fd may write: the leader runs what `on_signal` says of the number."""
        return self._bell.fd_to_ring

    def run(self) -> None:
        """Serve until stopped. With one thread, the calling thread runs the calls."""
        observation = self.observation
        # With deadlines, too: somebody has to let go of the environ.
        self.observer = observation.observer() or (None if self.deadlines is None else observation.ended)
        self.from_begin = observation.from_begin or self.deadlines is not None
        if self.options.threads > 1:
            self.crew.habit.interval.open(self.options.switch_interval)
        if self.pulse is not None:
            self._calls_most = self.pulse.calls_most
            self.calls.row = self.pulse.row
        elif self._siblings is not None:
            self.calls.row = self._siblings.row
        self.attend(self._bell.fd, self._bell)
        self.doors.open(self.round.aim)
        if self.began is not None:
            self.began()
        with at_work(self):
            self.crew.work()
        self.crew.join(UNWIND)
        for connection in list(self.connections):
            connection.close(reset=connection.h1.until_close)  # its call is stuck
        self.poller.close()
        self._bell.close()

    def attend(self, fd: int, target: Target) -> None:
        """Call `target.ready` when the descriptor is readable. Before `run`, or the leader."""
        self.round.aim(fd, target)
        self.poller.change(fd, 0, READ)

    def ignore(self, fd: int) -> None:
        """The opposite. Leader only."""
        targets = self.round.targets
        if fd < len(targets) and targets[fd] is not None:
            targets[fd] = None
            self.poller.change(fd, READ, 0)

    @property
    def ready(self) -> bool:
        """The service goes on, here or in the worker that takes over. Any thread."""
        return self.drain.asked < End.FINAL

    @property
    def clean(self) -> bool:
        """Nothing was cut off at the end."""
        return self.drain.clean

    def stop(self, graceful: bool = True) -> None:
        """Drain and end; a second call, or graceful=False, ends at once. Any thread."""
        self.leave(End.AT_ONCE if not graceful or self.drain.asked else End.FINAL)

    def leave(self, end: End) -> None:
        """End this way, unless a quicker way was asked for. Any thread."""
        self.drain.ask(end)
        self._bell.ring()

    def log_stacks(self) -> None:
        """What all threads are doing, into the log. Leader only: `ask` for it."""
        self.log.warning("all threads:\n%s", stacks(self.calls.running(), self.crew.roles()))

    def reopen_logs(self) -> None:
        """After a log rotation. Any thread."""
        self.ask(lambda: self.observation.reopen(self.log))

    def ask(self, errand: Callable[[], None]) -> None:
        """Have the leader run it. Any thread."""
        self._errands.append(errand)
        self._bell.ring()

    def post(self, connection: Connection, step: Callable[[], bool]) -> None:
        """Have the leader do this step of the connection's. Its owner; first come, first served."""
        self._posts.append((connection, step))
        if self._polling:
            self._bell.ring()

    # The leader's loop

    def _signalled(self, number: int) -> None:
        if action := self.on_signal.get(number):
            action()

    def _lead(self, me: Member) -> None:
        """Until the lead is lost or the work is over."""
        taken = self.crew.taken_over()
        self._release(None if taken is None else taken.task)
        if taken is not None:
            self._watch_call(Call(*taken))
        since = self.clock.now
        self._begin_time()
        if self._siblings is not None and self.drain.stage is Stage.SERVING:
            self.doors.led(self.crew.crowded, since)
        round = self.round
        targets = round.targets
        while self.drain.stage is not OVER:
            for fd, mask in round.events:
                target = targets[fd]
                try:
                    if target is not None and not target.ready(mask):
                        return
                except Exception as error:
                    if not self._survives(target, error):
                        return
            if round.grouped and self._next_group():
                continue
            if not self._attend() or self.crew.gave_lead_back():
                return
            try:
                self._end_round()
            except Exception as error:
                self._falter(error)
            try:
                if self.drain.stage is not OVER:
                    self._poll()
            except Exception as error:
                self._falter(error)
        self.crew.stop()

    def _next_group(self) -> bool:
        try:
            return self.round.next_group()
        except Exception as error:
            self._falter(error)
            return True  # what it has not received, `ready` will

    def _release(self, taken: Connection | None) -> None:
        """Send the answers that waited for a call which is slow."""
        try:
            try:
                self.round.depart()
            finally:
                if taken is not None:
                    taken.outbox.release()
        except Exception as error:
            self._sacrifice(None, error)

    def _survives(self, target: object, error: Exception) -> bool:
        """False: the lead was lost before the defect, and the connection has another owner."""
        leads = self.crew.keeps_lead()
        self._sacrifice(target if leads else None, error)
        return leads

    def _falter(self, error: Exception) -> None:
        """No memory, say: it may fail again. If polling does: no heartbeat, so the master replaces us."""
        time.sleep(PAUSE)
        self._round_calls = self.turn.calls  # they did not take that long
        self._sacrifice(None, error)
        self.drain.falter()

    def _sacrifice(self, target: object, error: Exception) -> None:
        """A defect of ours costs one connection, not the service. Leader only."""
        with contextlib.suppress(Exception):  # no memory for that, either
            self.log.critical("a defect in the server; please report it", exc_info=error)
        if isinstance(target, Connection):
            with contextlib.suppress(Exception):
                target.close()

    def _poll(self) -> None:
        clock = self.clock
        now = time.monotonic()
        calls = self.turn.calls - self._round_calls
        if calls:
            self.crew.habit.end_round(now - clock.now, calls)
            self.round.seconds = (now - clock.now) / calls
        timeout = self.timers.wait(min(self._pulse_at, self.doors.alarm, self.drain.alarm), now)
        # Whoever posts looks at _polling after its append, we at _posts after setting it.
        self._polling = True
        if self._posts:
            timeout = 0
        ready = self.poller.poll(timeout)
        self._polling = False
        self.round.begin(ready)
        self._begin_time()
        self.idle_deadline = clock.now + min(self.idle_time, DROWSY)

    def _begin_time(self) -> None:
        """What calls take, from now on."""
        if self.turn.timed:
            self.crew.habit.begin_round()  # what that takes is no call's time
        self.clock.tick()
        self._round_calls = self.turn.calls

    def _attend(self) -> bool:
        """Connections that came back, and requests that waited for a thread. False: the lead was lost."""
        posts = self._posts
        for _ in range(len(posts)):
            connection, step = posts.popleft()
            try:
                if not step():
                    return False
            except Exception as error:
                if not self._survives(connection, error):
                    return False
        return not self.crew.queued or self._work_off()

    def _work_off(self) -> bool:
        """Requests that waited for a thread, where the leader may run them. False: the lead was lost."""
        posts, until = self._posts, time.monotonic() + WORK_OFF
        while self.crew.queued:
            waiting = self.crew.next_waiting()
            if waiting is None:
                break
            self._twice += 1
            try:
                ran = self.run_call(waiting)
            except Exception as error:
                ran = None if self._survives(waiting, error) else False
            if ran is False:
                return False
            if ran:
                posts.append((waiting, waiting.resume))
            if time.monotonic() > until:
                self._bell.ring()
                break
        return True

    def _end_round(self) -> None:
        """What is done once for all that was ready."""
        now = self.clock.now
        self.observation.end_round()
        while self._errands:
            self._errands.popleft()()
        self.timers.run(now)
        if now >= self._pulse_at or self.turn.calls >= self._calls_most:
            self._beat(now)
        if self.drain.asked:
            self.drain.step(now)
        if self._siblings is not None and self.drain.stage < Stage.LAST_ACCEPTS:
            self.doors.gate(self.crew.crowded)
        if now >= self.doors.alarm:
            self.doors.look()

    def _beat(self, now: float) -> None:
        """Once a second at least, so that Date is right after a call during which nothing else happened."""
        pulse, crew = self.pulse, self.crew
        self._pulse_at = now + (INTERVAL if pulse is None else pulse.interval)
        if pulse is not None:
            calls = self.turn.calls - self._twice
            pulse.beat(now, calls, len(self.connections), crew.busy, crew.queued)
            self._calls_most = pulse.calls_most + self._twice
            if self._siblings is not None:
                self.doors.check()
        if self.routing is not None:
            try:
                self.routing.rest()
            except Exception as error:  # no reason to skip the rest of the round
                self._sacrifice(None, error)

    # Calls

    def run_call(self, connection: Connection) -> bool | None:
        """Run the application for a complete request. Leader only.

        True: it has run. False: the lead was lost. None: it waits for a thread, which may have run it by
        now, so its phase says nothing to the leader before it is posted.
        """
        crew, turn = self.crew, self.turn
        turn.calls += 1
        environ = None
        if self.routing is not None:
            done, environ = try_at_once(self, self.routing, connection)
            if done is not False:
                return done
        connection.phase = QUEUED  # before anybody else may run it, or lead
        if not turn.watched:
            connection.outbox.release()
            if not crew.post_lookout(connection):
                self._round_calls += 1  # it has not run
                if self.deadlines is not None:
                    self.deadlines.queued(connection)
                return None
        if turn.slow:
            connection.outbox.release()
            call = Call(connection, crew.leader, time.monotonic())
            self._watch_call(call)
            crew.hand_on()
            self._run_detached(call)
            return False
        token = [connection]
        if self.round.grouped:
            connection.outbox.lead = token
        turn.slot = token
        try:
            try:
                connection.call(environ)  # who has to wait for a thread makes it again, and keeps none
                token.pop()
            except IndexError:
                self._come_back(connection)
                return False
        except RequestTimeout:  # at most one for each call: the handlers of this clause are safe
            self._come_back(connection)
            return False
        return True

    def _run_waiting(self, connection: Connection, member: Member) -> None:
        """A thread without the lead: a request that waited for it."""
        call = Call(connection, member, time.monotonic())
        self.calls.post(call)
        try:
            self._run_detached(call)
        except Exception as error:
            self._sacrifice(None, error)

    def _run_detached(self, call: Call) -> None:
        """Run a call without the lead."""
        connection = call.connection
        since, began, busy = time.monotonic(), time.process_time(), time.thread_time()
        try:
            try:
                connection.call()
            finally:
                self._come_back(connection)
        except RequestTimeout:
            self._come_back(connection)
        own = time.thread_time() - busy
        self.crew.habit.ended_beside(since, own, time.process_time() - began)

    def _come_back(self, connection: Connection) -> None:
        """After a call without the lead, or whose lead was lost. The thread that ran it."""
        if self.deadlines is not None:
            self.deadlines.come_back(connection)
        # Not before: who is posted may be called again, by another thread.
        self.post(connection, connection.resume)

    def _watch_call(self, call: Call) -> None:
        """Leader only."""
        self.calls.begin(call)
        if self.deadlines is not None:
            self.deadlines.begun(call)

    # Connections. Leader only

    def _new_connection(
        self, sock: socket.SocketType, listener: Listener, peer: tuple[str, int] | None
    ) -> None:
        connection = Connection(self, sock, self._bases[listener], peer)
        self.round.aim(connection.fd, connection)
        self.connections.add(connection)
        # The request has often come with the connection: one that is answered at once and closed need never
        # be watched (6 µs of 50).
        self.post(connection, connection.begin)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        self.round.forget(connection.fd, connection)
        self.connections.discard(connection)
        self.timers.forget(connection)

    def replace(self, seized: Connection, orphan: Connection) -> None:
        """The second has taken over the first's socket."""
        self.forget(seized)
        self.round.aim(orphan.fd, orphan)
        self.connections.add(orphan)
