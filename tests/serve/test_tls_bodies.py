"""Request bodies over TLS: OpenSSL hands out records, which end neither where chunks nor where segments do."""

import socket
import ssl
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving import Client, Server, head, serving, until

SIZES = [1 << 10, 12 << 10, 100 << 10, 3 << 20]
PIECES = 5
"""That a slow sender makes of a body; each ends its record."""


def echo(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    body = environ["wsgi.input"].read()
    assert environ["wsgi.url_scheme"] == "https"
    assert environ.get("CONTENT_LENGTH", "") == (str(len(body)) if body else "")
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving(echo, threads=2, tls=context) as server:
        yield server
        assert server.log == ""


@pytest.fixture
def client(server: Server, certificate: Path) -> Iterator[Client]:
    trusting = ssl.create_default_context(cafile=str(certificate))
    with server.connect() as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.socket = trusting.wrap_socket(client.socket, server_hostname="127.0.0.1")
        yield client


def content(size: int) -> bytes:
    """Nowhere like itself, so that what is missing, twice or out of order shows."""
    return b"".join(b"%08x" % number for number in range(size // 8))


def request(body: bytes, framing: str) -> bytes:
    """Chunks are of 3 KiB and 40 KiB: several in a record, and several records in one."""
    if framing == "length":
        return head("POST", "/", length=len(body)) + body
    octets, at = [head("POST", "/", "Transfer-Encoding: chunked")], 0
    while at < len(body):
        chunk = body[at : at + (3000 if len(octets) % 2 else 40_000)]
        octets.append(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        at += len(chunk)
    return b"".join([*octets, b"0\r\n\r\n"])


def unread(client: Client) -> int:
    """Octets that have arrived for the server, and that it has not yet taken."""
    ours, theirs = client.socket.getsockname()[1], client.socket.getpeername()[1]
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(f":{theirs:04X}") and fields[2].endswith(f":{ours:04X}"):
            return int(fields[4].partition(":")[2], 16)
    raise AssertionError("the connection is gone")


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("size", SIZES)
class TestABody:
    def test_at_once_with_a_request_behind_it(self, size: int, framing: str, client: Client) -> None:
        """In the same record: no event tells of what OpenSSL has deciphered already."""
        body = content(size)
        for _ in range(2):
            client.send(request(body, framing) + head("GET", "/"))
            answer = client.read_answer("POST")
            assert (answer.status, answer.body == body) == (200, True)
            assert client.read_answer().body == b""

    def test_of_a_slow_sender(self, size: int, framing: str, client: Client) -> None:
        body = content(size)
        octets = request(body, framing)
        step = len(octets) // PIECES + 1
        for at in range(0, len(octets), step):
            client.send(octets[at : at + step])
            until(lambda: unread(client) == 0, "the server reads it")
        answer = client.read_answer("POST")
        assert (answer.status, answer.body == body) == (200, True)
