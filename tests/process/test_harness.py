"""The clients notice what they are there to notice: a load that cannot see a failure proves nothing."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.process.load import Load
from tests.serving import until

GOOD_BODY = b"version=1 pid=42\n"
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(GOOD_BODY), GOOD_BODY)
CLOSING = GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def peer(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that does as it is told with each connection, until it is closed; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=each, args=(connection,)).start()

        def each(connection: socket.socket) -> None:
            with connection:
                try:
                    serve(connection)
                except OSError:
                    pass

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def answers(*replies: bytes) -> Callable[[socket.socket], None]:
    """One for each request of a connection; then the connection is closed."""

    def serve(connection: socket.socket) -> None:
        for reply in replies:
            if not connection.recv(65536):
                return
            connection.sendall(reply)

    return serve


def reset_at_once(connection: socket.socket) -> None:
    connection.recv(65536)
    reset(connection)


def read_and_close(connection: socket.socket) -> None:
    connection.recv(65536)


@pytest.mark.parametrize(
    ("serve", "why"),
    [
        (reset_at_once, "reset by peer"),
        (read_and_close, "end of the stream after 0 octets"),
        (answers(GOOD[:-3]), "end of the stream after"),
        (answers(GOOD.replace(b"200 OK", b"503 Busy")), "503 Busy"),
        (answers(GOOD.replace(b"version", b"xersion")), "xersion"),
        (answers(GOOD.replace(b"200 OK", b"404 Ok")), "404 Ok"),
    ],
)
@pytest.mark.parametrize("kept", [0, 1])
def test_each_kind_of_failure_is_seen(serve: Callable[[socket.socket], None], why: str, kept: int) -> None:
    with peer(serve) as port, Load(port, kept=kept, fresh=1 - kept) as load:
        until(lambda: len(load.failures) > 1, "failures")
    assert all(why in failure.why for failure in load.failures), load.failures
    assert load.answered == 0


def test_a_close_that_was_announced_is_no_failure() -> None:
    with peer(answers(CLOSING)) as port, Load(port) as load:
        until(lambda: load.answered > 50, "answers")
    assert load.failures == []
    assert load.reused_closed == 0


def test_a_close_of_an_idle_connection_is_counted_apart() -> None:
    with peer(answers(GOOD, GOOD)) as port, Load(port, kept=1, fresh=0, pause=0.02) as load:
        until(lambda: load.answered > 10, "answers")
    assert load.failures == []
    assert load.reused_closed >= 4


def test_a_close_after_the_second_request_was_received_is_a_failure() -> None:
    def serve(connection: socket.socket) -> None:
        answers(GOOD)(connection)
        read_and_close(connection)

    with peer(serve) as port, Load(port, kept=1, fresh=0) as load:
        until(lambda: len(load.failures) > 2, "failures")
    assert {failure.pid for failure in load.failures} == {42}
    assert load.reused_closed == 0


def test_a_refused_connection_is_a_failure_unless_it_is_expected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Load(port) as load:
        until(lambda: len(load.failures) > 1, "failures")
    with Load(port, until_refused=True, kept=2, fresh=3) as load:
        load.join()
    assert (load.refused, load.failures) == (5, [])


def test_an_answer_that_never_comes_is_a_failure() -> None:
    end = threading.Event()

    def serve(connection: socket.socket) -> None:
        end.wait(10)

    with peer(serve) as port:
        with Load(port, patience=0.2, kept=1, fresh=1) as load:
            until(lambda: len(load.failures) > 1, "failures")
        end.set()
    assert "no answer within" in load.failures[0].why


def test_latency_is_from_the_request_to_the_end_of_the_answer() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(CLOSING[:10])
        threading.Event().wait(0.15)
        connection.sendall(CLOSING[10:])

    with peer(serve) as port, Load(port, kept=1, fresh=1) as load:
        until(lambda: load.answered > 3, "answers")
    assert 0.15 <= load.percentile(0.0) <= load.worst < 1.0
