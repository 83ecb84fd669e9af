"""What every worker is doing, in memory that the master and all workers share; nothing is on disk.

    board = Scoreboard(rows=64, threads=8)      # the master, before it forks
    row = board.row(3)                          # one worker's
    row.beat(now, requests=5120, connections=12, busy=2, queued=0)

Each cell is 8 octets, an integer or a float, and has one writer: the master writes PID, STATE, GENERATION
and STARTED, the worker the rest. A reader may see one cell newer than the next; never half a cell.
"""

import mmap
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from pronghorn.observe.counters import Counters

PID, STATE, GENERATION, STARTED, HEARTBEAT, REQUESTS, CONNECTIONS, FREE, BUSY, QUEUED, MEMORY, ACCEPTED = (
    range(12)
)
"""Where what stands in a row. STARTED and HEARTBEAT are time.monotonic(), MEMORY is octets."""

_ROW_HEAD = 16  # cells

SINCE, TEXT = 0, 1
"""Where what stands in a thread's part: when its call began (0: it is in none), and what it runs."""

_THREAD_CELLS = 16
_TEXT_MOST = (_THREAD_CELLS - TEXT) * 8

FRESH = 2.5
"""Seconds: a worker whose heart beats each second has missed two."""


class State(IntEnum):
    """What a worker is, as its master sees it."""

    EMPTY = 0
    STARTING = 1
    SERVING = 2
    LEAVING = 3


class Running(NamedTuple):
    """A call that has lasted some milliseconds. since: time.monotonic(); what: "GET /path"."""

    thread: int
    since: float
    what: str


class Scoreboard:
    """Anonymous shared memory with one row for each worker."""

    def __init__(self, rows: int, threads: int) -> None:
        """threads: for each worker."""
        self.rows = rows
        self.threads = threads
        self.stride = _ROW_HEAD + threads * _THREAD_CELLS
        # The last cell of all: rows from the first to the highest that was ever used.
        self._memory = mmap.mmap(-1, (rows * self.stride + 1) * 8)
        view = memoryview(self._memory)
        self.octets = view
        self.whole = view.cast("q")
        self.real = view.cast("d")
        self.counters = Counters(rows)
        """For --metrics, by the same numbers; where there is none, they cost address space only."""

    def row(self, number: int) -> "Row":
        return Row(self, number)

    def in_use(self) -> Iterator["Row"]:
        for number in range(self.whole[-1]):
            if self.whole[number * self.stride + STATE]:
                yield Row(self, number)


class Row:
    """One worker's. Leader only, unless said otherwise; the master reads."""

    __slots__ = ("_board", "_real", "_start", "_whole", "number")

    def __init__(self, board: Scoreboard, number: int) -> None:
        self._board = board
        self._whole = board.whole
        self._real = board.real
        self._start = number * board.stride
        self.number = number

    def __getitem__(self, cell: int) -> int:
        return self._whole[self._start + cell]

    def time(self, cell: int) -> float:
        """STARTED or HEARTBEAT."""
        return self._real[self._start + cell]

    def open(self, pid: int, generation: int, now: float) -> None:
        """The master: a worker begins."""
        self.clear()
        self._whole[-1] = max(self._whole[-1], self.number + 1)
        self._real[self._start + STARTED] = self._real[self._start + HEARTBEAT] = now
        self._whole[self._start + GENERATION] = generation
        self._whole[self._start + PID] = pid
        self.state(State.STARTING)

    def state(self, state: State) -> None:
        """The master."""
        self._whole[self._start + STATE] = state
        if state is not State.SERVING:
            self._whole[self._start + FREE] = 0

    def clear(self) -> None:
        """The master: the worker is gone."""
        start, stride = self._start * 8, self._board.stride * 8
        self._board.octets[start : start + stride] = bytes(stride)

    def beat(self, now: float, requests: int, connections: int, busy: int, queued: int) -> None:
        whole, start = self._whole, self._start
        self._real[start + HEARTBEAT] = now
        whole[start + REQUESTS] = requests
        whole[start + CONNECTIONS] = connections
        whole[start + BUSY] = busy
        whole[start + QUEUED] = queued

    def put(self, cell: int, value: int) -> None:
        self._whole[self._start + cell] = value

    def others_free(self, now: float) -> bool:
        """Whether another worker has a thread to spare."""
        return any(self._whole[start + FREE] for start in self._others(now))

    def least_connections(self, now: float) -> int:
        """Of the other workers; very many if there is none."""
        return min((self._whole[start + CONNECTIONS] for start in self._others(now)), default=1 << 40)

    def _others(self, now: float) -> Iterator[int]:
        """Where the rows begin of the others that serve, and whose heart beats."""
        whole, stride = self._whole, self._board.stride
        for start in range(0, whole[-1] * stride, stride):
            if (
                whole[start + STATE] == State.SERVING
                and start != self._start
                and now - self._real[start + HEARTBEAT] < FRESH
            ):
                yield start

    def begin(self, thread: int, since: float, what: str) -> None:
        """Thread number `thread` is in a call that takes its time."""
        if thread < self._board.threads:
            at = self._start + _ROW_HEAD + thread * _THREAD_CELLS
            text = what.encode("utf-8", "replace")[: _TEXT_MOST - 1] + b"\0"
            place = (at + TEXT) * 8
            self._board.octets[place : place + len(text)] = text
            self._real[at + SINCE] = since

    def end(self, thread: int) -> None:
        if thread < self._board.threads:
            self._real[self._start + _ROW_HEAD + thread * _THREAD_CELLS + SINCE] = 0.0

    def running(self) -> Iterator[Running]:
        """Any process."""
        for thread in range(self._board.threads):
            at = self._start + _ROW_HEAD + thread * _THREAD_CELLS
            since = self._real[at + SINCE]
            if since:
                place = (at + TEXT) * 8
                text = bytes(self._board.octets[place : place + _TEXT_MOST]).partition(b"\0")[0]
                yield Running(thread, since, text.decode("utf-8", "replace"))
