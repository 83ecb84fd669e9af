"""What a connection still has to send: handed to the socket at once, or kept until the socket takes it.

An answer goes straight to the socket while nothing waits. What the socket does not take waits here, and
the leader sends it on when the client reads. Two threads meet here, the connection's owner who adds
and the leader who flushes, so all that waits is touched under the lock; nothing that is sent directly is.

    outbox.put(octets)                 the owner: now, or as soon as may be
    outbox.put(octets, more=True)      the owner: with the next ones, they follow at once (pipelining)
    outbox.hold(octets)                the owner: with the next ones, if they follow at once (streaming)
    outbox.keep(octets)                the call: with others' answers, while its thread leads (`poll_round`)
    outbox.flush()                     the leader: the socket is writable
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pronghorn.errors import ClientDisconnected
from pronghorn.net.transport import FILE_MOST, Part, Transport
from pronghorn.serve.file_part import FilePart
from pronghorn.serve.streams import Streams
from pronghorn.wsgi import spool

HIGH_WATER = 1 << 20
"""Octets that wait in memory before their producer has to (1 MiB)."""

BATCH_MOST = 65536
"""Octets of pipelined answers that may wait for each other."""

JOIN_MOST = 16384
"""Up to this many octets, copying them behind the head is no dearer than a second piece: at 4 KiB 0.1 µs
cheaper, at 32 KiB 0.1 dearer, at 100 kB 1."""

_HELD_MOST = 64 << 20
"""Arbitrary: octets that one worker keeps in memory for clients that do not read."""

_FLUSH_MOST = 4 << 20
"""Arbitrary: octets for one client that reads fast before it is the others' turn."""

_SPILL_MOST = 1 << 30
"""Octets of one answer on disk before its producer has to wait after all."""

_NOBODY: list[Any] = []  # always empty
_NO_PARTS: deque[Part | FilePart] = deque()
_taking = threading.Lock()  # when a call has lost the lead, two threads look for the answer that it kept


class Held:
    """Octets that wait in memory for slow clients, of a whole worker. Any thread."""

    __slots__ = ("_lock", "_total", "too_much")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total = 0
        self.too_much = False
        """From here on, answers that wait go to disk."""

    def add(self, octets: int) -> None:
        with self._lock:
            self._total += octets
            self.too_much = self._total > _HELD_MOST


def _ask_nobody() -> None:
    pass


