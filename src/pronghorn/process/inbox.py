"""What happens to the master, in one queue: signals, messages, ends.

Signal handlers do nothing but wake; Python's C-level handler writes the number into a socket.
"""

import select
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from pronghorn.process.children import Child
from pronghorn.process.messages import Message

STACKS: int = getattr(signal, "SIGRTMIN", 0) or getattr(signal, "SIGINFO", signal.SIGWINCH)
"""All stacks of all workers into the log."""

HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCHLD,
    STACKS,
)


_COUNTED = (signal.SIGTTIN, signal.SIGTTOU)
"""Each one counts."""


@dataclass(frozen=True, slots=True)
class Signalled:
    number: int


@dataclass(frozen=True, slots=True)
class Told:
    child: Child
    message: Message


@dataclass(frozen=True, slots=True)
class HungUp:
    """A child's channel has ended."""

    child: Child


@dataclass(frozen=True, slots=True)
class Called:
    """Another descriptor that the master watches is readable."""

    action: Callable[[], None]


Event = Signalled | Told | HungUp | Called


class Inbox:
    """The master's; single-threaded."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._sources: dict[int, Child | Callable[[], None]] = {}
        self._listen, self._ring = socket.socketpair()
        self._listen.setblocking(False)
        self._ring.setblocking(False)
        self._before: dict[int, object] = {}
        self._poll.register(self._listen, select.POLLIN)

    def catch_signals(self) -> None:
        """Main thread only."""
        signal.set_wakeup_fd(self._ring.fileno(), warn_on_full_buffer=False)  # first, or one gets lost
        for number in HANDLED:
            self._before[number] = signal.signal(number, _nothing)

    def release_signals(self) -> None:
        """As they were before."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def watch(self, fd: int, source: Child | Callable[[], None]) -> None:
        self._sources[fd] = source
        self._poll.register(fd, select.POLLIN)

    def ignore(self, fd: int) -> None:
        if self._sources.pop(fd, None) is not None:
            self._poll.unregister(fd)

    def wait(self, seconds: float) -> Iterator[Event]:
        """What has happened; waits at most this long for something to happen."""
        ready = [(fd, self._sources.get(fd)) for fd, _ in self._poll.poll(max(0.0, seconds) * 1000 + 0.5)]
        for fd, source in ready:
            if fd == self._listen.fileno():
                seen: set[int] = set()
                for number in self._listen.recv(4096):
                    if number not in seen or number in _COUNTED:
                        yield Signalled(number)
                    seen.add(number)
            elif source is None or self._sources.get(fd) is not source:
                continue  # an earlier event has closed it
            elif isinstance(source, Child):
                messages, ended = source.channel.receive()
                yield from (Told(source, message) for message in messages)
                if ended:
                    self.ignore(fd)
                    yield HungUp(source)
            else:
                yield Called(source)

    def close(self) -> None:
        self._listen.close()
        self._ring.close()


def _nothing(number: int, frame: FrameType | None) -> None:
    """The inbox has its number."""
