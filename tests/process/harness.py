"""A master with its workers, a module of its own to serve, and what an operator may do to them.

with running(site("1"), "--workers", "3") as server, Load(server.port) as load:
    server.write(site("2"))
    server.signal(signal.SIGHUP)
    server.wait_for_version("2")
assert load.failures == []

PRONGHORN_LONG=1 in the environment runs the sizes that the project promises; without, they are smaller.
"""

import compileall
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.serving import PATIENCE, Answer, Client, head

ROOT = Path(__file__).parents[2]
LONG = os.environ.get("PRONGHORN_LONG") == "1"
PRONGHORN = (sys.executable, "-m", "pronghorn")
HURRIED = (sys.executable, "-P", str(ROOT / "tests/process/hurried.py"))
"""The same with less patience."""
SPEC = "served:app"
_MARK = "SERVED_BY_TEST"


def eventually(
    condition: Callable[[], object], what: str, *, patience: float = PATIENCE, every: float = 0.01
) -> None:
    """Like tests.serving.until, for conditions that cost something: /proc, or a request."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(every)


# What is served


def site(version: str = "1", *, prelude: str = "", routes: str = "", warm: str = "200 OK") -> str:
    """The source of a module. prelude: code that its import runs; routes: `elif` branches, and `body` in them.

    `/` answers with version and pid; `/sleep?SECONDS` later; `/warm` with the status `warm`.
    """
    return _SITE.format(version=version, prelude=prelude, routes=routes, warm=warm)


_SITE = """import os, sys, threading, time
{prelude}
warmed = 0

def app(environ, start_response):
    global warmed
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    status = "200 OK"
    body = "version={version} pid=%d\\n" % os.getpid()
    if path == "/":
        pass
    elif path == "/sleep":
        time.sleep(float(query))
    elif path == "/warm":
        warmed += 1
        status = "{warm}"
    elif path == "/warmed":
        body = str(warmed)
{routes}
    else:
        status, body = "404 Not Found", "no such route"
    body = body.encode()
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""

BROKEN = "import os\n\nimport no_such_module_anywhere\n"
"""A module whose line 3 does not work."""


def said(answer: Answer) -> tuple[str, int]:
    """The version and the pid that `/` answered with."""
    assert answer.status == 200, (answer.status, answer.body)
    found = re.fullmatch(rb"version=(\S+) pid=(\d+)\n", answer.body)
    assert found, answer.body
    return found[1].decode(), int(found[2])


# Processes


class Process(NamedTuple):
    """A line of /proc/PID/stat. `state` is Z for one that has ended and that nobody has waited for."""

    pid: int
    parent: int
    session: int
    state: str