class Outbox:
    """The sending side of one connection."""

    __slots__ = (
        "_ask",
        "_batched",
        "_crowded",
        "_held",
        "_held_back",
        "_memory",
        "_parts",
        "_room",
        "_spill",
        "_streams",
        "_transport",
        "batch",
        "broken",
        "kept",
        "lead",
        "slow",
        "waiting",
    )

    def __init__(
        self,
        transport: Transport,
        ask: Callable[[], None],
        crowded: Callable[[], bool],
        held: "Held",
        streams: Streams,
    ) -> None:
        """ask: tells the leader to flush when the socket is writable. crowded: are all threads taken?
        held: what all connections of the worker hold in memory together."""
        self._transport = transport
        self._ask = ask
        self._crowded = crowded
        self._room: threading.Condition | None = None  # made when something first waits
        self._streams = streams
        self.batch: deque[bytes] | None = None
        """Answers or blocks that leave together; None outside of such a batch."""
        self._batched = 0  # octets in it, about: two threads write this
        self._held_back = False  # it stands in streams
        self.slow = False
        """The blocks of this answer do not follow each other at once: each is sent by itself."""
        self.lead = _NOBODY
        """Filled: its call's thread leads, and may keep the answer."""
        self.kept: bytes | None = None
        self._parts = _NO_PARTS  # a deque of its own when something first waits: 600 octets
        self._held = held
        self._memory = 0
        self._spill: FilePart | None = None  # the last part, while it grows on disk
        self.waiting = False
        """Something waits for the socket; set and cleared under the lock."""
        self.broken = False
        """The client is gone, or has been given up."""

    # The owner

    def put(self, octets: bytes, more: object = False) -> None:
        """Send. Raises ClientDisconnected."""
        if self.broken:
            raise self._lost()
        if self.batch is not None or more:
            self._put_batch(octets, more)
        elif self.waiting:
            self._append(octets)
        else:
            try:
                sent = self._transport.send(octets)
            except BlockingIOError:
                sent = 0
            except OSError:
                raise self._lost() from None
            if sent != len(octets):
                self._append(memoryview(octets)[sent:])

    def keep(self, octets: bytes) -> None:
        """Where `lead` was filled: keep a whole answer for the group. Raises ClientDisconnected."""
        if self.broken or self.waiting or self.batch is not None:
            self.put(octets)
            return
        self.kept = octets
        # Who takes the lead away looks at `kept` afterwards: one of us sees the other.
        if not self.lead:
            with _taking:
                self.depart()

    def depart(self) -> None:
        """Send the answer that was kept. The leader, after the call, or under the lock."""
        octets = self.kept
        self.kept = None
        self.lead = _NOBODY  # a list for each connection would not stay in the cache
        if octets is not None:
            try:
                self.put(octets)
            except Exception as error:
                self.broken = True
                self._ask()
                if not isinstance(error, ClientDisconnected):
                    raise

    def hold(self, octets: bytes) -> None:
        """Send within a tick of the lookout, with what follows at once. Raises ClientDisconnected."""
        streams = self._streams
        # Where something waits, nothing would be saved; and to write to disk is no work for the lookout.
        if self.slow or self.waiting:
            self.put(octets)
            return
        streams.wanted = True
        if not streams.ticking:
            self.put(octets)
            return
        if self.broken:
            raise self._lost()
        self._put_batch(octets, True)
        if not self._held_back:
            self._held_back = True
            streams.hold(self)

    def let_go(self) -> None:
        """What was held back has waited for long enough. Any thread, for the owner."""
        self._held_back = False
        batch = self.batch
        if batch is not None and len(batch) == 1:
            self.slow = True
        self._release_batch()  # what was kept is the leader's

    def put_large(self, octets: bytes, block: bytes) -> None:
        """Send a head and a large block without copying it. Raises ClientDisconnected."""
        if self.batch is not None:
            self.release()
        if self.broken:
            raise self._lost()
        if self.waiting:
            self._append(octets)
            self._append(block)
            return
        try:
            sent = self._transport.send_parts((octets, block))
        except BlockingIOError:
            self._append(octets + block)  # OpenSSL wants the same octets again
            return
        except OSError:
            raise self._lost() from None
        if sent == len(octets) + len(block):
            return
        if sent < len(octets):
            self._append(octets[sent:])
            sent = len(octets)
        sent -= len(octets)
        if sent < len(block):
            self._append(memoryview(block)[sent:])
            if self._held.too_much:
                self.spill()  # here, in the producer's thread: the leader has others to serve

    def put_file(self, file: int, offset: int, count: int, ahead: bytes = b"") -> None:
        """Send a part of a file, whose descriptor stays the caller's. Raises ClientDisconnected.

        ahead: octets that leave with its first.
        """
        self.release()
        if not count:
            self.put(ahead)
            return
        self._put_ahead(ahead)
        status = os.fstat(file)
        if self.broken:  # what waited may have been given up meanwhile
            raise self._lost()
        if not self.waiting:
            try:
                sent = self._transport.send_file(file, offset, min(count, FILE_MOST))
            except BlockingIOError:
                sent = 0
            except OSError:
                raise self._lost() from None
            else:
                if not sent:
                    raise self._lost()  # the file has shrunk: the length that was announced cannot be kept
            offset += sent
            count -= sent
        if count:  # the leader does the rest: a file costs no application thread
            try:
                own = os.dup(file)
            except OSError:
                raise self._lost() from None  # no descriptors left; the head is with the client already
            self._wait_in_line(FilePart(own, offset, count, status))

    def _put_ahead(self, octets: bytes) -> None:
        """Send these with what follows at once."""
        if self.broken:
            raise self._lost()
        if self.waiting:
            self._append(octets)
            return
        try:
            sent = self._transport.send_ahead(octets)
        except BlockingIOError:
            sent = 0
        except OSError:
            raise self._lost() from None
        if sent != len(octets):
            self._append(memoryview(octets)[sent:])

    def wait_for_room(self) -> None:
        """Wait while more than the high-water mark waits; when threads are short, move it to disk instead."""
        room = self._room
        if room is None or self._memory <= HIGH_WATER:
            return
        with room:
            while self._memory > HIGH_WATER and not self.broken:
                if (
                    (self._crowded() or self._held.too_much)
                    and self._spilled() < _SPILL_MOST
                    and self._to_disk()
                ):
                    break
                room.wait(0.05)  # looks again whether threads are short
        if self.broken:
            raise self._lost()

    def release(self) -> None:
        """Send the answers that waited for others. The owner, or who took the lead from it."""
        if self.kept is not None:
            with _taking:
                self.depart()
        self._release_batch()

    def _release_batch(self) -> None:
        if self.batch is None:
            return
        assert self._room is not None
        with self._room:
            self._send_batch()

    def end_batch(self) -> None:
        """Send them, and send directly from now on. Raises ClientDisconnected."""
        self.release()
        if self.batch is not None:
            self.batch = None
            if self.broken:
                raise self._lost()

    def _put_batch(self, octets: bytes, more: object) -> None:
        batch = self.batch
        if batch is None:
            self._lock()
            batch = self.batch = deque()
        batch.append(octets)
        self._batched += len(octets)
        if not more or self._batched > BATCH_MOST:
            self.release()
            if self.broken:
                raise self._lost()

    def _send_batch(self) -> None:
        """Under the lock. Whoever holds it sends; so answers keep their order."""
        batch = self.batch
        self._batched = 0
        octets = []
        while batch:
            octets.append(batch.popleft())
        data = b"".join(octets)
        if not data or self.broken:
            return
        sent = 0
        if not self.waiting:
            try:
                sent = self._transport.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.broken = True
                return
        if sent != len(data):
            self._wait_in_line(memoryview(data)[sent:])

    def _lock(self) -> threading.Condition:
        if self._room is None:
            self._parts = deque()
            self._room = threading.Condition()  # an RLock: _send_batch waits in line under it
        return self._room

    def _append(self, part: Part) -> None:
        if len(part):
            self._wait_in_line(part)

    def _wait_in_line(self, part: Part | FilePart) -> None:
        with self._lock():
            if self.broken and isinstance(part, FilePart):
                os.close(part.fd)  # closed meanwhile, with all that waited
                return
            if self._spill is not None and not isinstance(part, FilePart) and self._grow(part):
                return
            self._spill = None
            self._parts.append(part)
            if not isinstance(part, FilePart):
                self._memory += len(part)
                self._held.add(len(part))
            first = not self.waiting
            self.waiting = True
        if first:
            self._ask()

    def _lost(self) -> ClientDisconnected:
        self.broken = True
        return ClientDisconnected("the client is gone")

    # Disk, when memory or threads are short. Under the lock.

    def _to_disk(self) -> bool:
        """Move all octets that wait in memory to a temporary file; False if the disk refuses."""
        moved: deque[Part | FilePart] = deque()
        try:
            with spool.temporary_file() as file:
                last: FilePart | None = None  # the part of our file that ends where the next octets go
                offset = 0
                for part in self._parts:
                    if isinstance(part, FilePart):
                        moved.append(part)
                        last = None
                        continue
                    file.write(part)
                    if last is None:
                        last = FilePart(os.dup(file.fileno()), offset, 0, None)
                        moved.append(last)
                    last.count += len(part)
                    offset += len(part)
                file.flush()
        except OSError:
            for part in moved:
                if isinstance(part, FilePart) and part not in self._parts:
                    os.close(part.fd)
            return False
        self._parts = moved
        self._held.add(-self._memory)
        self._memory = 0
        self._spill = last
        return True

    def _grow(self, part: Part) -> bool:
        """Add to the part that grows on disk."""
        spill = self._spill
        assert spill is not None
        if spill.offset + spill.count >= _SPILL_MOST or self._spilled() >= _SPILL_MOST:
            return False  # what comes next begins a new file, once the old ones may be given back
        try:
            if os.pwrite(spill.fd, part, spill.offset + spill.count) != len(part):
                return False
        except OSError:
            return False
        spill.count += len(part)
        return True

    def _spilled(self) -> int:
        return sum(part.count for part in self._parts if isinstance(part, FilePart) and part.spilled)

    # The leader

    def flush(self) -> bool:
        """Send on what waits; whether the client took anything."""
        assert self._room is not None
        taken = False
        with self._room:
            left = _FLUSH_MOST
            while self._parts and left > 0 and not self.broken:
                try:
                    sent = self._send_first()
                    left -= sent
                except BlockingIOError:
                    break
                except OSError:
                    self.broken = True
                    break
                taken = taken or sent > 0
            self.waiting = bool(self._parts) and not self.broken
            self._room.notify_all()
        return taken

    def _send_first(self) -> int:
        part = self._parts[0]
        if isinstance(part, FilePart):
            part.check()
            sent = self._transport.send_file(part.fd, part.offset, min(part.count, FILE_MOST))
            if not sent:
                raise OSError("the file has shrunk")
            part.offset += sent
            part.count -= sent
            if not part.count:
                os.close(part.fd)
                self._parts.popleft()
                self._spill = None if self._spill is part else self._spill
            return sent
        sent = self._transport.send(memoryview(part)[:FILE_MOST])
        self._memory -= sent
        self._held.add(-sent)
        if sent == len(part):
            self._parts.popleft()
        else:
            self._parts[0] = memoryview(part)[sent:]
        return sent

    def held(self) -> int:
        """Octets that wait in memory."""
        return self._memory

    def spill(self) -> None:
        """Move what waits to disk: the worker holds too much for clients that do not read. Any thread."""
        if self._room is not None:
            with self._room:
                if self._memory and not self.broken:
                    self._to_disk()

    def close(self) -> None:
        """Nothing will be sent any more. Wakes a producer that waits for room."""
        self.broken = True
        self.kept = None
        self._ask = _ask_nobody  # without this way back, a closed connection is no cycle for the collector
        if self._room is None:
            return
        with self._room:
            for part in self._parts:
                if isinstance(part, FilePart):
                    os.close(part.fd)
            self._parts.clear()
            self._held.add(-self._memory)
            self._memory = 0
            self.waiting = False
            self._room.notify_all()
