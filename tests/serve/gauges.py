"""What the system says of a thread, and other processes that take its processor from it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pronghorn.serve.effort import Gauge

needs_gauge = pytest.mark.skipif(
    not os.path.exists("/proc/thread-self/schedstat"), reason="the system says nothing of threads"
)

HERE = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
"""
"""Code that keeps its thread, and those that it makes, on the first of the processors."""

_HOG = """
while os.getppid() == PARENT:
    sum(range(1000))
"""


@contextmanager
def hog() -> Iterator[None]:
    """A process that computes there all the time."""
    code = HERE + _HOG.replace("PARENT", str(os.getpid()))
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        yield
    finally:
        process.kill()
        process.wait()


class Delayed(Gauge):
    """A thread of which the system says so."""

    def __init__(self, seconds: float = 0.0, ready: bool = False) -> None:
        super().__init__()
        self._seconds = seconds
        self._ready = ready

    def delayed(self) -> float:
        return self._seconds

    def ready(self) -> bool:
        return self._ready
