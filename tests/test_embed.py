"""make_server where wsgiref's stood: the same programs, another server."""

import http.client
import os
import select
import signal
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import pytest

import pronghorn
from pronghorn.embed import Server
from pronghorn.errors import BindError
from tests.serving import PATIENCE, until

Application = Callable[[dict[str, Any], Callable[..., Any]], list[bytes]]


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"Hello ", environ["PATH_INFO"].encode("latin-1")]


def get(port: int, path: str = "/") -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().read()
    finally:
        connection.close()


@contextmanager
def served(server: Server) -> Iterator[int]:
    """serve_forever() in a thread, shutdown() at the end."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_it_is_bound_and_listening_when_it_is_made() -> None:
    with pronghorn.make_server("127.0.0.1", 0, hello) as server:
        assert server.server_port > 0
        assert server.server_address == ("127.0.0.1", server.server_port)
        assert server.fileno() == server.socket.fileno()
        socket.create_connection(server.server_address, PATIENCE).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.server_address, PATIENCE)


def test_serve_forever_until_shutdown_and_again() -> None:
    with pronghorn.make_server("127.0.0.1", 0, hello) as server:
        for path in ("/one", "/two"):
            with served(server) as port:
                assert get(port, path) == b"Hello " + path.encode()


def test_shutdown_before_serve_forever_has_begun() -> None:
    with pronghorn.make_server("127.0.0.1", 0, hello) as server:
        server.shutdown()
        server.serve_forever()  # returns
        with served(server) as port:
            assert get(port)


class Slow:
    """An application whose call takes as long as a test wants."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        self.begun.set()
        self.go_on.wait(PATIENCE)
        return hello(environ, start_response)


def test_shutdown_waits_for_the_request_in_progress() -> None:
    slow = Slow()
    with pronghorn.make_server("127.0.0.1", 0, slow) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        client = socket.create_connection(server.server_address, PATIENCE)
        client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
        assert slow.begun.wait(PATIENCE)
        stopper = threading.Thread(target=server.shutdown)
        stopper.start()
        assert thread.is_alive() and stopper.is_alive()
        slow.go_on.set()
        assert to_end(client).endswith(b"Hello /x")
        client.close()
        stopper.join(PATIENCE)
        thread.join(PATIENCE)
        assert not thread.is_alive()


