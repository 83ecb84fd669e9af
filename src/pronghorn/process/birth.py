"""Forking: how a child comes to be, and what it must forget of its parent."""

import contextlib
import faulthandler
import gc
import os
import signal
import socket
from dataclasses import dataclass
from types import FrameType

from pronghorn.process.children import Job, Role
from pronghorn.process.inbox import HANDLED
from pronghorn.process.messages import Born, Channel, Fork, channels

try:
    from setproctitle import setproctitle
except ImportError:  # an extra

    def setproctitle(title: str) -> None:
        """Processes keep their command line as their title."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a new child finds: all that it is to be. order: its place, and what it shares."""

    role: Role
    job: Job
    channel: Channel
    order: Fork


def fork(role: Role, job: Job, order: Fork) -> tuple[int, Channel] | Birth:
    """In the parent: the child's pid and the channel to it. In the child: what it is to be."""
    ours, theirs = channels()
    gc.freeze()  # what exists now is not touched by the child's collector, so its memory stays shared
    # A signal for the child, just born, would be written into the master's wake-up socket, as if for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        pid = os.fork()
        if pid:
            theirs.close()
            return pid, ours
        ours.close()
        return _born(role, job, order, theirs)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)


def fork_aside(job: Job, order: Fork, end: socket.socket) -> Birth | None:
    """By way of a short-lived process, so that the child becomes the master's and not ours. None: the
    parent."""
    pid = os.fork()
    if pid:
        end.close()
        os.waitpid(pid, 0)
        return None
    if os.fork():
        os._exit(0)
    return _born(Role.WORKER, job, order, end)


def _born(role: Role, job: Job, order: Fork, end: socket.socket) -> Birth:
    signal.set_wakeup_fd(-1)
    for handled in HANDLED:
        signal.signal(handled, signal.SIG_DFL)
    # A terminal's signals go to the whole group; what they mean to a worker, its master says. Not ignored:
    # what is ignored would stay so in the programs that the application starts.
    for number in (
        signal.SIGHUP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGINT,
    ):
        signal.signal(number, _nothing)
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # stderr may be closed
        faulthandler.enable()
    channel = Channel(end)
    channel.send(Born(os.getpid()))
    title(job.options.name, f"{role.value}, generation {order.generation}")
    return Birth(role, job, channel, order)


def _nothing(number: int, frame: FrameType | None) -> None:
    """The master has got it, too."""


def title(name: str, what: str) -> None:
    """pronghorn: worker, generation 2"""
    setproctitle(f"{name}: {what}")


def reap() -> list[tuple[int, int]]:
    """Pids and exit codes (negative: the signal) of all children that have ended; others' orphans, too."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        ended.append((pid, os.waitstatus_to_exitcode(status)))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def how(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "is gone"
    if code < 0:
        try:
            return f"was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"was killed by signal {-code}"
    return f"ended with exit code {code}"


def too_early(child: object, code: int | None, before: str) -> str:
    """How it ended before it was of use, in a sentence or two."""
    sentence = f"{child} {how(code)} before {before}."
    hint = " Perhaps memory ran out (see dmesg)." if code == -signal.SIGKILL else ""
    return sentence[:1].upper() + sentence[1:] + hint