def processes() -> dict[int, Process]:
    """All that live."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            # proc(5): the name, in parentheses, may hold anything.
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] not in "ZX":
            found[int(name)] = Process(int(name), int(fields[1]), int(fields[3]), fields[0])
    return found


def stop(pids: set[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all(processes()[pid].state == "T" for pid in pids), f"{pids} stand still")


def _has_mark(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False


class Server:
    """What a test may ask of the server and its processes."""

    def __init__(self, child: subprocess.Popen[bytes], directory: Path, log: Path, mark: str) -> None:
        self.child = child
        self.master_pid = child.pid
        self.path = directory
        self._log = log
        self._mark = mark.encode()
        self._strangers: set[int] = set()
        self._last_log = ""
        self.port = 0

    def wait_until_serving(self, patience: float) -> None:
        """Until `/` is answered."""
        address = re.compile(r"http://127\.0\.0\.1:(\d+)\b(?!$)")
        eventually(
            lambda: self.child.poll() is not None or address.search(self.log()),
            "an address",
            patience=patience,
        )
        found = address.search(self.log())
        assert found, f"it did not start (exit code {self.child.poll()}): {self.log()}"
        self.port = int(found[1])
        answer: list[Answer] = []
        asking = threading.Thread(target=lambda: answer.append(self.get("/")), name="first")
        asking.start()
        eventually(lambda: self.child.poll() is not None or not asking.is_alive(), "/", patience=patience)
        assert self.child.poll() is None, f"it ended with {self.child.poll()}: {self.log()}"
        asking.join()
        assert answer, f"the first request failed: {self.log()}"
        assert answer[0].status == 200

    # Its files

    def write(self, source: str) -> None:
        """The module, at once."""
        new = self.path / ".served"
        new.write_text(source)
        new.rename(self.path / "served.py")

    def log(self) -> str:
        """All that it has written to the terminal, also when it has ended."""
        try:
            self._last_log = self._log.read_text(errors="replace")
        except FileNotFoundError:
            pass
        return self._last_log

    def wait_for_log(self, text: str, patience: float = PATIENCE) -> None:
        eventually(lambda: text in self.log(), f"{text!r} in the log", patience=patience)

    def warnings(self) -> list[str]:
        """Lines of the log that are warnings or worse."""
        return [
            line for line in self.log().splitlines() if re.search("WARNING|ERROR|CRITICAL|Traceback", line)
        ]

    # Its processes

    def survivors(self) -> list[int]:
        """The pids of all that came of this test's server, wherever they went."""
        found = []
        for pid, process in processes().items():
            if process.session == self.child.pid or (
                pid not in self._strangers and _has_mark(pid, self._mark)
            ):
                found.append(pid)
            else:
                self._strangers.add(pid)
        return sorted(found)

    def masters(self) -> list[int]:
        """Those whose parent is not one of ours."""
        living, ours = processes(), self.survivors()
        return [pid for pid in ours if pid in living and living[pid].parent not in ours]

    def worker_pids(self) -> set[int]:
        """All but the master: the mold of --preload is among them, and orphans are, too."""
        return set(self.survivors()) - {self.master_pid}

    def wait_for_workers(self, count: int, patience: float = PATIENCE) -> set[int]:
        eventually(lambda: len(self.worker_pids()) == count, f"{count} workers", patience=patience)
        return self.worker_pids()

    def wait_until_gone(self, pids: set[int] | list[int], patience: float = PATIENCE) -> None:
        eventually(lambda: not set(pids) & set(processes()), f"the end of {pids}", patience=patience)

    def signal(self, number: int) -> None:
        """To the master."""
        os.kill(self.master_pid, number)

    def wait_exit(self, timeout: float = PATIENCE) -> int:
        """The exit code of the process that the test started."""
        return self.child.wait(timeout)

    def end(self) -> None:
        """Whatever it has become."""
        for _ in range(100):
            left = self.survivors()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if not left:
                break
            time.sleep(0.01)
        self.child.wait(PATIENCE)

    # Its answers

    def connect(self) -> Client:
        return Client(("127.0.0.1", self.port))

    def get(self, target: str = "/") -> Answer:
        """On a connection of its own."""
        with self.connect() as client:
            return client.ask(head("GET", target, "Connection: close"))

    def wait_for_version(self, version: str, patience: float = PATIENCE) -> None:
        """Until it answers, five times running."""
        eventually(
            lambda: all(said(self.get())[0] == version for _ in range(5)),
            f"version {version}",
            patience=patience,
        )

    def answering(self, requests: int = 30) -> set[int]:
        """The pids that answer."""
        return {said(self.get())[1] for _ in range(requests)}


@contextmanager
def running(
    source: str,
    *flags: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = PRONGHORN,
    wrapper: Sequence[str] = (),
    bind: str | None = "127.0.0.1:0",
    patience: float = PATIENCE,
) -> Iterator[Server]:
    """Yields when the first request has been answered. wrapper: a command that runs the command."""
    with started(source, *flags, env=env, command=command, wrapper=wrapper, bind=bind) as server:
        server.wait_until_serving(patience)
        yield server


@cache
def _compile() -> None:
    """Once, since the servers write no bytecode: without it, compiling takes longer than all else in a start."""
    compileall.compile_dir(ROOT / "src", quiet=2)


@contextmanager
def started(
    source: str,
    *flags: str,
    env: Mapping[str, str] | None = None,
    command: Sequence[str] = PRONGHORN,
    wrapper: Sequence[str] = (),
    bind: str | None = "127.0.0.1:0",
) -> Iterator[Server]:
    """Yields at once."""
    _compile()
    mark = uuid.uuid4().hex
    # No bytecode: it is told from a newer source by whole seconds and length only.
    surroundings = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        _MARK: mark,
    }
    address = ("--bind", bind) if bind else ()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "served.py").write_text(source)
        log = directory / "stderr.log"
        with log.open("wb") as stderr:
            child = subprocess.Popen(
                [*wrapper, *command, SPEC, *address, *flags],
                cwd=directory,
                env={**surroundings, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
            )
        server = Server(child, directory, log, mark)
        try:
            yield server
        except BaseException:
            print(server.log(), file=sys.stderr)
            raise
        finally:
            server.end()
            server.log()