class Watched(threading.Event):
    """Knows who waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[int] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waiting.append(threading.get_ident())
        return super().wait(timeout)


def test_shutdown_by_several_threads_waits_for_the_request_in_progress() -> None:
    slow = Slow()
    with pronghorn.make_server("127.0.0.1", 0, slow, threads=2) as server:
        server._idle = idle = Watched()
        with ThreadPoolExecutor() as threads, socket.create_connection(server.server_address) as client:
            runs = [threads.submit(server.serve_forever)]
            client.settimeout(PATIENCE)
            client.sendall(b"GET /x HTTP/1.0\r\n\r\n")
            assert slow.begun.wait(PATIENCE)
            runs += [threads.submit(server.shutdown) for _ in range(3)]
            until(lambda: len(idle.waiting) == 3, "all three have asked")
            assert select.select([client], [], [], 0.1)[0] == [], "it is cut off"
            slow.go_on.set()
            assert to_end(client).endswith(b"Hello /x")
            for run in runs:
                run.result(PATIENCE)


def test_handle_request_serves_one_and_leaves_the_others_waiting() -> None:
    with pronghorn.make_server("127.0.0.1", 0, hello) as server:
        clients = [socket.create_connection(server.server_address, PATIENCE) for _ in range(3)]
        for client in clients:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        for number, client in enumerate(clients, 1):
            server.handle_request()
            assert to_end(client).endswith(b"Hello /x")
            assert [waiting for waiting in clients[number:] if readable(waiting)] == []
        for client in clients:
            client.close()


def to_end(client: socket.socket) -> bytes:
    with client.makefile("rb") as answer:
        return answer.read()


def readable(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    finally:
        client.settimeout(PATIENCE)
    return True


def test_handle_request_does_not_burn_the_processor_while_others_wait() -> None:
    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        threading.Event().wait(0.4)
        return hello(environ, start_response)

    with pronghorn.make_server("127.0.0.1", 0, slow, threads=4) as server:
        clients = [socket.create_connection(server.server_address, PATIENCE) for _ in range(2)]
        for client in clients:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        before = time.process_time()
        server.handle_request()
        assert time.process_time() - before < 0.2
        for client in clients:
            client.close()


def test_handle_request_with_a_timeout() -> None:
    waited = []

    class Impatient(Server):
        timeout = 0.01

        def handle_timeout(self) -> None:
            waited.append(1)

    with pronghorn.make_server("127.0.0.1", 0, hello, server_class=Impatient) as server:
        assert isinstance(server, Impatient)
        server.handle_request()
    assert waited == [1]


def test_set_app_takes_effect_at_the_next_request() -> None:
    with pronghorn.make_server("127.0.0.1", 0, None) as server:
        assert server.get_app() is None
        server.set_app(hello)
        with served(server) as port:
            assert get(port) == b"Hello /"

            def other(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
                start_response("200 OK", [])
                return [b"other"]

            server.set_app(other)
            assert server.get_app() is other
            assert get(port) == b"other"


@pytest.mark.parametrize(("mixin", "threaded"), [(object, False), (socketserver.ThreadingMixIn, True)])
def test_threads_as_the_server_class_had_them(mixin: type, threaded: bool) -> None:
    seen = []

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append((environ["wsgi.multithread"], threading.current_thread()))
        return hello(environ, start_response)

    server_class = type("OldServer", (mixin, WSGIServer) if mixin is not object else (WSGIServer,), {})
    with pronghorn.make_server("127.0.0.1", 0, app, server_class=server_class) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        get(server.server_port)
        server.shutdown()
        thread.join(PATIENCE)
    assert seen[0][0] is threaded
    assert threaded or seen[0][1] is thread


def test_a_handler_class_gets_a_line_for_each_request() -> None:
    lines: list[str] = []

    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            lines.append(f"{self.address_string()} {self.command} {self.headers['X-Id']} " + format % args)

    with (
        pronghorn.make_server("127.0.0.1", 0, hello, handler_class=Handler) as server,
        served(server) as port,
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/a?b", headers={"X-Id": "7", "Connection": "close"})
        connection.getresponse().read()
        connection.close()
        until(lambda: bool(lines), "a line")
    assert lines == ['127.0.0.1 GET 7 "GET /a?b HTTP/1.1" 200 8']


def test_a_handler_that_fails_does_not_hurt(capfd: pytest.CaptureFixture[str]) -> None:
    class Handler(WSGIRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            raise RuntimeError("no")

    with (
        pronghorn.make_server("127.0.0.1", 0, hello, handler_class=Handler) as server,
        served(server) as port,
    ):
        assert get(port) == get(port) == b"Hello /"


def test_an_ipv6_address() -> None:
    with (
        pronghorn.make_server("::1", 0, hello) as server,
        served(server),
        socket.create_connection(server.server_address[:2], PATIENCE) as client,
        client.makefile("rb") as answer,
    ):
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert answer.read().endswith(b"Hello /")


def test_an_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BindError, match="in use"):
        pronghorn.make_server("127.0.0.1", taken.getsockname()[1], hello)


@pytest.mark.parametrize("once", [False, True])
def test_the_tls_idiom(once: bool, certificate: Path) -> None:
    def scheme(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [])
        return [environ["wsgi.url_scheme"].encode()]

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    with pronghorn.make_server("127.0.0.1", 0, scheme) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serve = server.handle_request if once else server.serve_forever
        thread = threading.Thread(target=serve)
        thread.start()
        connection = http.client.HTTPSConnection(
            "127.0.0.1", server.server_port, timeout=PATIENCE, context=trusting
        )
        connection.request("GET", "/", headers={"Connection": "close"})
        assert connection.getresponse().read() == b"https"
        connection.close()
        if not once:
            server.shutdown()
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.mark.parametrize("threads", [1, 4])
def test_ctrl_c_is_a_keyboard_interrupt(threads: int) -> None:
    program = (
        "import pronghorn, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # who runs tests behind `&` ignores it
        f"with pronghorn.make_server('127.0.0.1', 0, print, threads={threads}) as httpd:\n"
        "    try:\n        print('ready', flush=True)\n        httpd.serve_forever()\n"
        "    except KeyboardInterrupt:\n        print('interrupted')\n"
    )
    environ = {**os.environ, "PYTHONDEVMODE": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "interrupted\n"
        assert child.wait(PATIENCE) == 0


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="did you mean 'threads'"):
        pronghorn.make_server("127.0.0.1", 0, hello, thread=2)
