"""net/direct.pyx keeps the interpreter: a quick request need not win it back from busy threads."""

import socket
import sys
import threading
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


def runs_meanwhile(call: Callable[[], object]) -> bool:
    """Whether another thread, which is ready to run, does so during the call."""
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
    for _ in range(200):
        call()
        if ran:
            break
    found = bool(ran)
    thread.join(10)
    return found


@pytest.mark.usefixtures("patient_threads")
def test_the_interpreter_is_kept() -> None:
    ours, client = socket.socketpair()
    ours.setblocking(False)
    client.setblocking(False)
    with ours, client:
        direct = Direct(ours)
        assert runs_meanwhile(lambda: (client.send(b"x"), ours.recv(1)))
        for _ in range(200):
            client.send(b"x")
        assert not runs_meanwhile(lambda: (direct.recv(1), direct.send(b"x")))
