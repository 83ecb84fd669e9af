"""The access log: one line for each request, cheap enough to leave on, unable to hurt serving.

What has ended is gathered; lines are made and written together, once per poll round or when enough have come
together. A full disk loses lines, not requests; so does a pipe whose reader has stopped reading.
"""

import logging
import os
import threading
from time import time  # not looked up in its module for each request: 0.02 µs

from pronghorn.observe.appending import is_file, open_to_append, write_file, write_unread
from pronghorn.observe.asked import Asked
from pronghorn.observe.atoms import COMBINED, Ended, compile_format
from pronghorn.observe.record import NO_HEAD, Exchange, Head

_log = logging.getLogger("pronghorn.error")

# What ended while a thread wrote is written in its next turn, because the lock was taken. Not for ever: the
# thread may lead. Arbitrary.
_TURNS = 3

# Some 8 KiB of lines, stdio's usual buffer; arbitrary.
_FLUSH_AT = 80

# What is kept for a reader that does not read. Arbitrary: some thousand lines.
_KEEP_AT_MOST = 1 << 20


class AccessLog:
    """Any thread may call any method.

    path: a file to append to, or "-" for stdout. format: gunicorn's atoms.
    from_begin: whether it wants of an exchange when its call began, and its environ.
    Raises OSError when the file cannot be opened, ValueError for a format that has no meaning.
    """

    def __init__(self, path: str, format: str = COMBINED) -> None:
        self._format = compile_format(format)
        self._lines = self._format.lines
        self._see = self._format.see
        self.from_begin = self._see is not None
        self._path = path if path == "-" else os.path.abspath(path)
        # Only one thread takes out, and appending needs no lock.
        self._ended: list[Ended] = []
        self._writing = threading.Lock()  # held by the one thread that writes; guards what follows
        self._unwritten = b""
        self._lost = 0
        self._fd = self._open()

    def _open(self) -> int:
        fd = 1 if self._path == "-" else open_to_append(self._path)
        self._is_file = is_file(fd)
        return fd

    def write(self, exchange: Exchange, head: Head | None, sent: int) -> None:
        """The exchange is over. head: None if nothing was sent; sent: octets of content."""
        seen = ()
        if self._see is not None:
            try:
                seen = self._see(exchange)
            except Exception:
                # An application may have put anything at all into its environ.
                _log.exception("An access-log line could not be formatted")
                return
        asked = exchange.asked
        if asked is None:
            asked = exchange.asked = Asked(self._format, exchange.peer)
        ended = self._ended
        ended.append((asked, exchange.request, NO_HEAD if head is None else head, sent, time(), seen))
        if len(ended) >= _FLUSH_AT:
            self.flush()

    def flush(self) -> None:
        """Write what has come together; at once back if another thread is at it."""
        wanted = self._ended or self._unwritten
        for _ in range(_TURNS):
            if not wanted or not self._writing.acquire(blocking=False):
                return
            try:
                self._write_out()
            finally:
                self._writing.release()
            wanted = self._ended

    def _write_out(self) -> None:
        ended = self._ended[:]
        del self._ended[: len(ended)]
        data = self._unwritten + "".join(self._lines(ended)).encode("ascii", "backslashreplace")
        try:
            self._unwritten = self._write(data)
        except OSError as error:
            self._unwritten = b""
            self._lose(data, f"The access log cannot be written: {error.strerror}")
            return
        if len(self._unwritten) > _KEEP_AT_MOST:
            data, self._unwritten = self._unwritten, b""
            self._lose(data, "Nobody reads the access log")
        elif self._lost and not self._unwritten:
            _log.warning("The access log is being written again; lines lost: %d", self._lost)
            self._lost = 0

    def _write(self, data: bytes) -> bytes:
        """Write what can be written without waiting for a reader; gives back the rest."""
        if self._is_file:
            write_file(self._fd, data)
            return b""
        return write_unread(self._fd, data)

    def _lose(self, data: bytes, why: str) -> None:
        if not self._lost:
            _log.error("%s; lines are being lost", why)
        self._lost += data.count(b"\n")

    def reopen(self) -> None:
        """After the file was moved away: go on in a new one. If that fails, stay with the old."""
        with self._writing:
            self._write_out()
            if self._path == "-":
                return
            old = self._fd
            try:
                self._fd = self._open()
            except OSError as error:
                _log.error("The access log %s cannot be reopened: %s", self._path, error.strerror)
                return
            os.close(old)

    def close(self) -> None:
        """Write the rest and close the file. Nothing may be written afterwards."""
        with self._writing:
            self._write_out()
            if self._path != "-" and self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
