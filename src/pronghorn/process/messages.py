"""What the master and its children say to each other, one line of JSON each, through a pair of sockets.

The end of the file is a message, too: the other process is gone.
"""

import contextlib
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True)
class Born:
    """From a child: it exists. Its master may not be its parent (see mold)."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it serves. From a mold: it has imported the application."""


@dataclass(frozen=True, slots=True)
class Failed:
    """From a child that will not get ready.

    text: for the terminal; trace: for the log; code: to exit with.
    """

    text: str
    trace: str
    code: int


@dataclass(frozen=True, slots=True)
class Retire:
    """From a worker: it wants to be replaced, for this reason, which makes a sentence.

    cramped: its limit of memory is hardly more than what it held when it began.
    """

    reason: str
    cramped: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """From a worker: this file of the application has changed (--reload)."""

    path: str


@dataclass(frozen=True, slots=True)
class Leave:
    """To a worker: drain. final: nobody accepts after it. sole: no other server has the listeners."""

    final: bool
    sole: bool = False


@dataclass(frozen=True, slots=True)
class Quit:
    """To a child: end at once."""


@dataclass(frozen=True, slots=True)
class Reopen:
    """To a worker: the log files were moved away."""


@dataclass(frozen=True, slots=True)
class Stacks:
    """To a worker: log what all threads are doing."""


@dataclass(frozen=True, slots=True)
class Promote:
    """To a worker: drain, then become a mold."""


@dataclass(frozen=True, slots=True)
class Fork:
    """To a mold: make a worker. The worker's channel comes with it.

    number: of its row in the scoreboard; -1 for a mold. shares: other workers have the same listeners.
    """

    number: int
    generation: int
    shares: bool


Message = Born | Ready | Failed | Retire | Changed | Leave | Quit | Reopen | Stacks | Promote | Fork

_KINDS = {
    kind.__name__: kind
    for kind in (Born, Ready, Failed, Retire, Changed, Leave, Quit, Reopen, Stacks, Promote, Fork)
}

_OCTETS_MOST = 60_000
"""Of a message, so that it is read at once; longer texts keep their end."""

_KIND = (
    getattr(socket, "SOCK_SEQPACKET", socket.SOCK_STREAM) if sys.platform == "linux" else socket.SOCK_STREAM
)
"""Where there are packets, a message is sent whole or not at all."""


class Channel:
    """One end. Not for two threads at once, but `send`."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._part = b""
        self.passed: list[int] = []
        """Descriptors that came with messages, in order."""

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """Never blocks or raises: a reader that is gone or sleeps is dealt with otherwise."""
        line = _line(message)
        with contextlib.suppress(OSError):
            if descriptor is None:
                self._end.send(line)
            else:
                socket.send_fds(self._end, [line], [descriptor])

    def receive(self) -> tuple[list[Message], bool]:
        """The messages that have come, and whether the other end is gone."""
        messages: list[Message] = []
        while True:
            try:
                data, passed, _, _ = socket.recv_fds(
                    self._end, 65536, 16, getattr(socket, "MSG_CMSG_CLOEXEC", 0)
                )
            except BlockingIOError:
                return messages, False
            except OSError:
                return messages, True
            if not data:
                return messages, True
            for fd in passed:
                os.set_inheritable(fd, False)  # CPython 3.11 does not hand MSG_CMSG_CLOEXEC on
            self.passed += passed
            *lines, self._part = (self._part + data).split(b"\n")
            for line in lines:
                with contextlib.suppress(ValueError, TypeError, KeyError):  # an application wrote into it
                    messages.append(parse(line))

    def close(self) -> None:
        self._end.close()


def _line(message: Message) -> bytes:
    values = asdict(message)
    while True:
        line = json.dumps([type(message).__name__, values], ensure_ascii=False).encode("utf-8", "replace")
        if len(line) < _OCTETS_MOST:
            return line + b"\n"
        values = {
            name: value[-len(value) // 2 :] if isinstance(value, str) else value
            for name, value in values.items()
        }


def parse(line: bytes) -> Message:
    kind, values = json.loads(line)
    message = _KINDS[kind](**values)
    for declared in fields(message):
        if type(getattr(message, declared.name)) is not declared.type:
            raise TypeError(f"{kind}.{declared.name} is not {declared.type}")
    return message


def channels() -> tuple[Channel, socket.socket]:
    """The master's end, and the socket for the child's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, _KIND)
    return Channel(ours), theirs
