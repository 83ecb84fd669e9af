"""An outbox over a wire that takes what it is told to take, and all that an outbox has around it."""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from pronghorn.net.transport import Transport
from pronghorn.serve.outbox import Held, Outbox
from pronghorn.serve.streams import Streams

ENDLESS = 1 << 40


class Wire(Transport):
    """A socket with so much room."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken = b""
        self.sends = 0
        self.ahead: list[bytes] = []
        self.gone = False
        self.defect = False

    def send(self, data: Any) -> int:
        if self.gone:
            raise ConnectionResetError
        if self.defect:
            raise MemoryError
        if not self.room:
            raise BlockingIOError
        count = min(self.room, len(data))
        self.room -= count
        self.taken += bytes(data[:count])
        self.sends += 1
        return count

    def send_ahead(self, octets: bytes) -> int:
        self.ahead.append(octets)
        return self.send(octets)

    def send_parts(self, parts: Sequence[Any]) -> int:
        return self.send(b"".join(parts))

    def send_file(self, file: int, offset: int, count: int) -> int:
        data = os.pread(file, count, offset)
        return self.send(data) if data else 0

    def recv(self, size: int) -> bytes:
        raise AssertionError("an outbox does not read")

    def pending(self) -> bool:
        return False


class Desk:
    """An outbox and all around it."""

    def __init__(
        self, room: int, crowded: bool = False, streams: Streams | None = None, wire: Wire | None = None
    ) -> None:
        self.wire = wire or Wire(room)
        self.asked = 0
        self.crowded = crowded
        streams = streams or Streams(logging.getLogger("tests"))
        self.outbox = Outbox(self.wire, self._ask, lambda: self.crowded, Held(), streams)

    def _ask(self) -> None:
        self.asked += 1

    def make_room(self, room: int) -> bool:
        self.wire.room += room
        return self.outbox.waiting and self.outbox.flush()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def in_thread(function: Callable[[], object]) -> tuple[threading.Thread, list[BaseException | None]]:
    """Run it; the list gets its end: an exception, or None."""
    ends: list[BaseException | None] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            ends.append(error)
        else:
            ends.append(None)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, ends
