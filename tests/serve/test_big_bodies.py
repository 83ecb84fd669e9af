"""Bodies larger than memory should ever hold, both ways."""

import hashlib

import pytest

from tests.serve.apps import digest, octets
from tests.serve.process import ServerProcess, process
from tests.serving import head

BIG = 64 << 20
MEMORY_MOST = 60 << 10
"""KiB of the whole server process at its peak."""


def upload(server: ServerProcess, size: int, chunked: bool) -> str:
    """The server's digest of a body of `octets`."""
    with server.connect() as client:
        if chunked:
            client.send(head("POST", "/digest", "Transfer-Encoding: chunked"))
            for block in octets(size):
                client.send(b"%x\r\n" % len(block) + block + b"\r\n")
            client.send(b"0\r\n\r\n")
        else:
            client.send(head("POST", "/digest", length=size))
            for block in octets(size):
                client.send(block)
        answer = client.read_answer("POST")
        assert answer.status == 200
        return answer.body.decode()


def download(server: ServerProcess, target: str, size: int) -> str:
    """The client's digest of a body that ends with the connection."""
    total, received = hashlib.sha256(), 0
    with server.connect() as client:
        client.send(head("GET", target, "Connection: close", version="1.0"))
        client.read_until(b"\r\n\r\n")
        block = client.buffer or client.socket.recv(1 << 18)
        while block:
            total.update(block)
            received += len(block)
            block = client.socket.recv(1 << 18)
    assert received == size
    return total.hexdigest()


@pytest.mark.parametrize("chunked", [False, True])
def test_upload(chunked: bool) -> None:
    with process(threads=2, limits={"limit_request_body": BIG}) as server:
        assert upload(server, BIG, chunked) == digest(octets(BIG))
        assert server.memory()["VmHWM"] < MEMORY_MOST


@pytest.mark.parametrize("threads", [1, 4])
def test_download(threads: int) -> None:
    with process(threads=threads) as server:
        assert download(server, f"/generator?{BIG}", BIG) == digest(octets(BIG))
        assert server.memory()["VmHWM"] < MEMORY_MOST


def test_download_of_a_file() -> None:
    with process(threads=2) as server:
        zeros = digest([bytes(1 << 20)] * (BIG >> 20))
        assert download(server, f"/file?{BIG}", BIG) == zeros
        assert server.memory()["VmHWM"] < MEMORY_MOST
