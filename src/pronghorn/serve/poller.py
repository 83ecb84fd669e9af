"""Which sockets are ready: epoll where there is one, else what the selectors module offers.

Level-triggered: a socket stays registered from accept to close, except while a thread of its own works
on it. Registering anew for each request would cost a quarter of a small request.
"""

import select
import selectors
from typing import Protocol

READ = 0x001
WRITE = 0x004
"""The values of EPOLLIN and EPOLLOUT, so that epoll's masks need no translation."""

EXCLUSIVE = 1 << 28
"""EPOLLEXCLUSIVE: of several processes that wait for a listener, one is woken."""

EDGE = 1 << 31
"""EPOLLET."""

EVENTS_MOST = 256
"""Events of one round: the clock stands still within one."""


class Poller(Protocol):
    """Leader only."""

    def change(self, fd: int, old: int, new: int) -> None:
        """From the interest `old` to `new`; 0 is none."""

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """(descriptor, mask) of the ready ones; waits at most `timeout` seconds, forever if it is -1."""

    def close(self) -> None: ...


class EpollPoller:
    """Linux."""

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def change(self, fd: int, old: int, new: int) -> None:
        if not old:
            self._epoll.register(fd, new)
        elif new:
            self._epoll.modify(fd, new)
        else:
            self._epoll.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._epoll.poll(timeout, EVENTS_MOST)

    def close(self) -> None:
        self._epoll.close()


class SelectorPoller:
    """Everywhere else."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def change(self, fd: int, old: int, new: int) -> None:
        events = (selectors.EVENT_READ if new & READ else 0) | (selectors.EVENT_WRITE if new & WRITE else 0)
        if not old:
            self._selector.register(fd, events)
        elif new:
            self._selector.modify(fd, events)
        else:
            self._selector.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        ready = self._selector.select(None if timeout < 0 else timeout)
        return [
            (
                key.fd,
                (READ if events & selectors.EVENT_READ else 0)
                | (WRITE if events & selectors.EVENT_WRITE else 0),
            )
            for key, events in ready
        ]

    def close(self) -> None:
        self._selector.close()


def make_poller() -> Poller:
    """The best one this system has."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
