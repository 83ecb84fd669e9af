"""make_server(): for programs that have wsgiref.simple_server inside and want a server that lasts.

httpd = make_server("127.0.0.1", 0, app)
threading.Thread(target=httpd.serve_forever).start()
...
httpd.shutdown()
httpd.server_close()
"""

import os
import select
import signal
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from email.message import Message
from socket import socket as Socket  # Server.socket shadows the module's name
from types import TracebackType
from typing import Any, Self

from pronghorn.assemble.parts import settings_from_python
from pronghorn.assemble.working import set_deadlines
from pronghorn.config.settings import Settings
from pronghorn.net.address import Address
from pronghorn.net.listen import Listener, bind
from pronghorn.observe.access import AccessLog
from pronghorn.observe.record import Exchange, Head
from pronghorn.serve.worker import Worker
from pronghorn.wsgi.call import WSGIApplication


def make_server(
    host: str,
    port: int,
    app: WSGIApplication | None,
    server_class: type | None = None,
    handler_class: type | None = None,
    **options: Any,
) -> "Server":
    """As pronghorn.make_server."""
    threading_class = server_class is not None and issubclass(server_class, socketserver.ThreadingMixIn)
    options.setdefault("threads", 8 if threading_class else 1)
    made_by = server_class if server_class is not None and issubclass(server_class, Server) else Server
    server: Server = made_by((host, port), handler_class, **options)
    server.set_app(app)
    return server


