"""`wsgi.file_wrapper`: an application returns one to have a file sent without reading it.

return environ["wsgi.file_wrapper"](open(path, "rb"))
"""

import io
import os
import stat
from typing import Any, Protocol

_REAL = (io.FileIO, io.BufferedReader, io.BufferedRandom)
"""Only what open() itself returns: a GzipFile has a descriptor too, but its content is another."""


class HasDescriptor(Protocol):
    """Something that keeps a descriptor open as long as it lives."""

    def fileno(self) -> int:
        """The descriptor."""


class FilePart:
    """A part of an open file that others use at the same time: reading it moves no file position.

    The owner of the descriptor is kept alive as long as this is.
    """

    __slots__ = ("_count", "_offset", "_owner")

    def __init__(self, owner: HasDescriptor, offset: int, count: int) -> None:
        self._owner = owner
        self._offset = offset
        self._count = count

    def read(self, size: int) -> bytes:
        """The next octets, none at the end. Raises OSError if the file has shrunk meanwhile."""
        if not self._count:
            return b""
        block = os.pread(self._owner.fileno(), min(size, self._count), self._offset)
        if not block:
            raise OSError("a file has shrunk while it was sent: the answer cannot be completed")
        self._offset += len(block)
        self._count -= len(block)
        return block

    def region(self) -> tuple[int, int, int]:
        """(descriptor, offset, octets) of what has not been read."""
        return self._owner.fileno(), self._offset, self._count


class FileWrapper:
    """An iterable over a file-like object's blocks, from where it stands. Sends nothing by itself."""

    def __init__(self, filelike: Any, blksize: int = 65536) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block: bytes = self.filelike.read(self.blksize)
        if not block:
            raise StopIteration
        return block

    def region(self) -> tuple[int, int, int] | None:
        """(descriptor, offset, octets) of what would be read, if it is a plain part of a regular file."""
        file = self.filelike
        if type(file) is FilePart:
            return file.region()
        if type(file) not in _REAL or type(getattr(file, "raw", file)) is not io.FileIO:
            return None
        try:
            status = os.fstat(file.fileno())
            offset = file.tell()
        except (OSError, ValueError):
            return None
        # Files in /proc say they have no octets, and have some.
        if not stat.S_ISREG(status.st_mode) or offset >= status.st_size:
            return None
        return file.fileno(), offset, status.st_size - offset
