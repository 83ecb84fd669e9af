"""A request body on its way to `wsgi.input`: in memory while it is small, then in a temporary file.

It is complete before the application is called, so the application reads an ordinary binary file: past
the end there is b"", and never an octet of the next request.
"""

import io
import tempfile
from typing import BinaryIO

MEMORY_MOST = 64 * 1024
"""Octets of one body in memory; a thousand clients that stall in a body hold 64 MiB."""


class RequestBody:
    """Filled by the connection's owner, then completed once."""

    __slots__ = ("_blocks", "_file", "size", "stream")

    def __init__(self) -> None:
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
        elif self.size <= MEMORY_MOST:
            self._blocks.append(block)
            if len(self._blocks) > 256:  # tiny chunks: an object for each would cost more than the octets
                self._blocks = [b"".join(self._blocks)]
        else:
            self._spool(block)

    def _spool(self, block: bytes) -> None:
        self._file = file = tempfile.TemporaryFile(prefix="pronghorn-body-")  # noqa: SIM115
        file.write(b"".join(self._blocks))
        file.write(block)
        self._blocks = []

    def complete(self) -> None:
        """Nothing more comes. Raises OSError when the disk does not take what was still buffered."""
        if self._file is not None:
            self._file.seek(0)
            self.stream = self._file
        else:
            blocks = self._blocks
            self.stream = io.BytesIO(blocks[0] if len(blocks) == 1 else b"".join(blocks))

    def close(self) -> None:
        """Give the temporary file back, if there is one."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                pass  # a full disk, told already
            self._file = None
        self._blocks = []
