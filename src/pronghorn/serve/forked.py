"""What the application forks during a call is no second worker.

    with at_work(worker): ...   # the worker's life

The child is a copy of one thread, in the middle of a call. What it does there is its own affair: most end by
themselves (multiprocessing) or become another program. One that comes back from the call, by return, an
exception or sys.exit, ends with it; the parent answers. Until then it can neither send to clients nor accept
any, and the worker's signals are not its own (`signals`).
"""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pronghorn.serve.worker import Worker

_workers: list["Worker"] = []
"""Of this process; more than one in tests only."""


@contextlib.contextmanager
def at_work(worker: "Worker") -> Iterator[None]:
    """While it serves, its process's children are told from it."""
    _workers.append(worker)
    try:
        yield
    finally:
        _workers.remove(worker)


class _End:
    """Stands where the call's thread comes by when it has come back: there the child ends."""

    def __getattr__(self, name: str) -> NoReturn:
        _leave(0)


class _LastWords:
    """Stands for the application's log, which hears first of how a call ended."""

    def __init__(self, log: logging.Logger) -> None:
        self._log = log

    def error(self, message: str, *arguments: object, exc_info: BaseException | None = None) -> None:
        if isinstance(exc_info, SystemExit):
            code = exc_info.code
            _leave(code & 0xFF if isinstance(code, int) else int(code is not None))
        self._log.error(message, *arguments, exc_info=exc_info)
        _leave(1)

    def debug(self, message: str, *arguments: object) -> None:
        _leave(0)  # it has sent something


def _leave(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def _in_child() -> None:
    for worker in _workers:
        _disown(worker)
    _workers.clear()


def _disown(worker: "Worker") -> None:
    end: Any = _End()
    words: Any = _LastWords(worker.log)
    worker.application._log = words
    worker.deadlines = worker._posts = end
    worker.turn.slot.clear()  # as if the lead were lost: then a call comes by `_posts`
    for connection in worker.connections:
        connection.outbox.broken = True
    # Clients wait for the end of their connections, the master for that of its channel, and a listener is to
    # end with its server. The numbers stay taken: no file of the application's may get them.
    with contextlib.suppress(OSError):
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd, target in enumerate(worker.round.targets):
            if target is not None:
                os.dup2(nothing, fd, inheritable=False)
        os.close(nothing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
