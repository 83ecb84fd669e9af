"""The worker process: its listeners, poller, timers and threads, and the leader's loop.

    worker = Worker(app, bind(Address.parse("127.0.0.1:8000"), 2048), ServeOptions(), Limits())
    worker.run()        # until worker.stop() is called, from a signal handler or another thread

Between `run` and the end one thread leads (see `threads`); all that says "Leader only" needs no lock.
"""

import contextlib
import logging
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from pronghorn import __version__
from pronghorn.http.limits import Limits
from pronghorn.http.response import ResponseHead
from pronghorn.net.listen import Listener
from pronghorn.net.transport import speaks_tls
from pronghorn.observe.access import AccessLog
from pronghorn.observe.logs import Handler, write_text
from pronghorn.serve.acceptor import PAUSE, Acceptor
from pronghorn.serve.clock import Clock
from pronghorn.serve.connection import Connection
from pronghorn.serve.h1_exchange import H1Exchange, Observer, Persistence
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.outbox import Held
from pronghorn.serve.phases import CALL, HEAD, LINGER, QUEUED, RETURNED
from pronghorn.serve.poller import READ, make_poller
from pronghorn.serve.records import record_of, refusal_record
from pronghorn.serve.threads import Crew, Member
from pronghorn.serve.timers import NEVER, Timers
from pronghorn.wsgi.call import Application, WSGIApplication
from pronghorn.wsgi.environ import server_environ
from pronghorn.wsgi.error_stream import ErrorStream

_CLOSE_LISTENERS = 0.01
"""Seconds between the last SYN let in and the close of a listener: handshakes that were under way end."""

_IDLE_MOMENT = 1.0
_IDLE_LONG = 0.1
"""Seconds that a drain waits for a request which may be on its way: on a connection used a moment ago, and
on one that has been idle for long."""


