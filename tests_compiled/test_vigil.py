"""serve/vigil.pyx looks without the interpreter: calls that come and go are not disturbed each tick."""

import sys
import threading
import time
from logging import getLogger

from pronghorn.serve.streams import Streams
from pronghorn.serve.turn import Turn
from pronghorn.serve.vigil import Orders, Vigil


def test_calls_that_come_and_go_are_seen_without_the_interpreter() -> None:
    """This thread keeps the interpreter while calls begin. Who could look with it only would see but then
    that they did; who looks without has seen by then that they do no longer."""
    turn, orders, ready, found = Turn(), Orders(), threading.Event(), []
    vigil = Vigil(turn, Streams(getLogger("test")))
    before = sys.getswitchinterval()

    def watch() -> None:
        ready.set()
        vigil.keep(orders, 0.002)
        found.append(vigil.moved)

    thread = threading.Thread(target=watch, daemon=True)
    sys.setswitchinterval(100)
    try:
        thread.start()
        ready.wait(10)
        until = time.monotonic() + 0.02
        while time.monotonic() < until:
            turn.calls += 1
        thread.join(10)
    finally:
        sys.setswitchinterval(before)
    assert found == [False]
