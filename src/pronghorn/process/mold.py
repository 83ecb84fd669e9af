"""The mold: a process that has imported the application and forks workers, which share its memory.

It runs nothing else, so that there is little to go wrong in a fork: one thread, no connections.
"""

import gc
import logging
import os
import select
import socket
import threading
from collections.abc import Callable

from pronghorn.process import birth
from pronghorn.process.birth import Birth
from pronghorn.process.children import Job
from pronghorn.process.messages import Channel, Fork, Quit, Ready, Reopen


def forge(
    job: Job, channel: Channel, log: logging.Logger, reopen: Callable[[], None] = lambda: None
) -> Birth | None:
    """Fork workers until told to end; None then. In a worker: what it is to be."""
    warn_of_company(log, [channel.fileno()])
    gc.collect()
    gc.freeze()
    channel.send(Ready())
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    while True:
        poll.poll()
        messages, ended = channel.receive()
        for message in messages:
            if isinstance(message, Quit):
                return None
            if isinstance(message, Reopen):
                reopen()
            if isinstance(message, Fork):
                end = socket.socket(fileno=channel.passed.pop(0))
                born = birth.fork_aside(job, message, end)
                if born is not None:
                    for fd in channel.passed:  # of those to be born next
                        os.close(fd)
                    channel.close()
                    return born
        if ended:
            return None


def warn_of_company(log: logging.Logger, known: list[int]) -> None:
    """Threads do not survive a fork, and two processes that read from one socket get half of it each."""
    threads = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    if threads:
        log.warning(
            "--preload: importing the application has started threads, which the workers will not have: %s. "
            "Start them in the hook worker_ready, or at the first request.",
            ", ".join(threads),
        )
    sockets = [shown for fd in _sockets() if fd not in known and (shown := _connected(fd))]
    if sockets:
        log.warning(
            "--preload: importing the application has opened connections, which the workers will share: %s. "
            "Close them, and open them in the hook post_fork or at the first request.",
            ", ".join(sockets),
        )


def _sockets() -> list[int]:
    found = []
    try:
        names = os.listdir("/proc/self/fd")
    except OSError:
        return []
    for name in names:
        try:
            if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                found.append(int(name))
        except OSError:  # the directory's own descriptor
            continue
    return found


def _connected(fd: int) -> str:
    """Where a socket is connected to; empty for one that is not, or is of a pair without names."""
    with socket.socket(fileno=os.dup(fd)) as sock:
        try:
            peer = sock.getpeername()
        except OSError:
            return ""
    if isinstance(peer, tuple):
        return f"{peer[0]}:{peer[1]}"
    return os.fsdecode(peer) if peer else ""