class Worker:
    """Serves one application from one process."""

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
    ) -> None:
        self.options = options
        self.limits = limits
        self.log = errors if errors is not None else logging.getLogger("pronghorn.error")
        self.application = Application(app, self.log)
        self.clock = Clock()
        self.held = Held()
        self.persistence = Persistence(options.keep_alive > 0)
        self.timers = Timers(self._sacrifice)
        self.poller = make_poller()
        self.crew: Crew[Connection] = Crew(options.threads, self._lead, self._run_detached, self._wake)
        self.crowded: Callable[[], bool] = lambda: self.crew.crowded
        self.idle_deadline = NEVER
        """When a connection that becomes idle in this round has been idle for long enough."""
        self.idle_time = options.keep_alive
        """Seconds; shorter while draining."""
        self.clean = True
        """Nothing was cut off at the end."""
        self.after_request: Callable[[], None] | None = None
        """Called after each exchange, in the thread that ended it. Set it before `run`."""
        self.on_signal: Mapping[int, Callable[[], None]] = {}
        """By signal number: what the leader does."""
        self.abandon: Callable[[], None] | None = None
        """Called when a call on the main thread is stuck beyond the graceful timeout: does not return."""
        self.observer: Observer | None = None
        self._access = access
        self._multiprocess = multiprocess
        self._listeners = list(listeners)
        self._acceptors: list[Acceptor] = []
        self._bases: dict[Listener, dict[str, object]] = {}
        self._targets: dict[int, Connection | Acceptor | _Bell] = {}
        self._connections: set[Connection] = set()
        self._posts: deque[Connection] = deque()
        self._batch: Iterator[tuple[int, int]] = iter(())
        self._bell = _Bell(self._signalled)
        self._polling = False
        self._round_calls = 0
        self._stop_asked = 0  # 1: gracefully; 2: at once
        self._draining = False
        self._over = False
        self._resume_accept_at = NEVER
        self._close_listeners_at = NEVER
        self._drain_until = NEVER
        self._alarm = NEVER  # the next of these two
        self._reopen = False

    # Any thread

    @property
    def signals_fd(self) -> int:
        """Where signal.set_wakeup_fd may write: the leader runs what `on_signal` says of the number."""
        return self._bell.fd_to_ring

    def run(self) -> None:
        """Serve until stopped. With one thread, the calling thread runs the calls."""
        if self._access is not None or self.after_request is not None:
            self.observer = self._observe
        if self.options.threads > 1:
            sys.setswitchinterval(self.options.switch_interval)
        self._targets[self._bell.fd] = self._bell
        self.poller.change(self._bell.fd, 0, READ)
        for listener in self._listeners:
            acceptor = Acceptor(listener, self.poller, self._new_connection, self._pause_accept, self.log)
            self._bases[listener] = server_environ(
                software=f"pronghorn/{__version__}",
                errors=ErrorStream(partial(write_text, self.log)),
                multithread=self.options.threads > 1,
                multiprocess=self._multiprocess,
                scheme="https" if speaks_tls(listener.socket) else "http",
                name=listener.server_name,
                port=listener.server_port,
            )
            self._acceptors.append(acceptor)
            self._targets[acceptor.fd] = acceptor
            acceptor.watch(True)
        self.crew.work()
        self.crew.join(0.5)
        for connection in list(self._connections):
            connection.close()  # its call is stuck
        self.poller.close()
        self._bell.close()

    def stop(self, graceful: bool = True) -> None:
        """Drain and end; a second call, or graceful=False, ends at once. Any thread."""
        self.persistence.persist = False
        self._stop_asked = 2 if self._stop_asked or not graceful else 1
        self._wake()

    def stop_now(self) -> None:
        """End at once. Any thread."""
        self.stop(graceful=False)

    def reopen_logs(self) -> None:
        """After a log rotation. Any thread."""
        self._reopen = True
        self._wake()

    def post(self, connection: Connection) -> None:
        """Have the leader `resume` it."""
        self._posts.append(connection)
        if self._polling:
            self._wake()

    def _wake(self) -> None:
        self._bell.ring()

    # The leader's loop

    def _signalled(self, number: int) -> None:
        action = self.on_signal.get(number)
        if action is not None:
            action()

    def _lead(self, me: Member) -> None:
        """Until the lead is lost or the work is over."""
        taken = self.crew.taken_over()
        if taken is not None:
            taken.outbox.release()  # answers that waited for the one which is slow
        targets = self._targets
        while not self._over:
            for fd, mask in self._batch:
                target = targets.get(fd)
                try:
                    if target is not None and not target.ready(mask):
                        return
                except Exception as error:
                    self._sacrifice(target, error)
            if not self._attend() or self.crew.gave_lead_back():
                return
            try:
                self._end_round()
            except Exception as error:
                self._sacrifice(None, error)
            if not self._over:
                self._poll()
        self.crew.stop()

    def _sacrifice(self, target: object, error: Exception) -> None:
        """A defect of ours costs one connection, not the service. Leader only."""
        self.log.critical("a defect in the server; please report it", exc_info=error)
        if isinstance(target, Connection):
            with contextlib.suppress(Exception):
                target.close()

    def _poll(self) -> None:
        clock = self.clock
        now = time.monotonic()
        calls = self.crew.calls - self._round_calls
        if calls:
            self.crew.sample((now - clock.now) / calls)
        timeout = self.timers.wait(min(self._alarm, self._resume_accept_at), now)
        # Whoever posts looks at _polling after its append, we at _posts after setting it.
        self._polling = True
        if self._posts:
            timeout = 0
        self._batch = iter(self.poller.poll(timeout))
        self._polling = False
        clock.tick()
        self.idle_deadline = clock.now + self.idle_time
        self._round_calls = self.crew.calls

    def _attend(self) -> bool:
        """Connections that came back, and requests that waited for a thread. False: the lead was lost."""
        posts = self._posts
        for _ in range(len(posts)):
            connection = posts.popleft()
            try:
                if not connection.resume():
                    return False
            except Exception as error:
                self._sacrifice(connection, error)
        while self.crew.queued:  # with one thread, when it has the lead again
            waiting = self.crew.next_waiting()
            if waiting is None:
                break
            if not self.run_call(waiting):
                return False
            if waiting.phase is RETURNED:
                posts.append(waiting)
        return True

    def _end_round(self) -> None:
        """What is done once for all that was ready."""
        now = self.clock.now
        if self._access is not None:
            self._access.flush()
        if self._reopen:
            self._reopen = False
            self._reopen_logs()
        self.timers.run(now)
        if self._stop_asked:
            self._go_down(now)
        elif now >= self._resume_accept_at:
            self._resume_accept_at = NEVER
            self._accept(True)

    # Calls

    def run_call(self, connection: Connection) -> bool:
        """Run the application for a complete request. Leader only. False: the lead was lost."""
        crew = self.crew
        crew.calls += 1
        connection.phase = QUEUED  # before anybody else may run it, or lead
        if not crew.watched:
            connection.outbox.release()
            if not crew.post_lookout(connection):
                return True
        if crew.slow:
            connection.outbox.release()
            crew.hand_on()
            self._run_detached(connection)
            return False
        token = [connection]
        crew.slot = token
        connection.call()
        try:
            token.pop()
        except IndexError:
            self.post(connection)
            return False
        return True

    def _run_detached(self, connection: Connection) -> None:
        """Run a call without the lead."""
        began = time.monotonic()
        try:
            connection.call()
        finally:
            self.post(connection)
        self.crew.sample(time.monotonic() - began)

    # Connections. Leader only

    def _new_connection(self, sock: socket.socket, listener: Listener, peer: tuple[str, int] | None) -> None:
        connection = Connection(self, sock, self._bases[listener], peer)
        try:
            connection.watch(READ)
        except OSError as error:  # the system's limit of watches
            self.log.error("a connection cannot be watched: %s", error)
            sock.close()
            return
        self._targets[connection.fd] = connection
        self._connections.add(connection)
        connection.deadline = self.clock.now + self.options.head_timeout
        self.timers.watch(connection)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if self._targets.get(connection.fd) is connection:
            del self._targets[connection.fd]
        self._connections.discard(connection)
        self.timers.forget(connection)

    def _accept(self, wanted: bool) -> None:
        for acceptor in self._acceptors:
            acceptor.watch(wanted)

    def _pause_accept(self) -> None:
        if self._resume_accept_at == NEVER:
            self.log.error("no descriptors left: new connections wait; raise the limit (ulimit -n)")
        self._accept(False)
        self._resume_accept_at = self.clock.now + PAUSE

    # The end. Leader only

    def _go_down(self, now: float) -> None:
        if not self._draining:
            self._begin_drain(now)
        if now >= self._close_listeners_at:
            self._close_listeners_at = NEVER
            self._alarm = self._drain_until
            for acceptor in self._acceptors:
                acceptor.close()
            self._acceptors = []
        if self._stop_asked > 1 or now >= self._drain_until:
            self._cut()
        elif not self._connections and self._close_listeners_at == NEVER:
            self._over = True

    def _begin_drain(self, now: float) -> None:
        """Take what is in the accept queue, close the listeners, let what is idle go soon."""
        self._draining = True
        self.persistence.persist = False
        self._drain_until = now + self.options.graceful_timeout
        self._resume_accept_at = NEVER
        for acceptor in self._acceptors:
            acceptor.refuse_new()
            acceptor.watch(True)
            acceptor.ready(READ)
        self._close_listeners_at = self._alarm = now + _CLOSE_LISTENERS
        self.idle_time = min(self.idle_time, _IDLE_MOMENT)
        for connection in self._connections:
            if connection.phase is HEAD and not connection.h1.pending:
                idle = now - (connection.deadline - self.options.keep_alive)
                long = idle > 5.0 and not connection.h1.fresh
                connection.deadline = now + (_IDLE_LONG if long else _IDLE_MOMENT)
                self.timers.watch(connection)

    def _cut(self) -> None:
        """The graceful timeout has passed, or nobody wants to wait."""
        busy = [one for one in self._connections if one.phase not in (HEAD, LINGER) or one.h1.pending]
        if busy:
            self.clean = False
            self.log.warning("%d requests were cut off at the end", len(busy))
        for acceptor in self._acceptors:
            acceptor.close()
        stuck = False
        for connection in list(self._connections):
            if connection.phase in (CALL, QUEUED, RETURNED):
                stuck = True
                connection.outbox.close()
            else:
                connection.close(reset=connection in busy)
        self._over = True
        if stuck and self.options.threads == 1 and self.abandon is not None:
            self.abandon()

    # Observation

    def _observe(self, exchange: H1Exchange, head: ResponseHead | None, sent: int) -> None:
        """The thread that ended the exchange."""
        if self._access is not None:
            self._access.write(record_of(exchange, head, sent))
        if self.after_request is not None:
            self.after_request()

    def observe_refusal(self, exchange: H1Exchange, head: ResponseHead, sent: int) -> None:
        """A request was refused before the application saw it. Leader only."""
        if self._access is not None:
            self._access.write(refusal_record(exchange, head, sent))
        if self.after_request is not None:
            self.after_request()

    def _reopen_logs(self) -> None:
        if self._access is not None:
            self._access.reopen()
        for handler in self.log.handlers:
            if isinstance(handler, Handler):
                handler.reopen()


class _Bell:
    """Wakes the leader out of the poller, and tells it of signals."""

    def __init__(self, signalled: Callable[[int], None]) -> None:
        self._signalled = signalled
        self._listen, self._ring = socket.socketpair()
        self._listen.setblocking(False)
        self._ring.setblocking(False)
        self.fd = self._listen.fileno()
        self.fd_to_ring = self._ring.fileno()

    def ring(self) -> None:
        """Any thread."""
        with contextlib.suppress(OSError):  # full: it rings already. Closed: nobody sleeps.
            self._ring.send(b"\0")

    def ready(self, mask: int) -> bool:
        with contextlib.suppress(BlockingIOError):
            for number in self._listen.recv(4096):
                if number:
                    self._signalled(number)
        return True

    def close(self) -> None:
        self._listen.close()
        self._ring.close()
