"""--no-defer-accept, and what it switches off: a connection comes in with its first data (tcp(7), Linux)."""

import os
import signal
import socket
import sys
import time

import pytest

from tests.serve.process import ServerProcess, process
from tests.serving import Client, head, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="TCP_DEFER_ACCEPT is Linux's")

SECOND = 1.0
"""That the kernel waits: the first retransmission of SYN and ACK."""


def sockets(server: ServerProcess) -> int:
    """That the process holds."""
    folder = f"/proc/{server.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        try:
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
        except FileNotFoundError:
            continue
    return found


def accepted(server: ServerProcess, before: int) -> float:
    """Seconds until it holds one more."""
    began = time.monotonic()
    until(lambda: sockets(server) == before + 1, "the connection is accepted")
    return time.monotonic() - began


def test_a_silent_connection_comes_in_after_a_second() -> None:
    with process() as server:
        before = sockets(server)
        with server.connect() as silent:
            assert accepted(server, before) > SECOND / 2
            assert silent.ask(head("GET", "/quick")).body == b"quick"


def test_with_its_first_octet_it_comes_in_at_once() -> None:
    with process() as server, server.connect() as client:
        before = sockets(server)
        client.send(b"G")
        assert accepted(server, before) < SECOND / 2
        assert client.ask(b"ET /quick HTTP/1.1\r\nHost: x\r\n\r\n", method="GET").body == b"quick"


def test_a_client_that_goes_without_a_word_is_no_trouble() -> None:
    with process() as server:
        for _ in range(20):
            server.connect().close()
        assert server.get("/quick") == b"quick"
        assert server.complaints == []


def test_switched_off_it_comes_in_at_once() -> None:
    with process(no_defer_accept=True) as server:
        before = sockets(server)
        with server.connect():
            assert accepted(server, before) < SECOND / 2


def test_nobody_silent_is_lost_at_the_end() -> None:
    with process() as server:
        with server.connect() as silent:
            server.signal(signal.SIGTERM)
            until(lambda: refused(server), "it is on its way out")
            assert served(silent)
        assert server.wait() == 0


def refused(server: ServerProcess) -> bool:
    """Whether no SYN is answered any more."""
    with socket.socket() as client:
        client.settimeout(0.05)
        return client.connect_ex(("127.0.0.1", server.port)) != 0


def served(client: Client) -> bool:
    return client.ask(head("GET", "/quick")).body == b"quick"


def test_with_a_drain_delay_nobody_silent_is_lost_at_the_end() -> None:
    with process(drain_delay=1.5) as server:
        before = sockets(server)
        with server.connect() as silent:
            server.signal(signal.SIGTERM)
            server.wait_for_log("not ready any more")
            accepted(server, before)
            assert served(silent)
        assert server.wait() == 0
