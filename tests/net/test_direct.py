"""net/direct.py: the same calls, in plain Python and compiled."""

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from pronghorn.net.direct import Direct

Pair = tuple[Direct, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """One end, as the server has it, and the client's."""
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.settimeout(10)
    with ours, client:
        yield Direct(ours), client


def test_what_has_come_is_received(pair: Pair) -> None:
    direct, client = pair
    client.sendall(b"hello")
    assert direct.recv(16384) == b"hello"


@pytest.mark.parametrize("size", [1, 3, 16384, 16385, 1 << 20])
def test_no_more_is_received_than_asked_for(pair: Pair, size: int) -> None:
    direct, client = pair
    sent = os.urandom(100_000)
    client.sendall(sent)
    got = direct.recv(size)
    assert 0 < len(got) <= size
    assert sent.startswith(got)


def test_a_negative_size_is_refused(pair: Pair) -> None:
    direct, client = pair
    client.sendall(b"x" * 100_000)
    with pytest.raises(ValueError):
        direct.recv(-1)


def test_nothing_has_come(pair: Pair) -> None:
    with pytest.raises(BlockingIOError):
        pair[0].recv(16384)


def test_nothing_more_will_come(pair: Pair) -> None:
    direct, client = pair
    client.close()
    assert direct.recv(16384) == b""


def test_what_was_received_stays_what_it_was(pair: Pair) -> None:
    direct, client = pair
    got = []
    for sent in (b"first", b"2"):
        client.sendall(sent)
        got.append(direct.recv(16384))
    assert got == [b"first", b"2"]


@pytest.mark.parametrize("octets", [b"", b"hello", b"\0\r\n", os.urandom(65536), memoryview(b"hello")[1:]])
def test_what_fits_is_sent(pair: Pair, octets: bytes | memoryview) -> None:
    direct, client = pair
    assert direct.send(octets) == len(octets)
    client.setblocking(False)
    if octets:
        assert client.recv(1 << 20) == octets


@pytest.mark.parametrize("size", [65536, 65537, 4 << 20])
def test_only_what_fits_is_sent(pair: Pair, size: int) -> None:
    direct, client = pair
    octets = os.urandom(size)
    sent = b""
    with pytest.raises(BlockingIOError):
        while True:
            sent += octets[: direct.send(octets)]
    got = b""
    while len(got) < len(sent):
        got += client.recv(1 << 20)
    assert got == sent


def test_a_client_that_is_gone(pair: Pair) -> None:
    direct, client = pair
    client.close()
    with pytest.raises(BrokenPipeError):
        direct.send(b"hello")


def test_a_connection_that_was_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        ours, _ = listening.accept()
        with ours, client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            with pytest.raises(ConnectionResetError):
                Direct(ours).recv(16384)


def test_a_closed_one_touches_nobody_else(pair: Pair) -> None:
    """The number of its descriptor is another's by then."""
    direct, client = pair
    number = direct._sock.fileno()
    direct.close()
    reading, writing = os.pipe()
    other, peer = socket.socketpair()
    with other, peer:
        assert number in (reading, writing, other.fileno(), peer.fileno())
        for call in (lambda: direct.recv(16384), lambda: direct.send(b"hello"), lambda: direct.send(b"")):
            with pytest.raises(OSError) as raised:
                call()
            assert raised.value.errno == errno.EBADF
    os.close(reading)
    os.close(writing)
    assert client.recv(1) == b""
