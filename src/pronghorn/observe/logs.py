"""The error log: what the server itself has to say, to stderr or a file."""

import logging
import os
import re
import sys
import time
from dataclasses import dataclass

from pronghorn.observe.atoms import COMBINED, compile_format
from pronghorn.option import option

NAME = "pronghorn.error"

_COLOURS = {"WARNING": "33", "ERROR": "31", "CRITICAL": "1;31", "DEBUG": "2"}
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


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
        self._fd = self._open()
        self.setFormatter(Formatter(colour=wants_colour(self._fd)))

    @property
    def fd(self) -> int:
        """Where it writes now."""
        return self._fd

    def _open(self) -> int:
        if self._path == "-":
            return 2
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def emit(self, record: logging.LogRecord) -> None:
        self.write_text(self.format(record) + "\n")

    def write_text(self, text: str) -> None:
        """Append text as it is; what UTF-8 lacks is escaped."""
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:  # the disk is full, or the terminal gone: there is nobody to tell
            pass

    def reopen(self) -> None:
        """After the file was moved away: go on in a new one. If that fails, stay with the old, and say so."""
        if self._path == "-":
            return
        self.acquire()
        try:
            old, self._fd = self._fd, self._open()
            os.close(old)
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
