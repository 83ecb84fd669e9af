"""What the signals of an operator mean to a worker.

Python runs a signal's handler on the main thread, when that thread next runs Python code: never, if it
has just begun to wait. So the handlers here do nothing. What counts is the wake-up descriptor, into which
the C-level handler writes the signal's number at once; the leader reads it and acts.
"""

import os
import signal
import threading
from functools import partial
from types import FrameType

from pronghorn.serve.worker import Worker

_NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)

_forking = threading.local()  # a thread that forks, and its signal mask


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


# What the application forks: signals that it gets are for itself, and end it. One that comes before it can
# forget the wake-up descriptor, which it shares, would be the worker's; so they wait.


def _before_fork() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _NUMBERS)


def _in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_child() -> None:
    ours = [number for number in _NUMBERS if signal.getsignal(number) is _nothing]
    if ours:
        signal.set_wakeup_fd(-1)
    for number in ours:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)


def _nothing(number: int, frame: FrameType | None) -> None:
    """The leader acts."""
