"""What waits in an outbox and is in a file, not in memory."""

import os

_LOOKS = 20
"""Arbitrary: rounds of the leader, less than a millisecond, in which a write that adds to a file may end."""


class FilePart:
    """A part of a file that waits. The descriptor is ours; without `status`, the file is, too."""

    __slots__ = ("count", "fd", "looks", "offset", "status")

    def __init__(self, fd: int, offset: int, count: int, status: os.stat_result | None) -> None:
        """status: of the file, before any of it was sent."""
        self.fd = fd
        self.status = status
        self.looks = 0
        """How often it was written to, it seems, but had not grown."""
        self.offset = offset
        self.count = count

    @property
    def spilled(self) -> bool:
        return self.status is None

    def check(self) -> None:
        """Raises OSError if the file was written to: the rest would belong to another content.

        A write sets the time first and the size at its end: BlockingIOError where it is too early to tell.
        What is added behind the end, as to a log, changes nothing before it. The inode's own time of change
        says nothing: it moves, too, when the name is taken away or given to another file.
        """
        before = self.status
        if before is None:
            return
        now = os.fstat(self.fd)
        if now.st_size > before.st_size:
            self.status = now
            self.looks = 0
        elif now.st_size < before.st_size or self.looks == _LOOKS:
            raise OSError("the file has changed")
        elif now.st_mtime_ns != before.st_mtime_ns:
            self.looks += 1
            raise BlockingIOError
