"""A request body on its way to `wsgi.input`: in memory up to a MiB, or else in a temporary file.

It is complete before the application is called, so the application reads an ordinary binary file: past
the end there is b"", and never an octet of the next request.
"""

import io
from typing import BinaryIO

from pronghorn.wsgi import spool

SMALL = 64 * 1024
"""Octets that any body may have in memory; a thousand clients that stall in a body hold 64 MiB."""

MEMORY_MOST = 1 << 20
"""Octets of one body in memory, while BodyMemory has room. A body of 1 MiB costs 0.08 ms so, on disk 0.54."""

ROOM = 64 << 20
"""Arbitrary: octets that the larger ones of a worker may have in memory together."""

_KEPT = 4 << 20


class BodyMemory:
    """What bodies above SMALL may hold in memory, of a whole worker.

    A body's whole share is taken when it grows beyond SMALL, so who only announces much takes nothing.
    """

    __slots__ = ("_most", "_taken")

    def __init__(self, most: int = ROOM) -> None:
        self._most = most
        self._taken: dict[RequestBody, int] = {}
        # glibc gets large blocks from the system one by one, and gives them back at once, until it has seen
        # one of that size freed; then it keeps such memory, twice as much at most (mallopt(3),
        # M_MMAP_THRESHOLD). 1 MiB received and read costs 0.08 ms so, not 0.98, most of it page faults.
        bytes(_KEPT)

    @property
    def taken(self) -> int:
        """Octets, of all bodies. Any thread."""
        return sum(list(self._taken.values()))

    def take(self, body: "RequestBody", octets: int) -> bool:
        """Whether there is room for so many octets of the body; if so it has them. Leader only."""
        if self.taken + octets > self._most:
            return False
        self._taken[body] = octets
        return True

    def give_back(self, body: "RequestBody") -> None:
        """What it has, if it has any. Any thread; `dict.pop` is atomic, and twice does no harm."""
        self._taken.pop(body, None)


class RequestBody:
    """Filled by the connection's owner, then completed once."""

    __slots__ = ("_blocks", "_file", "_length", "_memory", "_room", "size", "stream")

    def __init__(self, memory: BodyMemory, length: int | None) -> None:
        """length: in octets, where it is known."""
        self._memory = memory
        self._length = MEMORY_MOST if length is None else length
        self._room = SMALL  # octets that may be in memory
        self._blocks: list[bytes] = []
        self._file: BinaryIO | None = None
        self.size = 0
        self.stream: BinaryIO = io.BytesIO()
        """The whole body, at its start, once it is complete."""

    def write(self, block: bytes) -> None:
        """Add content. Raises OSError when the disk does not take it."""
        self.size += len(block)
        if self._file is not None:
            self._file.write(block)
        elif self.size <= self._room or self._grow():
            blocks = self._blocks
            blocks.append(block)
            if len(blocks) > 256 + self.size // 256:  # tiny chunks: objects would cost more than the octets
                self._blocks = [b"".join(blocks)]
        else:
            self._spool(block)

    def _grow(self) -> bool:
        """Whether all of it may be in memory."""
        if not self.size <= self._length <= MEMORY_MOST or not self._memory.take(self, self._length):
            return False
        self._room = self._length
        return True

    def _spool(self, block: bytes) -> None:
        self._file = file = spool.temporary_file()
        file.write(b"".join(self._blocks))
        file.write(block)
        self._blocks = []
        self._memory.give_back(self)

    def complete(self) -> None:
        """Nothing more comes. Raises OSError when the disk does not take what was still buffered."""
        if self._file is not None:
            self._file.seek(0)
            self.stream = self._file
        else:
            blocks = self._blocks
            self.stream = io.BytesIO(blocks[0] if len(blocks) == 1 else b"".join(blocks))
            self._blocks = []

    def close(self) -> None:
        """Give the memory and the temporary file back. May be called again, also where it was interrupted."""
        if self._file is not None:
            try:
                self._file.close()
            except (OSError, ValueError):
                pass  # a full disk, told already; ValueError: the application has detached it
            self._file = None
        try:
            self.stream.close()  # whoever still has the environ must not keep the octets with it
        except (OSError, ValueError, BufferError):
            pass  # BufferError: the application has a view of them, and they are its own now
        self._blocks = []
        self._memory.give_back(self)
