"""One real server for each framework, as its users start it, with and without wsgiref's validator."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
FRAMEWORKS = ("flask", "django", "bottle", "falcon", "pyramid")
PATIENCE = 20.0
URL = re.compile(r"http://127\.0\.0\.1:[0-9]+")


class ServerProcess:
    """`python -m pronghorn …` on a port of its own; what it says is read all the time."""

    def __init__(self, spec: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pronghorn", spec, "--bind", "127.0.0.1:0"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self.url = ""
        self.has_url = threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            found = URL.search(line)
            if found and not self.url:
                self.url = found[0]
                self.has_url.set()
        self.has_url.set()

    def wait_until_ready(self) -> None:
        """The socket is bound before the application is loaded, so the first answer is the sign."""
        assert self.has_url.wait(PATIENCE), f"no address in: {self.said}"
        assert self.url, f"the server ended: {self.said}"
        assert httpx.get(self.url + "/text", timeout=PATIENCE).status_code == 200, self.said

    def terminate(self) -> int:
        try:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
            self.reader.join(PATIENCE)
            assert self.process.stderr is not None
            self.process.stderr.close()


class Site:
    """What a test is given: a client, the server, and what is special about this combination."""

    def __init__(self, framework: str, validated: bool, server: ServerProcess, client: httpx.Client) -> None:
        self.framework = framework
        self.validated = validated
        self.server = server
        self.client = client


@pytest.fixture(
    scope="session",
    params=[(name, validated) for name in FRAMEWORKS for validated in (False, True)],
    ids=lambda param: param[0] + (" validated" if param[1] else ""),
)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    framework, validated = request.param
    server = ServerProcess(f"tests.frameworks.apps.{framework}_app:{'validated' if validated else 'app'}")
    try:
        server.wait_until_ready()
        with httpx.Client(base_url=server.url, timeout=PATIENCE) as client:
            yield Site(framework, validated, server, client)
    finally:
        code = server.terminate()
    assert code == 0, f"exit code {code} on TERM: {server.said}"
    assert "garbage collected without being closed" not in server.said
