"""What a start costs, and what an idle process holds: writes docs/start.md. Run it with `make importtime`.

What is imported comes from `python -X importtime`, memory from /proc, times from a clock around whole
processes, on a core of their own where there are two.
"""

from __future__ import annotations

import http.client
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from bench import machine, proc
from bench.process import ROOT, environment, tree

PAGE = ROOT / "docs" / "start.md"
RUNS = 15
PATIENCE = 15.0
MOST = 12
"""Modules in each list."""

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
_SERVE = ("bench.apps:hello", "--pythonpath", str(ROOT), "--bind")

_HEAD = """\
# What a start costs

Written by `make importtime`: {python}, {processor}. The application is a function that answers 14 bytes;
there is no configuration file. A framework brings modules of its own. What is rarely needed is imported when
it is used (`src/pronghorn/later.py`); `tests/test_start.py` says what a serving process must not have.

## Time

Medians of {runs}, in milliseconds, with warm file caches.

| | ms |
|---|---|
{times}

## Memory of an idle process

PSS: what it shares with others (the C library, Python, what was there before a fork) is counted in parts.

| | MB |
|---|---|
{memory}
"""


class Imported(NamedTuple):
    """One line of -X importtime; microseconds without what it imports itself."""

    name: str
    own: int


def main() -> int:
    with tempfile.TemporaryDirectory() as empty:
        os.chdir(empty)  # a pyproject.toml would be read
        return _measure()


def _measure() -> int:
    times = [
        ("`pronghorn --version`", _median(lambda: _run("-m", "pronghorn", "--version"))),
        ("the first answer, one process (`--no-master`)", _median(lambda: _first_answer("--no-master"))),
        ("the first answer, a master and a worker", _median(_first_answer)),
    ]
    head = _HEAD.format(
        **machine.about(),
        runs=RUNS,
        times="\n".join(f"| {what} | {value:.0f} |" for what, value in times),
        memory="\n".join(f"| {what} | {value:.1f} |" for what, value in _memory()),
    )
    lists = [
        _listed("`pronghorn --version`", _imports("-m", "pronghorn", "--version")),
        _listed("`import pronghorn.cli`", _imports("-c", "import pronghorn.cli")),
        _listed("A process that serves", _quickest(_served_imports)),
    ]
    PAGE.write_text("\n".join([head, *lists]))
    print(f"{PAGE.relative_to(ROOT)} is written.")
    return 0


_server_core, _ = machine.pin()


def _elsewhere() -> None:
    os.sched_setaffinity(0, {_server_core})


def _run(*words: str, options: tuple[str, ...] = ()) -> str:
    """What it says to stderr."""
    done = subprocess.run(
        [sys.executable, *options, *words],
        env=environment("src"),
        preexec_fn=_elsewhere,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stderr


def _median(measured: Callable[[], object]) -> float:
    """Milliseconds."""
    spans = []
    for _ in range(RUNS):
        begun = time.perf_counter()
        measured()
        spans.append((time.perf_counter() - begun) * 1000)
    return statistics.median(spans)


@contextmanager
def _serving(*more: str, options: tuple[str, ...] = (), log: int = subprocess.DEVNULL) -> Iterator[int]:
    """The pid of a server that has answered once."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, *options, "-m", "pronghorn", *_SERVE, f"127.0.0.1:{port}", *more],
        env=environment("src"),
        preexec_fn=_elsewhere,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        _ask(port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _ask(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            client.request("GET", "/")
            assert client.getresponse().read() == b"Hello, world!\n"
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.001)
        finally:
            client.close()


def _first_answer(*more: str) -> None:
    """Without the end, which has a patience of its own: it is left to be killed."""
    with _serving(*more) as pid:
        for one in tree(pid):
            os.kill(one, 9)


def _memory() -> Iterator[tuple[str, float]]:
    with _serving() as pid:
        master, worker = tree(pid)
        yield "a worker, beside its master", proc.pss([worker]) / 1000
        yield "its master", proc.pss([master]) / 1000
    with _serving("--no-master") as pid:
        yield "one process (`--no-master`)", proc.pss([pid]) / 1000


def _imports(*words: str) -> list[Imported]:
    return _quickest(lambda: _run(*words, options=("-X", "importtime")))


def _quickest(run: Callable[[], str]) -> list[Imported]:
    """Of a few runs: what is slower is the machine's."""
    return min((_parsed(run()) for _ in range(RUNS)), key=lambda imported: sum(one.own for one in imported))


def _served_imports() -> str:
    with tempfile.TemporaryFile("w+") as log:
        with _serving("--no-master", options=("-X", "importtime"), log=log.fileno()):
            pass
        log.seek(0)
        return log.read()


def _parsed(text: str) -> list[Imported]:
    return [Imported(match[4], int(match[1])) for match in _LINE.finditer(text)]


def _listed(title: str, imported: list[Imported]) -> str:
    total = sum(one.own for one in imported) / 1000
    dearest = sorted(imported, key=lambda one: -one.own)[:MOST]
    lines = [f"| `{one.name}` | {one.own / 1000:.1f} |" for one in dearest]
    return "\n".join(
        [
            f"## {title}: {len(imported)} modules, {total:.0f} ms",
            "",
            "| module | ms without its own imports |",
            "|---|---|",
            *lines,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
