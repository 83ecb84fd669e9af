"""The calls that take their time: which thread runs them, since when, and where it is.

    calls.begin(Call(connection, member, since))    the leader: it took the lead from it, or hands the lead on
    calls.post(Call(...))                           a thread that runs a request which waited
    calls.end(connection)                           the leader: the connection came back

A quick call is never in here: the leader runs it itself, and looks at nothing else meanwhile. A call is
posted before it begins and its connection after it has ended, and `end` takes in what was posted first:
so no entry outlives its call.
"""

import faulthandler
import os
import re
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import dropwhile
from typing import TYPE_CHECKING, BinaryIO

from pronghorn.observe.scoreboard import Row
from pronghorn.serve.threads import Member
from pronghorn.wsgi import spool

if TYPE_CHECKING:
    from pronghorn.serve.connection import Connection

_OURS = (os.path.dirname(os.path.dirname(__file__)) + os.sep, threading.__file__)
"""Frames that say nothing, at the outer end of a stack."""


class Call:
    """One that runs."""

    __slots__ = (
        "connection",
        "given_up",
        "line",
        "member",
        "raised",
        "right",
        "seized_at",
        "since",
    )

    def __init__(self, connection: "Connection", member: Member, since: float) -> None:
        """since: time.monotonic(). Whoever owns the connection, or its leader."""
        self.connection = connection
        self.line = connection.exchange.request.line
        self.member = member
        self.since = since
        # Of its deadline (`deadlines`)
        self.seized_at: float | None = None
        """When its client was taken from it."""
        self.right = [True]
        """Who pops it may raise RequestTimeout in its thread. The thread does when it comes back."""
        self.raised = False
        self.given_up = False

    def __str__(self) -> str:
        return f"{self.line.method} {self.line.target}"


class Calls:
    """Leader only, but for `post`."""

    def __init__(self) -> None:
        self.row: Row | None = None
        """Where the master can see it."""
        self._running: dict[Connection, Call] = {}
        self._posted: deque[Call] = deque()
        self._shown: dict[int, Call] = {}  # by number of the thread: what stands in the row

    def begin(self, call: Call) -> None:
        self._running[call.connection] = call
        if self.row is not None:
            number = call.member.number
            self._shown[number] = call
            self.row.begin(number, call.since, str(call))

    def post(self, call: Call) -> None:
        """Any thread, before the call."""
        self._posted.append(call)

    def end(self, connection: "Connection") -> None:
        self._take_in()
        call = self._running.pop(connection, None)
        # Its thread may be in its next call already.
        if call is not None and self.row is not None and self._shown.get(call.member.number) is call:
            del self._shown[call.member.number]
            self.row.end(call.member.number)

    def running(self) -> list[Call]:
        self._take_in()
        return list(self._running.values())

    def _take_in(self) -> None:
        while self._posted:
            self.begin(self._posted.popleft())


# Stacks, for the log


def stacks(calls: Iterable[Call], roles: Mapping[int, str], first: Call | None = None) -> str:
    """All threads of the process, each with what it runs, since when and where.

    roles: what those do that are in no call, by identifier; their stacks say nothing. first: the call
    whose thread comes first. Any thread.
    """
    by_thread = {call.member.ident: call for call in calls}
    if first is not None:
        by_thread[first.member.ident] = first
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    frames = _walked()
    now = time.monotonic()
    order = sorted(
        frames,
        key=lambda ident: (
            first is None or ident != first.member.ident,
            ident not in by_thread,
            ident in roles,
            names.get(ident, ""),
        ),
    )
    parts = []
    for ident in order:
        name = names.get(ident, f"thread {ident}")
        call = by_thread.get(ident)
        if call is not None:
            parts.append(f"{name}: {call}, for {now - call.since:.1f} s\n{_text(frames[ident])}")
        elif ident in roles:
            parts.append(f"{name} {roles[ident]}\n")
        else:
            parts.append(f"{name}:\n{_text(frames[ident])}")
    return "".join(parts).rstrip("\n")


def stack(ident: int) -> str:
    """Where this thread is, innermost last, without the server's own frames around the application."""
    return _text(_walked().get(ident, []))


_THREAD = re.compile(r"(?:Current thread|Thread) 0x([0-9a-f]+)")
_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')


def _walked() -> dict[int, list[tuple[str, int, str]]]:
    """File, line and function of each frame of each thread, outermost first.

    In one call of C, during which no thread goes on: of one that does, CPython 3.11 may take memory that is
    something else by then for a frame's caller, and crash (f_back was False once).
    """
    try:
        with _scratch() as file:
            faulthandler.dump_traceback(file.fileno(), all_threads=True)
            file.seek(0)
            lines = file.read().decode("ascii", "replace").splitlines()
    except OSError:  # no descriptors are left
        return {}
    found: dict[int, list[tuple[str, int, str]]] = {}
    frames: list[tuple[str, int, str]] = []
    for line in lines:
        if thread := _THREAD.match(line):
            frames = found[int(thread[1], 16)] = []
        elif frame := _FRAME.fullmatch(line):
            frames.insert(0, (frame[1], int(frame[2]), frame[3]))
    return found


def _scratch() -> BinaryIO:
    """A file in memory, where there are such: the disk may be full just when somebody wants to know."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("stacks"), "w+b")
    return spool.temporary_file()


def _text(walked: list[tuple[str, int, str]]) -> str:
    inner = list(dropwhile(lambda one: one[0].startswith(_OURS), walked))
    lines = [traceback.FrameSummary(file, line, name) for file, line, name in inner or walked]
    return "".join(traceback.format_list(lines))
