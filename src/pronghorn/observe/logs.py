"""The error log: what the server itself has to say, to stderr or a file."""

import logging
import os
import re
import sys
import time
from dataclasses import dataclass

from pronghorn.observe.appending import is_file, open_to_append, write_file, write_unread
from pronghorn.observe.atoms import COMBINED, compile_format
from pronghorn.option import option

NAME = "pronghorn.error"

_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31", "DEBUG": "2"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


_GRACE = 0.05
"""Seconds, arbitrary, that a text waits for a reader who may only be slow: a pipe holds 64 KiB. Once a line
was lost, none waits until there is room again."""


def _checked(text: str) -> str:
    compile_format(text)
    return text


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What is written down, and where."""

    access_logfile: str = option("", metavar="FILE", help='Log each request to this file; "-" is stdout.')
    access_logformat: str = option(
        COMBINED, metavar="FORMAT", parse=_checked, help="A line of the access log, in gunicorn's atoms."
    )
    error_logfile: str = option(
        "-",
        flags=("--log-file",),
        metavar="FILE",
        help='Log warnings, errors and tracebacks to this file; "-" is stderr.',
    )
    log_level: str = option(
        "info",
        choices=("debug", "info", "warning", "error", "critical"),
        metavar="LEVEL",
        help="The least important level that the error log takes.",
    )


class Handler(logging.Handler):
    """Appends to a file descriptor.

    The application may call logging.config.dictConfig at any time, which closes every handler it can
    find; so `close` keeps the file open.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path if path == "-" else os.path.abspath(path)
        self._lost = 0  # lines, since the reader stopped reading
        self._fd = self._open()
        self.setFormatter(Formatter(colour=wants_colour(self._fd)))

    @property
    def fd(self) -> int:
        """Where it writes now."""
        return self._fd

    def _open(self) -> int:
        fd = 2 if self._path == "-" else open_to_append(self._path)
        self._is_file = is_file(fd)
        return fd

    def emit(self, record: logging.LogRecord) -> None:
        self.write_text(self.format(record) + "\n")

    def write_text(self, text: str) -> None:
        """Append text as it is; what UTF-8 lacks is escaped. Lost where nobody reads: requests come first."""
        data = _octets(text)
        try:
            if self._is_file:
                write_file(self._fd, data)
            else:
                self._write_or_lose(data)
        except OSError:  # the disk is full, or the terminal gone: there is nobody to tell
            pass

    def _write_or_lose(self, data: bytes) -> None:
        self.acquire()  # two threads at once would both see the room for one
        try:
            if self._lost:
                if write_unread(self._fd, _octets(self._loss())):
                    self._lost += _lines(data)
                    return
                self._lost = 0
            rest = write_unread(self._fd, data, _GRACE)
            if rest:
                self._lost = _lines(rest)
        finally:
            self.release()

    def _loss(self) -> str:
        text = "Nobody read the error log for a while; lines lost: %d"
        record = logging.LogRecord(NAME, logging.WARNING, "", 0, text, (self._lost,), None)
        return self.format(record) + "\n"

    def reopen(self) -> None:
        """After the file was moved away: go on in a new one. If that fails, stay with the old, and say so."""
        if self._path == "-":
            return
        self.acquire()
        try:
            new = open_to_append(self._path)
            try:
                # The number stays: `write_text` takes no lock, and whoever is at it must not meet a client's
                # connection that has got the number of a closed file.
                os.dup2(new, self._fd, inheritable=False)
                self._is_file = is_file(self._fd)
            finally:
                os.close(new)
        except OSError as error:
            logging.getLogger(NAME).error("%s cannot be reopened: %s", self._path, error.strerror)
        finally:
            self.release()

    def close(self) -> None:
        """Nothing: see above."""

    def discard(self) -> None:
        """Close in earnest."""
        super().close()
        if self._path != "-":
            os.close(self._fd)


class Formatter(logging.Formatter):
    """[2026-11-21 03:42:07 +0000] [71] [INFO] message"""

    def __init__(self, colour: bool) -> None:
        super().__init__("[%(asctime)s] [%(process)d] [%(coloured)s] %(message)s")
        self._colour = colour

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(record.created))

    def format(self, record: logging.LogRecord) -> str:
        shade = _COLOURS.get(record.levelname) if self._colour else None
        record.coloured = f"\x1b[{shade}m{record.levelname}\x1b[0m" if shade else record.levelname
        return super().format(record)

    def formatMessage(self, record: logging.LogRecord) -> str:
        # What a client sent may be quoted in a message: it must not steer a terminal (CVE-2009-4492).
        record.message = _CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", record.message)
        return super().formatMessage(record)


class ErrorLog(logging.Logger):
    """A logger that stays on: `disable_existing_loggers` is meant for the application's own."""

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        pass


def setup(options: LogOptions) -> logging.Logger:
    """The error log as the options have it; replaces an earlier setup. Raises OSError."""
    handler = Handler(options.error_logfile)
    log = logging.getLogger(NAME)
    # Other modules may have it by now, so it is converted in place.
    log.__class__ = ErrorLog
    for old in log.handlers[:]:
        log.removeHandler(old)
        if isinstance(old, Handler):
            old.discard()
    log.addHandler(handler)
    log.setLevel(options.log_level.upper())
    log.propagate = False
    return log


def write_text(log: logging.Logger, text: str) -> None:
    """Append text as it is to the error log, wherever it goes by now: for `wsgi.errors`."""
    written = False
    for handler in log.handlers:
        if isinstance(handler, Handler):
            handler.write_text(text)
            written = True
    if not written:  # embedded, without setup()
        encoding = sys.stderr.encoding or "utf-8"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))


def say(text: str) -> None:
    """A line on stderr, for whoever has started the server; lost where nobody reads."""
    try:
        write_unread(2, _octets(text + "\n"), _GRACE)
    except OSError:
        pass


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _lines(data: bytes) -> int:
    return data.count(b"\n") or 1


def reopen(log: logging.Logger) -> None:
    """After log rotation: each of the log's files anew."""
    for handler in log.handlers:
        if isinstance(handler, Handler):
            handler.reopen()


def wants_colour(fd: int) -> bool:
    """Is this a terminal, and has nobody asked for none (https://no-color.org)?"""
    try:
        return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and os.isatty(fd)
    except OSError:
        return False
