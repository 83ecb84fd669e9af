"""What all workers have answered since the server started (`--metrics`), in memory that they share.

    counters = Counters(rows=64)        # the master, before it forks
    tally = Tally(counters.row(3))      # a worker
    tally.ended(exchange, head, sent)   # any of its threads
    tally.add_up()                      # its leader, once per poll round
    counters.text()                     # any worker: Prometheus's text format, of all rows together

A row is never cleared: the next worker that has it goes on where the last one stopped, so no sum ever goes
back. The format is a few lines of text; a library for it would import a hundred times as much.
"""

import mmap
from bisect import bisect_left
from time import monotonic  # not looked up in its module for each request: 0.02 µs
from typing import NamedTuple

from pronghorn.observe.record import Exchange, Head

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, each bucket's longest, as Prometheus's own libraries have them; one more bucket has the rest."""

_SHORTEST = BOUNDS[0]

_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")
"""Of status; "none" where nothing was sent, because the client had left."""

_COLUMNS = len(BOUNDS) + 2
_UNTIMED = _COLUMNS - 1
"""A row begins with a table: for each class, how many answers took so long; the last column is for those that
have no duration. So an answer changes one cell of 8 octets."""

OCTETS = len(_CLASSES) * _COLUMNS
SECONDS = OCTETS + 1
"""Cells behind the table: octets of content; a float."""

_CELLS = OCTETS + 2

_FRESH = 0.1
"""Seconds that a text is used again: however often somebody asks, it is made ten times a second at most."""


class Counters:
    """Anonymous shared memory; each row has one writer, and rows that nobody had cost nothing."""

    def __init__(self, rows: int) -> None:
        self._memory = memoryview(mmap.mmap(-1, rows * _CELLS * 8))
        self._whole = self._memory.cast("q")
        self._real = self._memory.cast("d")
        self._known = (float("-inf"), "")  # monotonic() and the text of then; replaced whole

    def row(self, number: int) -> "Row":
        part = self._memory[number * _CELLS * 8 : (number + 1) * _CELLS * 8]
        return Row(part.cast("q"), part.cast("d"))

    def text(self) -> str:
        """The sums over all rows, at most _FRESH old. Any thread.

        Those of two workers may come in the wrong order: sharing one would need a lock between processes.
        """
        made, text = self._known
        now = monotonic()
        if now - made >= _FRESH:
            text = self._text()
            self._known = (now, text)
        return text

    def _text(self) -> str:
        sums = [sum(self._whole[cell::_CELLS]) for cell in range(SECONDS)]
        lines = ["# TYPE pronghorn_responses_total counter"]
        for number, status in enumerate(_CLASSES):
            answers = sum(sums[number * _COLUMNS : (number + 1) * _COLUMNS])
            lines.append(f'pronghorn_responses_total{{status="{status}"}} {answers}')
        lines += [
            "# TYPE pronghorn_response_content_bytes_total counter",
            f"pronghorn_response_content_bytes_total {sums[OCTETS]}",
            "# TYPE pronghorn_request_duration_seconds histogram",
        ]
        count = 0
        for column, bound in enumerate((*BOUNDS, "+Inf")):
            count += sum(sums[column:OCTETS:_COLUMNS])
            lines.append(f'pronghorn_request_duration_seconds_bucket{{le="{bound}"}} {count}')
        lines += [
            f"pronghorn_request_duration_seconds_sum {sum(self._real[SECONDS::_CELLS]):.6f}",
            f"pronghorn_request_duration_seconds_count {count}",
        ]
        return "\n".join(lines) + "\n"


class Row(NamedTuple):
    """One worker's cells, as integers and as floats."""

    whole: "memoryview[int]"
    real: "memoryview[float]"


class Tally:
    """One worker's. Its leader, but for `ended`."""

    __slots__ = ("_ended", "_real", "_whole")

    def __init__(self, row: Row) -> None:
        self._whole = row.whole
        self._real = row.real
        self._ended: list[tuple[Head | None, int, float]] = []  # what the leader has not added up yet

    def ended(self, exchange: Exchange, head: Head | None, sent: int) -> None:
        """An exchange is over. Any thread: to append needs no lock, to count would."""
        self._ended.append((head, sent, monotonic() - exchange.started))

    def refused(self, head: Head, sent: int) -> None:
        """A message was refused before an application saw it: it has no duration."""
        self._whole[_row(head) + _UNTIMED] += 1
        self._whole[OCTETS] += sent

    def add_up(self) -> None:
        """Take over what has ended."""
        if not self._ended:
            return
        new = self._ended[:]
        del self._ended[: len(new)]
        whole, octets, total = self._whole, 0, 0.0
        last = new[0][0]
        quick = 0  # answers with the last head that were; to count one in shared memory takes 0.1 µs
        for head, sent, seconds in new:
            octets += sent
            total += seconds
            if head is not last:
                whole[_row(last)] += quick
                last = head
                quick = 0
            if seconds <= _SHORTEST:
                quick += 1
            else:
                whole[_row(head) + bisect_left(BOUNDS, seconds)] += 1
        whole[_row(last)] += quick
        whole[OCTETS] += octets
        self._real[SECONDS] += total


def _row(head: Head | None) -> int:
    """Where the row of its class begins in the table."""
    return 0 if head is None or head.code > 599 else head.code // 100 * _COLUMNS
