"""One client's socket, its protocol state, its deadline: and one owner at a time.

The leader owns a connection while it reads, flushes or waits. While its application call runs, the
thread that runs it does (phase CALL), which usually is the leader too; when that thread has lost the
lead meanwhile, it posts the connection back (phase RETURNED). A phase is changed by the owner only.
"""

import socket
from io import BytesIO
from typing import TYPE_CHECKING

from pronghorn.errors import ClientDisconnected, ProtocolError, RequestTimeout
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.states import Reading, Writing
from pronghorn.http.h1.write import CONTINUE
from pronghorn.http.request import Request
from pronghorn.serve.farewell import LINGER as LINGER_TIME
from pronghorn.serve.farewell import LINGER_MOST, half_close, reset_on_close
from pronghorn.serve.h1_exchange import H1Exchange, SeizableExchange
from pronghorn.serve.outbox import Outbox
from pronghorn.serve.phases import BODY, CALL, CLOSED, FLUSH, HEAD, LINGER, QUEUED, RETURNED
from pronghorn.serve.polled import RECV_BODY, RECV_HEAD, RECV_MOST, Polled
from pronghorn.serve.poller import READ, WRITE
from pronghorn.serve.refusals import Answer, refusal
from pronghorn.serve.routing import LIMIT, limit_body
from pronghorn.serve.timers import NEVER
from pronghorn.wsgi.environ import Environ, EnvironMaker
from pronghorn.wsgi.input import RequestBody

if TYPE_CHECKING:
    from pronghorn.serve.calls import Call
    from pronghorn.serve.worker import Worker

_UNWATCHED = "a connection cannot be watched: %s"
"""The system's limit of watches (epoll_ctl(2), ENOSPC)."""

DROWSY = 5.0
"""Seconds, arbitrary: who has been idle for so long pays the 10 µs of a head that is parsed anew."""


