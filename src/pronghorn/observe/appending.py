"""Descriptors that logs are appended to: files, and what somebody has to read before it takes more.

A reader that has stopped reading (a stuck collector behind a pipe, a terminal at rest) must hold up neither
a request nor a signal, so nobody waits for one here.
"""

import errno
import os
import select
import stat
import time

# A pipe that polls writable takes this much without blocking (pipe(7)); if another process is not quicker.
_PIPE_BUF = select.PIPE_BUF


def open_to_append(path: str) -> int:
    """Gives a descriptor. Raises OSError; for a FIFO, too, that nobody reads."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno == errno.ENXIO and stat.S_ISFIFO(os.stat(path).st_mode):
            raise OSError(errno.ENXIO, "nobody reads from this FIFO") from error
        raise
    if is_file(fd):
        os.set_blocking(fd, True)
    return fd


def is_file(fd: int) -> bool:
    """Whether it never has to be read; so, too, where it is closed."""
    try:
        return stat.S_ISREG(os.fstat(fd).st_mode)
    except OSError:
        return True


def write_file(fd: int, data: bytes) -> None:
    """All of it. Raises OSError."""
    while data:
        data = data[os.write(fd, data) :]


def write_unread(fd: int, data: bytes, grace: float = 0.0) -> bytes:
    """What can be written without waiting for a reader for longer than `grace` seconds; gives back the rest.

    Whole lines where possible: several processes may share the pipe. Raises OSError.
    """
    until = time.monotonic() + grace if grace else 0.0
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    while data and poller.poll(max(0.0, until - time.monotonic()) * 1000):
        end = data.rfind(b"\n", 0, _PIPE_BUF) + 1 or _PIPE_BUF
        try:
            data = data[os.write(fd, data[:end]) :]
        except BlockingIOError:  # another process was quicker
            break
    return data
