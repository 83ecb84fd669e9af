"""What the signals of an operator mean to a worker. Handlers only set flags and wake the leader."""

import signal
from types import FrameType

from pronghorn.serve.worker import Worker


def install(worker: Worker) -> None:
    """Main thread only. TERM: drain; again: end at once. INT, QUIT: end at once. USR1: reopen the logs."""

    def graceful(number: int, frame: FrameType | None) -> None:
        worker.stop()

    def quick(number: int, frame: FrameType | None) -> None:
        worker.stop(graceful=False)

    def reopen(number: int, frame: FrameType | None) -> None:
        worker.reopen_logs()

    signal.signal(signal.SIGTERM, graceful)
    signal.signal(signal.SIGINT, quick)
    signal.signal(signal.SIGQUIT, quick)
    signal.signal(signal.SIGUSR1, reopen)
    signal.set_wakeup_fd(worker.signals_fd, warn_on_full_buffer=False)
