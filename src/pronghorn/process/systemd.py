"""systemd: tell it how the service is doing, and take over the sockets that it opened.

    notifier = Notifier(os.environ)
    for passed in passed_sockets(os.environ, os.getpid()): ...
    notifier.ready("3 workers")

Both protocols are a few lines of text, so no library is needed: sd_notify(3), sd_watchdog_enabled(3),
sd_listen_fds(3). A service of `Type=notify` or `Type=notify-reload` (systemd.service(5)) uses all of it.
"""

import os
import socket
import time
from collections.abc import Mapping, MutableMapping
from typing import NamedTuple

from pronghorn.errors import ConfigError

# SD_LISTEN_FDS_START in sd_listen_fds(3).
FIRST = 3

# sd_listen_fds_with_names(3): the name of a socket that was passed without one.
UNNAMED = "unknown"

# systemd drops a message of more than 4096 bytes; a status is one line on a screen.
_MOST_STATUS = 1000

_LISTEN = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Notifier:
    """Tells the service manager; says nothing where there is none, and never raises nor waits.

    Each message gives False if it did not get through (the manager's queue is full): whoever sent READY
    sends it again later, or the start times out.

    watchdog_interval: seconds between two `watchdog()`, half of what the manager waits
        (sd_watchdog_enabled(3)); None if it does not wait for this process.
    """

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _notify_address(environ.get("NOTIFY_SOCKET", ""))
        # Opened once: a process that is out of descriptors can still say that it lives.
        self._socket = _datagram_socket() if self._address else None
        self.watchdog_interval = _watchdog_interval(environ, os.getpid() if pid is None else pid)

    def ready(self, status: str = "") -> bool:
        """Master. The first start is complete; or a reload is, whichever way it went."""
        return self._send("READY=1", status)

    def reloading(self, status: str = "") -> bool:
        """Master. `ready()` must follow. With the time, so that `Type=notify-reload` knows which reload."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={now}", status)

    def stopping(self, status: str = "") -> bool:
        """Master. The drain begins."""
        return self._send("STOPPING=1", status)

    def status(self, text: str) -> bool:
        """Master. One line for `systemctl status`."""
        return self._send("", text)

    def main_pid(self, pid: int) -> bool:
        """The old master, which the manager still listens to: from now on, listen to `pid`."""
        return self._send(f"MAINPID={pid}")

    def watchdog(self) -> bool:
        """Master. The service makes progress."""
        return self._send("WATCHDOG=1")

    def close(self) -> None:
        """Any process. Later messages go nowhere."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _send(self, assignments: str, status: str = "") -> bool:
        if self._socket is None:
            return True
        lines = [assignments] if assignments else []
        if status:
            lines.append(f"STATUS={_one_line(status)}")
        try:
            self._socket.sendto("\n".join(lines).encode("utf-8", "backslashreplace"), self._address)
        except OSError:
            return False
        return True


class Passed(NamedTuple):
    """A socket that the service manager opened: its descriptor and its FileDescriptorName=."""

    fd: int
    name: str


def passed_sockets(environ: MutableMapping[str, str], pid: int) -> list[Passed]:
    """The sockets meant for process `pid`; from then on, no child takes them for its own.

    The three variables are taken out of `environ`, the descriptors get FD_CLOEXEC. Raises ConfigError.
    """
    receiver, count, names = (environ.pop(variable, "") for variable in _LISTEN)
    if not receiver or not count:
        return []
    if _number("LISTEN_PID", receiver) != pid:
        # Meant for a parent that left its variables behind: sd_listen_fds(3) gives 0 as well.
        return []
    total = _number("LISTEN_FDS", count)
    known = _names(names, total)
    passed: list[Passed] = []
    for fd in range(FIRST, FIRST + total):
        _keep_to_ourselves(fd, total)
        passed.append(Passed(fd, known[len(passed)] if known else UNNAMED))
    return passed


def _number(variable: str, text: str) -> int:
    # Ten digits hold any process id and any descriptor.
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        raise ConfigError(f"{variable}: {text!r} is not a whole number.", mend=_hint(variable))
    return int(text)


def _names(text: str, total: int) -> list[str]:
    names = text.split(":") if text else []
    if names and len(names) != total:
        raise ConfigError(
            f"LISTEN_FDNAMES has {len(names)} names, but LISTEN_FDS says {total} sockets.",
            where=f"LISTEN_FDNAMES={text[:200]}",
            mend=_hint("LISTEN_FDNAMES"),
        )
    return names


def _keep_to_ourselves(fd: int, total: int) -> None:
    try:
        os.set_inheritable(fd, False)
    except OSError as error:
        raise ConfigError(
            f"LISTEN_FDS: descriptor {fd} is not open, though {total} from {FIRST} on should be.",
            mend=_hint("LISTEN_FDS"),
        ) from error


def _hint(variable: str) -> str:
    return f"Whatever starts Pronghorn sets {variable} (sd_listen_fds(3)): mend it there, or unset it."


def _notify_address(text: str) -> bytes:
    """A path, or "@" for an abstract name; sd_notify(3). Others, such as vsock:, are for virtual machines."""
    if text.startswith("@"):
        return b"\0" + os.fsencode(text[1:])
    return os.fsencode(text) if text.startswith("/") else b""


def _datagram_socket() -> socket.socket | None:
    try:
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None
    opened.setblocking(False)
    return opened


def _watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    usec, receiver = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if receiver not in ("", str(pid)) or not (usec.isascii() and usec.isdigit()) or len(usec) > 20:
        return None
    # USEC_INFINITY, the largest number of 64 bits, means never.
    return int(usec) / 2_000_000 if 0 < int(usec) < 2**64 - 1 else None


def _one_line(text: str) -> str:
    """A line break would begin the next assignment."""
    line = " ".join(text.split()).encode("utf-8", "backslashreplace")
    return line[:_MOST_STATUS].decode("utf-8", "ignore")