class Connection(Polled):
    """Leader only, but for `call`, which its caller's thread runs."""

    __slots__ = (
        "_arriving",
        "_lingered",
        "_refused",
        "_tls",
        "body",
        "exchange",
        "h1",
        "maker",
        "outbox",
        "seized",
    )

    def __init__(
        self, worker: "Worker", sock: socket.SocketType, base: Environ, peer: tuple[str, int] | None
    ) -> None:
        super().__init__(worker, sock)
        self._tls = base["wsgi.url_scheme"] == "https"
        self.h1 = H1Connection(worker.limits, base["wsgi.url_scheme"], worker.known_heads)
        self.outbox = Outbox(self._transport, self._ask_flush, worker.crowded, worker.held, worker.streams)
        exchange = H1Exchange if worker.deadlines is None else SeizableExchange
        self.exchange = exchange(
            self.h1, self.outbox, worker.clock, worker.persistence, peer, worker.observer
        )
        own = None
        if isinstance(self.exchange, SeizableExchange):
            own = {"pronghorn.extend_deadline": self.exchange.extend, LIMIT: self.exchange.limit}
        self.maker = EnvironMaker(base, peer, own)
        self.seized: Call | None = None
        """The call that runs, where the leader has taken the socket away from it (`deadlines`)."""
        self._lingered = 0
        self._arriving = False  # a head has begun to come, and its time runs
        self._refused = False  # the answer is the server's own, and the last
        # Of the request
        self.body: RequestBody | None = None

    # Events

    def ready(self, mask: int) -> bool:
        """The poller says so. False: the lead was lost meanwhile."""
        if self.phase is not HEAD or mask != READ:
            return self._ready_otherwise(mask)
        data = self._fetched
        if data is None:
            try:
                data = self._transport.recv(self._recv_most)
            except BlockingIOError:
                return True
            except OSError:
                self.close()
                return True
        else:
            self._fetched = None
        if not data:
            self._end_of_input()
            return True
        try:
            request = self.h1.receive(data)
        except ProtocolError as error:
            self.refuse(error)
            return True
        return self._advance(request)

    def _ready_otherwise(self, mask: int) -> bool:
        phase = self.phase
        if phase is LINGER:
            self._linger_on()
        elif phase is BODY:
            return self._ready_body()
        elif phase is FLUSH:
            return self._flush()
        elif phase is HEAD:
            if mask & WRITE:
                self.watch(READ)
            return self.ready(READ)
        elif phase is not CLOSED:
            # Somebody else is the owner, or nobody can go on yet: look no more until the answer is there.
            if mask & WRITE:
                if self.outbox.waiting:
                    self._flush_some()
                else:
                    self.watch(self._mask & READ)
            if mask & ~WRITE:
                self.watch(self._mask & WRITE if not mask & ~(READ | WRITE) else 0)
        return True

    def begin(self) -> bool:
        """Posted: it is new. Read what has come already. False: the lead was lost."""
        if not self.ready(READ):
            return False  # it is watched when the call has come back
        if self.phase in (HEAD, BODY):
            if self.due == NEVER:
                self._expire_in(self._worker.silent_time)
            try:
                self.watch(READ)
            except OSError as error:
                self._worker.log.error(_UNWATCHED, error)
                self.close()
        return True

    def resume(self) -> bool:
        """Posted: the call has ended, and its thread has let go. False: the lead was lost."""
        self._worker.calls.end(self)
        return True if self.seized is not None else self._settle()

    def _await_room(self) -> bool:
        """Posted: an answer waits for the client, or did; the call may have ended since."""
        if self.seized is None and self.phase in (QUEUED, CALL) and self.outbox.waiting:
            try:
                self.watch(self._mask & READ | WRITE)
            except OSError as error:
                self._worker.log.error(_UNWATCHED, error)
                self.outbox.close()  # not the connection: its call may be sending
            self._expire_in(self._worker.options.write_timeout)
        elif self.phase is HEAD:
            self._end_batch()  # the answer has left with others'
        return True

    def _read_pending(self) -> bool:
        """Posted: TLS has octets at hand, unless they have been read since. False: the lead was lost."""
        if self.phase in (HEAD, BODY) and self._transport.pending():
            return self.ready(READ)
        return True

    def expired(self) -> None:
        """The deadline has passed."""
        if self.phase is HEAD:
            if self.h1.pending:
                self.refuse(ProtocolError(408, "the request's head took too long", "RFC 9110 section 15.5.9"))
            elif self.h1.remembers and self._worker.idle_time > DROWSY:
                self._rest()
            else:
                self.close()
        elif self.phase is BODY:
            self.refuse(ProtocolError(408, "the request's body stopped coming", "RFC 9110 section 15.5.9"))
        elif self.phase is CALL:
            if self.outbox.waiting and self._mask & WRITE:
                self.outbox.close()
        elif self.phase in (FLUSH, LINGER):
            self.close(reset=self.phase is FLUSH and self.h1.until_close)

    def _rest(self) -> None:
        """It has been idle for DROWSY: give back what makes the next request quick, 4 KiB."""
        self.h1.rest()
        self.maker.rest()
        self.exchange.forget()
        self._expire_in(self._worker.idle_time - DROWSY)

    # Reading

    def _advance(self, request: Request | None) -> bool:
        """Answer one request after the other while they are complete. False: the lead was lost."""
        worker = self._worker
        h1 = self.h1
        while request is not None:
            self.exchange.request = request
            if request.section.has_body and h1.content is None and not self._begin_body(request):
                return True
            if not (ran := worker.run_call(self)):
                return ran is None
            outbox = self.outbox
            if not h1.persistent or h1.writing or outbox.waiting:
                return self._settle()
            self.phase = HEAD
            self._arriving = False
            if not h1.unread and outbox.batch is None and not self._tls:
                # The usual end: _await_head without its calls.
                if outbox.kept is not None:
                    worker.answered.append(outbox)
                self.deadline = deadline = worker.idle_deadline
                if deadline < self.due:
                    worker.timers.watch(self)
                return True
            self._recv_most = RECV_HEAD
            try:
                request = h1.next_request()
            except ProtocolError as error:
                self.refuse(error)
                return True
        self._await_head()
        return True

    def _await_head(self) -> None:
        """Idle, or a head has begun to arrive."""
        worker = self._worker
        if not self._end_batch():
            return
        if not self.h1.pending:
            self._arriving = False
            # Who has sent nothing but an empty line has nothing to be forgotten.
            remembers = self.h1.remembers
            self.deadline = worker.idle_deadline if remembers else worker.clock.now + worker.idle_time
        elif not self._arriving:
            # The limit is for the whole head: more of it does not move it on.
            self._arriving = True
            self.deadline = worker.clock.now + worker.options.head_timeout
        if self.deadline < self.due:
            worker.timers.watch(self)
        if self._tls and self._transport.pending():
            worker.post(self, self._read_pending)

    def _begin_body(self, request: Request) -> bool:
        """Whether the body is complete already."""
        routing = self._worker.routing
        if routing is not None and routing.largest_body and not limit_body(self, routing):
            return False
        length = request.section.content_length
        self.body = RequestBody(self._worker.body_memory, length)
        if length is not None and length > RECV_HEAD:
            self._recv_most = RECV_BODY
        if request.section.expects_continue and not self.h1.pending:
            try:
                self.outbox.put(CONTINUE)
            except ClientDisconnected:
                self.close()
                return False
        if self._take_body(b""):
            return True
        if self.phase is HEAD and self._end_batch():
            self.exchange.asked = None  # it may take long, and this refers to the last head
            self.move(BODY)
            self._expect_body()
        return False

    def _ready_body(self) -> bool:
        # Of what follows the body, no more comes than RECV_BODY: it is held beside it.
        data = self._receive(min(max(self.h1.missing, RECV_BODY), RECV_MOST))
        if data is None:
            return True
        if not data:
            self._end_of_input()
        elif self._take_body(data):
            if not (ran := self._worker.run_call(self)):
                return ran is None
            return self._settle()
        elif self.phase is BODY:
            self._expect_body()
        return True

    def _expect_body(self) -> None:
        self._expire_in(self._worker.options.body_timeout)
        if self._tls and self._transport.pending():
            self._worker.post(self, self._read_pending)

    def _take_body(self, data: bytes) -> bool:
        """Whether the body is complete now."""
        assert self.body is not None
        try:
            complete = self.h1.receive_body(data, self.body.write)
            if complete:
                self.body.complete()
            return complete
        except ProtocolError as error:
            self.refuse(error)
        except OSError as error:
            self._worker.log.error("a request body cannot be stored: %s", error)
            self.refuse(ProtocolError(503, "the server cannot store the body", "RFC 9110 section 15.6.4"))
        return False

    def _end_of_input(self) -> None:
        """The client sends no more (RFC 9112 section 9.6). What it has asked for was answered already."""
        try:
            self.h1.end_of_input()
        except ProtocolError as error:
            self.refuse(error)
        else:
            self.close()

    # The call

    def call(self, environ: Environ | None = None) -> None:
        """Run the application for the request that is complete. The thread that owns the connection.

        environ: what the maker has made of this request, if it was asked already.
        """
        worker = self._worker
        exchange = self.exchange
        try:
            if environ is None:
                environ = self.maker.make(exchange.request)
            body = self.body
            if body is not None:
                environ["wsgi.input"] = body.stream
                environ["CONTENT_LENGTH"] = str(body.size)
            elif self.h1.content is not None:
                environ["wsgi.input"] = BytesIO(self.h1.content)
                self.h1.content = None
            if worker.from_begin:
                exchange.begin_call(environ)
            self.phase = CALL
            worker.application.call(exchange, environ)
            if body is not None:
                self._close_body()
        except RequestTimeout:  # behind the application's end
            self._close_body()
        except BaseException as error:  # a defect of ours; what the application raises does not come here
            worker.log.critical("a defect in the server; please report it", exc_info=error)
            self.h1.cut()
            self.outbox.broken = True
            self._close_body()  # nobody else would, if the exchange was seized meanwhile
        self.phase = RETURNED

    # Writing

    def refuse(self, error: ProtocolError) -> None:
        """Answer with the error's status, and read nothing more as a request."""
        request, head_only = self.h1.begun, self.h1.head_only
        self.h1.refuse()
        self._refused = True
        head, body = refusal(error)
        octets = self.h1.refusal(head, self._worker.clock.stamp)
        try:
            self.outbox.put(octets if head_only else octets + body)
        except ClientDisconnected:
            self.close()
            return
        if self._worker.observer is not None:
            self._worker.observation.refused(self.exchange, request, head, 0 if head_only else len(body))
        self._close_body()
        self._settle()

    def answer(self, answer: Answer) -> None:
        """In the application's place. The connection ends with it."""
        head, block = answer
        try:
            self.exchange.respond(head, block)
        except ClientDisconnected:
            self.exchange.abort()
        self.phase = RETURNED
        self._close_body()
        self._settle()

    def _settle(self) -> bool:
        """After an answer: flush, go on, or close. False: the lead was lost."""
        return self._go_on() if self._end_batch() else True

    def _go_on(self) -> bool:
        """All that was answered is with the client."""
        h1 = self.h1
        if not h1.persistent or h1.writing is Writing.CLOSED:
            if self.exchange.reset:
                self.close(reset=True)
            elif self._more_may_come():
                self._linger()
            else:
                self.close()
            return True
        self.move(HEAD)
        self.watch(READ)
        self._arriving = False
        if h1.reading is Reading.BODY:
            # An earlier answer had to be flushed before the body's turn came.
            self.move(BODY)
            self._expect_body()
            return True
        try:
            request = h1.next_request()
        except ProtocolError as error:
            self.refuse(error)
            return True
        return self._advance(request)

    def _end_batch(self) -> bool:
        """Whether all that was answered is with the client; otherwise it is flushed first, or is gone."""
        outbox = self.outbox
        try:
            outbox.end_batch()
        except ClientDisconnected:
            pass
        if outbox.broken:
            self.close(reset=self.exchange.reset)
            return False
        if outbox.waiting:
            self.move(FLUSH)
            self.watch(WRITE)
            self._expire_in(self._worker.options.write_timeout)
            return False
        return True

    def _ask_flush(self) -> None:
        """An answer waits. The owner's thread."""
        self._worker.post(self, self._await_room)

    def _flush_some(self) -> None:
        if self.outbox.flush():
            self._expire_in(self._worker.options.write_timeout)
        if not self.outbox.waiting:
            self.watch(self._mask & READ)
            if self.phase is not FLUSH:
                self.deadline = NEVER

    def _flush(self) -> bool:
        self._flush_some()
        if self.outbox.broken:
            self.close()
            return True
        if self.outbox.waiting:
            return True
        return self._go_on()

    def _expire_in(self, seconds: float) -> None:
        self.deadline = self._worker.clock.now + seconds
        if self.deadline < self.due:
            self._worker.timers.watch(self)

    # The end

    def _more_may_come(self) -> bool:
        """Whether a close now could meet octets of the client and become a reset, which costs our answer."""
        if self._refused or self.h1.pending or self.exchange.request.section.persistent:
            return True
        return bool(self._receive(RECV_HEAD))

    def _linger(self) -> None:
        """Half-close and read on for a while, or the client's data would turn our answer into a reset."""
        if not half_close(self._transport, self._sock):
            self.close()
            return
        self.h1.refuse()
        self.move(LINGER)
        self.watch(READ)
        self._expire_in(LINGER_TIME)

    def _linger_on(self) -> None:
        data = self._receive(RECV_HEAD)
        if data is None:
            return
        self._lingered += len(data)
        if not data or self._lingered > LINGER_MOST:
            self.close()

    def close(self, reset: bool = False) -> None:
        """Now. Whoever produces an answer for it finds the outbox broken."""
        if self.phase is CLOSED:
            return
        self.watch(0)
        self.phase = CLOSED
        self._worker.forget(self)
        self.outbox.close()
        self.exchange.environ = None  # it refers back to the exchange
        self._close_body()
        if reset:
            reset_on_close(self._sock)
        else:
            self._transport.say_goodbye()
        self._transport.close()

    def _close_body(self) -> None:
        if self.body is not None:
            self.body.close()
            self.body = None