class Server:
    """What wsgiref.simple_server.WSGIServer promises, with Pronghorn's worker underneath.

    socket: the listening socket; may be exchanged before serving: `httpd.socket =
    context.wrap_socket(httpd.socket, server_side=True)` serves TLS.
    server_address: (host, port) as bound. timeout: seconds that handle_request() waits, None for ever.
    """

    timeout: float | None = None
    request_queue_size = 128

    def __init__(
        self, server_address: tuple[str, int], handler_class: type | None = None, **options: Any
    ) -> None:
        """Bind and listen. Raises BindError (an OSError in wsgiref)."""
        self.RequestHandlerClass = handler_class
        self.application: WSGIApplication | None = None
        self._settings: Settings = settings_from_python(options)
        host, port = server_address
        address = Address("tcp", host=host or "0.0.0.0", port=port)
        # wsgiref has one socket; a name with an IPv6 address too keeps its first, IPv4.
        self._listener, *others = bind(address, self._settings.listen.backlog)
        for other in others:
            other.close()
        self.server_address: Any = self.socket.getsockname()
        self.server_name = self._listener.server_name
        self.server_port = int(self._listener.server_port)
        self._lock = threading.Lock()  # guards _worker and _stop_asked
        self._worker: Worker | None = None
        self._stop_asked = False
        self._idle = threading.Event()
        self._idle.set()

    @property
    def socket(self) -> Socket:
        return self._listener.socket

    @socket.setter
    def socket(self, value: Socket) -> None:
        self._listener.socket = value

    def fileno(self) -> int:
        """For selectors: readable when handle_request() has something to do."""
        return self.socket.fileno()

    def get_app(self) -> WSGIApplication | None:
        return self.application

    def set_app(self, application: WSGIApplication | None) -> None:
        """May be called at any time; the next request meets the new application."""
        self.application = application

    def serve_forever(self, poll_interval: float = 0.5) -> None:
        """Serve until shutdown() is called from another thread. poll_interval is not needed."""
        self._run(self._settings, None)

    def handle_request(self) -> None:
        """Serve one connection with one request, then return. The connection is closed after it."""
        ready, _, _ = select.select([self.socket], [], [], self.timeout)
        if not ready:
            self.handle_timeout()
            return
        once = replace(self._settings, serve=replace(self._settings.serve, keep_alive=0.0))
        self._run(once, 1)

    def handle_timeout(self) -> None:
        """For subclasses: handle_request() has waited in vain."""

    def shutdown(self) -> None:
        """Stop serve_forever() and wait until it has returned. Requests in progress are finished."""
        with self._lock:
            if self._worker is not None and not self._stop_asked:  # a second stop() would not wait for them
                self._worker.stop()
            self._stop_asked = True
        self._idle.wait()

    def server_close(self) -> None:
        """Close the listening socket."""
        self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.server_close()

    def _run(self, settings: Settings, connections: int | None) -> None:
        listener = Borrowed(self._listener)
        access = HandlerLog(self.RequestHandlerClass, self) if self.RequestHandlerClass else None
        worker = Worker(self._call, [listener], settings.serve, settings.limits, access=access)
        set_deadlines(worker)
        if connections is not None:
            worker.observation.after_request = worker.stop
            listener.ration.left = connections
            # Or the poller would report the connections that have to wait, again and again.
            listener.ration.exhausted = worker.doors.pause
        self._idle.clear()
        try:
            with self._lock:
                self._worker = worker
                if self._stop_asked:  # shutdown() came first
                    worker.stop()
            _interruptible(worker)
        finally:
            listener.close()
            with self._lock:
                self._worker = None
                self._stop_asked = False
            self._idle.set()

    def _call(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        assert self.application is not None, "set_app() was not called"
        return self.application(environ, start_response)


def _interruptible(worker: Worker) -> None:
    """Run it; Ctrl+C ends it in good order, and then is the KeyboardInterrupt that wsgiref's users expect."""
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        worker.run()
        return
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        worker.stop(graceful=False)

    worker.on_signal = {signal.SIGINT: interrupt}
    before = signal.set_wakeup_fd(worker.signals_fd, warn_on_full_buffer=False)
    # Nothing for Python to do: the worker is told of the signal by the descriptor.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        worker.run()
    finally:
        signal.set_wakeup_fd(before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt


class Borrowed(Listener):
    """A listener for one run of a worker, which closes it at the end; the socket it shares stays open."""

    def __init__(self, lender: Listener) -> None:
        self.address = Address("fd", fd=lender.socket.fileno())
        self.sole = False  # the worker must not put its filter against new connections on it
        self.deferred = False  # nor wait for those who are on their way in
        self.url = lender.url
        self.server_name = lender.server_name
        self.server_port = lender.server_port
        self._own_file = None
        self._file_is_ours = False
        self.ration: _Ration = _Ration(fileno=os.dup(lender.socket.fileno()))
        self.ration.setblocking(False)
        if isinstance(lender.socket, ssl.SSLSocket):
            self.ration = _rationed_tls(lender.socket.context, self.ration)
        self.socket = self.ration


class _Ration(Socket):
    """Seems to have an empty accept queue once `left` connections were accepted; None is any number."""

    left: int | None = None
    exhausted: Callable[[], None]

    def _accept(self) -> tuple[int, Any]:
        if self.left == 0:
            raise BlockingIOError
        accepted: tuple[int, Any] = super()._accept()  # type: ignore[misc]
        if self.left is not None:
            self.left -= 1
            if not self.left:
                self.exhausted()
        return accepted


class _RationedTLS(ssl.SSLSocket, _Ration):
    pass


def _rationed_tls(context: ssl.SSLContext, plain: Socket) -> _Ration:
    before = context.sslsocket_class
    context.sslsocket_class = _RationedTLS
    try:
        wrapped = context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
    finally:
        context.sslsocket_class = before
    assert isinstance(wrapped, _RationedTLS)
    return wrapped


class HandlerLog(AccessLog):
    """In place of the access log: calls log_request() of a BaseHTTPRequestHandler class for each request.

    The handler is made without its __init__, which would read the request.
    """

    def __init__(self, handler_class: type, server: Server) -> None:
        self._class = handler_class
        self._server = server
        self.from_begin = False

    def write(self, exchange: Exchange, head: Head | None, sent: int) -> None:
        line, status = exchange.request.line, head.code if head is not None else 0
        handler: Any = object.__new__(self._class)
        handler.server = self._server
        handler.client_address = exchange.peer or ("", 0)
        handler.command, handler.path = line.method, line.target
        handler.request_version = line.version
        handler.requestline = f"{line.method} {line.target} {line.version}".strip()
        handler.headers = Message()
        for name, value in exchange.request.fields:
            handler.headers[name.decode("latin-1")] = value.decode("latin-1")
        if hasattr(handler, "log_request"):
            handler.log_request(status, sent)
        elif hasattr(handler, "log_message"):
            handler.log_message('"%s" %s %s', handler.requestline, str(status), str(sent))

    def flush(self) -> None:
        """Nothing is buffered."""

    def reopen(self) -> None:
        """There is no file."""

    def close(self) -> None:
        """There is no file."""
