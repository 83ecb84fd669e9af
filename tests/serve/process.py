"""A worker in a process of its own, where the process is the subject: signals, memory, descriptors.

with process(threads=2) as server:
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
"""

import os
import re
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.serving import PATIENCE, Client, head, until

ROOT = Path(__file__).parents[2]


def connected(port: int, receive_buffer: int = 0) -> Client:
    """A client whose socket is closed if it cannot connect. receive_buffer: octets, 0 for the default."""
    client = Client.__new__(Client)
    client.buffer = b""
    client.socket = socket.socket()
    try:
        if receive_buffer:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.socket.settimeout(PATIENCE)
        client.socket.connect(("127.0.0.1", port))
    except OSError:
        client.close()
        raise
    return client


class ServerProcess:
    """What a test may ask of the server process."""

    def __init__(self, child: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        """Returns when it serves."""
        self.child = child
        self.pid = child.pid
        self._log = log
        until(lambda: child.poll() is not None or "Ctrl+C" in self.log, "the banner")
        address = re.search(r"http://127\.0\.0\.1:(\d+)", self.log)
        assert address, f"the server did not start: {self.log}"
        self.port = int(address[1])

    @property
    def log(self) -> str:
        return os.pread(self._log.fileno(), 1 << 20, 0).decode()

    @property
    def complaints(self) -> list[str]:
        """Lines of the log that are warnings or worse."""
        return [line for line in self.log.splitlines() if re.search("WARNING|ERROR|CRITICAL|Traceback", line)]

    def wait_for_log(self, text: str) -> None:
        until(lambda: text in self.log, f"{text!r} in the log")

    def connect(self) -> Client:
        return connected(self.port)

    def get(self, target: str) -> bytes:
        with self.connect() as client:
            answer = client.ask(head("GET", target, "Connection: close"))
            assert answer.status == 200
            return answer.body

    def memory(self) -> dict[str, int]:
        """KiB."""
        pairs = [pair.split("=") for pair in self.get("/memory").decode().split()]
        return {name: int(size) for name, size in pairs}

    def signal(self, number: int) -> None:
        self.child.send_signal(number)

    def wait(self, patience: float = PATIENCE) -> int:
        """The exit code."""
        return self.child.wait(patience)


@contextmanager
def process(
    *, rlimits: dict[int, int] | None = None, limits: dict[str, int] | None = None, **options: Any
) -> Iterator[ServerProcess]:
    """A server of `tests.serve.apps.site`; the keywords are those of ServeOptions, or True for a flag."""
    command = [sys.executable, "-m", "pronghorn", "tests.serve.apps:site", "--bind", "127.0.0.1:0"]
    command.append("--no-master")  # the process is the worker
    for name, value in {**options, **(limits or {})}.items():
        command += ["--" + name.replace("_", "-"), *([] if value is True else [str(value)])]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            server = ServerProcess(child, log)
            for number, most in (rlimits or {}).items():
                resource.prlimit(child.pid, number, (most, most))
            yield server
        finally:
            child.kill()
            child.wait()
