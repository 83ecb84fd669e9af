"""net/direct.pyx keeps the interpreter: a quick request need not win it back from busy threads."""

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pronghorn.net.direct import Direct


@pytest.fixture
def patient_threads() -> Iterator[None]:
    """Nobody wants the interpreter back within the test."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(100)
    yield
    sys.setswitchinterval(before)


def runs_meanwhile(call: Callable[[], object], seconds: float) -> bool:
    """Whether another thread, which is ready to run, does so while this is called again and again."""
    ready, go, ran = threading.Event(), threading.Lock(), []
    go.acquire()

    def other() -> None:
        ready.set()
        go.acquire()
        ran.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait(10)
    go.release()
    until = time.monotonic() + seconds
    while not ran and time.monotonic() < until:
        call()
    found = bool(ran)
    thread.join(10)
    return found


@pytest.mark.usefixtures("patient_threads")
def test_the_interpreter_is_kept() -> None:
    ours, client = socket.socketpair()
    with ours, client:
        for end in (ours, client):
            end.setblocking(False)
        assert runs_meanwhile(lambda: (client.send(b"x"), ours.recv(1)), seconds=10)
        sending, receiving = Direct(client), Direct(ours)
        assert not runs_meanwhile(lambda: (sending.send(b"x"), receiving.recv(1)), seconds=0.3)
