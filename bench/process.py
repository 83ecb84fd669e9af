"""Starts a server on its core, waits until it accepts, and ends it with all its descendants."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from bench.profiles import Profile
from bench.servers import Server

ROOT = Path(__file__).resolve().parent.parent
ENV = ROOT / "bench" / ".env"
WORK = ROOT / "bench" / ".work"
LOG = WORK / "server.log"
START_TIMEOUT = 15.0

# Below the kernel's range of ephemeral ports, so that no client's own port is in the way.
_ports = count(20000 + os.getpid() % 5000)


class Failure(Exception):
    """A server did not do what the profile asks; the text says what."""


class WrongAnswer(Failure):
    """Found before the load began; it would be wrong again in the next round."""


@contextmanager
def running(server: Server, profile: Profile, cores: set[int]) -> Iterator[tuple[int, int]]:
    """Yield (pid, port) of a server that accepts connections; it stays on these cores."""
    port = _free_port()
    with LOG.open("wb") as log:
        process = subprocess.Popen(
            _command(server, profile, port),
            cwd=ROOT,
            env=environment(server.source),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    try:
        _wait_until_accepting(process, port)
        yield process.pid, port
    finally:
        _end(process)


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    children = _children()
    found = [pid]
    for member in found:
        found += children.get(member, [])
    return found


def leaves(pid: int) -> list[int]:
    """Those of the tree that have no children: the workers, without a master."""
    children = _children()
    return [member for member in tree(pid) if member not in children]


def _children() -> dict[int, list[int]]:
    """By parent, of all processes."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (parent := _parent(int(entry))):
            children.setdefault(parent, []).append(int(entry))
    return children


def last_words() -> str:
    """The last line that the server has written, for a message."""
    lines = LOG.read_text(errors="replace").strip().splitlines()
    return lines[-1].strip()[:100] if lines else "no output"


def _parent(pid: int) -> int:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _free_port() -> int:
    for port in _ports:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("unreachable: the counter is endless")


def _command(server: Server, profile: Profile, port: int) -> list[str]:
    values = {
        "python": ENV / "bin" / "python",
        "bin": ENV / "bin",
        "work": WORK,
        "app": profile.target,
        "port": port,
        "answer": len(profile.answer),
        "body": profile.body,
        "close": int(profile.close),
        "threads": profile.threads,
        "workers": profile.workers,
    }
    return [word.format_map(values) for word in server.words(profile)]


def environment(source: str) -> dict[str, str]:
    """The caller's, without what would change a server's settings behind the benchmark's back.

    source: where Pronghorn is imported from, below the checkout.
    """
    owned = ("PRONGHORN_", "GUNICORN_", "GRANIAN_", "UWSGI_", "PYTHON")
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(owned) and k not in ("PORT", "WEB_CONCURRENCY")
    }
    return kept | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / source}"}


def _wait_until_accepting(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise Failure(f"did not start: {last_words()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return
    raise Failure(f"no connection accepted within {START_TIMEOUT:.0f} s: {last_words()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill: what is measured is over, and nothing is left to be answered."""
    members = tree(process.pid) if process.poll() is None else []
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    for pid in members[1:]:
        if _session(pid) == process.pid:
            os.kill(pid, signal.SIGKILL)


def _session(pid: int) -> int:
    """0 when there is no such process any more."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[3])
