"""What the signals of an operator mean to a worker.

Python runs a signal's handler on the main thread, when that thread next runs Python code: never, if it
has just begun to wait. So the handlers here do nothing. What counts is the wake-up descriptor, into which
the C-level handler writes the signal's number at once; the leader reads it and acts.
"""

import signal
from functools import partial
from types import FrameType

from pronghorn.serve.worker import Worker


def install(worker: Worker) -> None:
    """Main thread only. TERM: drain; again: end at once. INT, QUIT: end at once. USR1: reopen the logs."""
    worker.on_signal = {
        signal.SIGTERM: worker.stop,
        signal.SIGINT: partial(worker.stop, graceful=False),
        signal.SIGQUIT: partial(worker.stop, graceful=False),
        signal.SIGUSR1: worker.reopen_logs,
    }
    signal.set_wakeup_fd(worker.signals_fd, warn_on_full_buffer=False)
    for number in worker.on_signal:
        signal.signal(number, _nothing)


def _nothing(number: int, frame: FrameType | None) -> None:
    """The leader acts."""
