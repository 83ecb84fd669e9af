"""The open-file cache (S19): what was found at a path, for a second at most, bounded in number and octets.

Small files are kept with their content, large ones with their descriptor. What leaves the cache lives on
as long as an answer needs it: Python's reference counting closes the descriptor after the last one.
"""

import os
import threading
import weakref
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Protocol

StartResponse = Callable[..., Any]

_ACCEPTS_MOST = 32
"""Arbitrary: different Accept-Encoding fields that are remembered for one path; browsers send a handful."""
_LONGEST = 512
"""Arbitrary: longer paths and Accept-Encoding fields are not remembered."""
_OVERHEAD = 2048
"""About what an entry costs beside its content, in octets."""


class Answer(Protocol):
    """What answers a request for one path: a WSGI application that knows whether it may be slow."""

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer GET or HEAD."""

    def is_quick(self, environ: dict[str, Any]) -> bool:
        """Whether it waits for nothing but the disk."""

    def is_current(self) -> bool:
        """Whether it is still true, where that is worth a system call for each request."""


_caches: "weakref.WeakSet[Cache]" = weakref.WeakSet()


def _all_caches() -> "list[Cache]":
    while True:
        try:
            return list(_caches)
        except RuntimeError:  # another thread has just made one
            pass


def give_back() -> None:
    """Close what no answer needs, in all caches of the process."""
    for cache in _all_caches():
        cache.clear()


def forget_old() -> None:
    """Close what is too old, in all caches: where nobody asks deleted files would stay on the disk."""
    now = monotonic()
    for cache in _all_caches():
        if cache.holds_descriptors():
            cache.forget_old(now)


class Descriptor:
    """A descriptor that is closed with the last reference to it."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        close(self._fd)


class Entry:
    """What was found at one path. Not changed any more, but for the memo of who gets which answer."""

    __slots__ = ("_choose", "answers", "descriptors", "expires", "octets")

    def __init__(
        self, choose: Callable[[str | None], Answer] | None, octets: int = 0, descriptors: int = 0
    ) -> None:
        """choose: from Accept-Encoding to the answer; None where there is nothing at this path.
        octets, descriptors: that it holds."""
        self._choose = choose
        self.answers: dict[str | None, Answer] = {}
        """By Accept-Encoding as it was sent; None where it was not."""
        self.expires = 0.0
        self.octets = octets + _OVERHEAD
        self.descriptors = descriptors

    def choose(self, accept: str | None) -> Answer | None:
        """The answer to a request that is not yet among `answers`; None if there is nothing."""
        if self._choose is None:
            return None
        answer = self._choose(accept)
        if len(self.answers) < _ACCEPTS_MOST and len(accept or "") <= _LONGEST:
            self.answers[accept] = answer
        return answer


class Cache:
    """Entries by PATH_INFO. Any thread: reading takes no lock, because entries are replaced whole."""

    def __init__(self, seconds: float, most: int, memory: int) -> None:
        self.entries: dict[str, Entry] = {}
        """Read by whoever looks something up; the oldest first."""
        self._seconds = seconds
        self._most = most
        self._memory = memory
        self._octets = 0
        self._descriptors = 0
        self._descriptors_most = _descriptors_most()
        self._lock = threading.Lock()
        _caches.add(self)

    def put(self, path: str, entry: Entry) -> None:
        """Remember, and forget the oldest ones until there is room."""
        if not self._seconds or len(path) > _LONGEST or entry.octets > self._memory:
            return
        if (
            entry.descriptors
            and sum(one._descriptors for one in _all_caches()) + entry.descriptors > self._descriptors_most
        ):
            give_back()
        forget_old()
        entry.expires = monotonic() + self._seconds
        with self._lock:
            self._forget(path)
            while self.entries and self._is_full(entry):
                self._forget(next(iter(self.entries)))
            self.entries[path] = entry
            self._octets += entry.octets
            self._descriptors += entry.descriptors

    def holds_descriptors(self) -> bool:
        return self._descriptors > 0

    def forget_old(self, now: float) -> None:
        """Forget what is older than a second."""
        with self._lock:
            while self.entries:
                oldest = next(iter(self.entries))
                if self.entries[oldest].expires >= now:
                    break
                self._forget(oldest)

    def drop(self, path: str) -> None:
        """Forget one path."""
        with self._lock:
            self._forget(path)

    def clear(self) -> None:
        """Forget all, and so give back all descriptors that no answer needs."""
        with self._lock:
            self.entries.clear()
            self._octets = self._descriptors = 0

    def _forget(self, path: str) -> None:
        entry = self.entries.pop(path, None)
        if entry is not None:
            self._octets -= entry.octets
            self._descriptors -= entry.descriptors

    def _is_full(self, entry: Entry) -> bool:
        """Whether there is no room for one more."""
        return (
            len(self.entries) >= self._most
            or self._octets + entry.octets > self._memory
            or self._descriptors + entry.descriptors > self._descriptors_most
        )


def _descriptors_most() -> int:
    """A quarter of what the process may open: the others are for connections."""
    try:
        return max(8, os.sysconf("SC_OPEN_MAX") // 4)
    except (OSError, ValueError):
        return 64
