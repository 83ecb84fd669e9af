"""The command as a process. conftest.py makes the fixtures known."""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import PATIENCE, until

APP = """
import os, sys

def app(environ, start_response):
    text = os.environ.get("GREETING", "Hello") + " " + os.getcwd()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]

def slow(environ, start_response):
    print("started", file=sys.stderr, flush=True)
    sys.stdin.read()
    start_response("200 OK", [])
    return [b"done"]
"""

COMMAND = [sys.executable, "-m", "pronghorn"]


class Running:
    """A server in a process of its own."""

    def __init__(self, child: subprocess.Popen[str], log: Path) -> None:
        self.child = child
        self._log = log

    @property
    def log(self) -> str:
        """What went to stderr so far."""
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.log or self.child.poll() is not None, text)
        assert text in self.log, self.log

    @property
    def port(self) -> int:
        found = re.search(r"http://[^ :]+:(\d+)", self.log)
        assert found, self.log
        return int(found[1])

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        assert answer.status == 200
        text = answer.read().decode()
        connection.close()
        return text

    def end(self, number: int = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(PATIENCE)


Start = Callable[..., Running]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


def surroundings(changes: dict[str, str]) -> dict[str, str]:
    ours = ("PRONGHORN_", "PORT", "WEB_CONCURRENCY", "NO_COLOR", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | changes


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start the server in `folder` on a free port; it has printed its banner."""
    started: list[Running] = []

    def start_server(
        *arguments: str, environ: dict[str, str] | None = None, bind: str = "127.0.0.1:0"
    ) -> Running:
        log = folder / f"stderr-{len(started)}"
        with log.open("w") as stderr:
            child = subprocess.Popen(
                [*COMMAND, *arguments, *(["--bind", bind] if bind else [])],
                cwd=folder,
                env=surroundings(environ or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        started.append(Running(child, log))
        started[-1].wait_for("Ctrl+C")
        return started[-1]

    yield start_server
    for running in started:
        running.child.kill()
        running.child.communicate()


def refused(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code and stderr of a command that does not start."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=surroundings(environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 6, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr
