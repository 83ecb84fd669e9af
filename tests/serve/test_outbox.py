"""serve/outbox.py over a wire that takes what it is told to take."""

import errno
import io
import os
import tempfile
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.errors import ClientDisconnected
from pronghorn.serve import outbox as outbox_module
from pronghorn.serve.outbox import BATCH_MOST, HIGH_WATER, Outbox
from pronghorn.wsgi import spool
from tests.serve.desk import ENDLESS, Desk, descriptors, in_thread
from tests.serving import PATIENCE, until

# Sending


def test_what_the_socket_takes_does_not_wait() -> None:
    desk = Desk(100)
    desk.outbox.put(b"answer")
    assert desk.wire.taken == b"answer"
    assert not desk.outbox.waiting
    assert desk.asked == 0


def test_what_it_does_not_take_waits_in_order() -> None:
    desk = Desk(4)
    desk.outbox.put(b"first ")
    desk.outbox.put(b"second ")
    desk.outbox.put_large(b"head ", b"large")
    assert (desk.wire.taken, desk.outbox.waiting, desk.asked) == (b"firs", True, 1)
    desk.wire.room = 3
    assert desk.outbox.flush()
    assert desk.outbox.waiting
    assert not desk.outbox.flush(), "the client took nothing"
    desk.make_room(100)
    assert desk.wire.taken == b"first second head large"
    assert not desk.outbox.waiting
    desk.outbox.put(b".")
    assert desk.wire.taken.endswith(b"large.")


@pytest.mark.parametrize("room", [0, 2, 5, 7, 10])
def test_head_and_large_block_cut_anywhere(room: int) -> None:
    desk = Desk(room)
    desk.outbox.put_large(b"head:", b"block")
    desk.make_room(100)
    assert desk.wire.taken == b"head:block"


def test_the_leader_is_asked_again_when_something_waits_again() -> None:
    desk = Desk(0)
    for expected in (1, 2):
        desk.outbox.put(b"answer")
        desk.make_room(6)
        assert desk.asked == expected


# Batches


def test_a_batch_leaves_as_one() -> None:
    desk = Desk(ENDLESS)
    desk.outbox.put(b"1", more=True)
    desk.outbox.put(b"2", more=True)
    assert desk.wire.taken == b""
    desk.outbox.put(b"3")
    assert (desk.wire.taken, desk.wire.sends) == (b"123", 1)
    desk.outbox.end_batch()
    assert desk.outbox.batch is None


def test_a_batch_is_bounded() -> None:
    desk = Desk(ENDLESS)
    for _ in range(2 * BATCH_MOST // 1000):
        desk.outbox.put(b"." * 1000, more=True)
    assert len(desk.wire.taken) >= BATCH_MOST


def test_release_sends_what_has_been_answered() -> None:
    desk = Desk(ENDLESS)
    desk.outbox.put(b"1", more=True)
    desk.outbox.release()
    assert desk.wire.taken == b"1"
    desk.outbox.put(b"2", more=True)
    desk.outbox.end_batch()
    assert desk.wire.taken == b"12"


def test_a_large_answer_goes_behind_its_batch() -> None:
    desk = Desk(3)
    desk.outbox.put(b"12", more=True)
    desk.outbox.put_large(b"34", b"56")
    desk.make_room(100)
    assert desk.wire.taken == b"123456"


# Files


def test_file_parts_keep_their_place_and_their_descriptor() -> None:
    before = descriptors()
    desk = Desk(3)
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        desk.outbox.put_file(file.fileno(), 2, 6)
    desk.outbox.put(b" behind")
    assert desk.wire.taken == b"234"
    desk.make_room(1)
    desk.make_room(100)
    assert desk.wire.taken == b"234567 behind"
    assert descriptors() == before


@pytest.mark.parametrize("room", [0, 2, 4, 7, 100])
def test_what_goes_ahead_of_a_file_comes_first(room: int) -> None:
    desk = Desk(room)
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        desk.outbox.put_file(file.fileno(), 2, 6, b"head")
    assert desk.wire.ahead == [b"head"]
    while desk.outbox.waiting:
        desk.make_room(3)
    assert desk.wire.taken == b"head234567"


def test_nothing_goes_ahead_of_a_part_without_octets() -> None:
    """The system would keep it back for what follows."""
    desk = Desk(100)
    desk.outbox.put_file(-1, 0, 0, b"head")
    assert (desk.wire.taken, desk.wire.ahead) == (b"head", [])


def test_a_file_that_shrinks_is_no_complete_answer() -> None:
    desk = Desk(2)
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        desk.outbox.put_file(file.fileno(), 0, 10)
        file.truncate(4)
        desk.make_room(100)
        assert desk.outbox.broken
        with pytest.raises(ClientDisconnected):
            Desk(100).outbox.put_file(file.fileno(), 8, 2)


def test_closing_gives_descriptors_back() -> None:
    before = descriptors()
    desk = Desk(0)
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        desk.outbox.put_file(file.fileno(), 0, 10)
    desk.outbox.close()
    assert descriptors() == before
    assert not desk.outbox.waiting
    assert desk.outbox.held() == 0


def test_a_flush_is_bounded_however_fast_the_client_reads() -> None:
    """The leader has other clients: one that takes all there is must not keep it (sendfile may take 2 GiB)."""
    desk = Desk(0)
    with tempfile.TemporaryFile() as file:
        file.truncate(64 << 20)
        desk.outbox.put_file(file.fileno(), 0, 64 << 20)
    desk.make_room(ENDLESS)
    assert 0 < len(desk.wire.taken) <= 8 << 20
    assert desk.outbox.waiting
    desk.outbox.close()


# A client that is gone


@pytest.mark.parametrize(
    "send",
    [
        lambda outbox: outbox.put(b"answer"),
        lambda outbox: outbox.put_large(b"head", b"block"),
        lambda outbox: (outbox.put(b"answer", more=True), outbox.end_batch()),
    ],
)
def test_gone_while_sending(send: Callable[[Outbox], object]) -> None:
    desk = Desk(100)
    desk.wire.gone = True
    with pytest.raises(ClientDisconnected):
        send(desk.outbox)
    assert desk.outbox.broken


def test_gone_while_it_waits() -> None:
    desk = Desk(0)
    desk.outbox.put(b"answer")
    desk.wire.gone = True
    assert not desk.outbox.flush()
    assert desk.outbox.broken
    assert not desk.outbox.waiting


# A producer that is faster than its client


def test_the_producer_waits_at_the_high_water_mark() -> None:
    desk = Desk(0)
    desk.outbox.put(bytes(HIGH_WATER))
    desk.outbox.wait_for_room()
    desk.outbox.put(b"!")
    thread, ends = in_thread(desk.outbox.wait_for_room)
    thread.join(0.2)
    assert thread.is_alive(), "beyond the mark it must wait"
    desk.make_room(1)
    thread.join(PATIENCE)
    assert ends == [None]


@pytest.mark.parametrize("end", ["closed", "gone"])
def test_a_waiting_producer_hears_of_the_end(end: str) -> None:
    desk = Desk(0)
    desk.outbox.put(bytes(HIGH_WATER + 1))
    thread, ends = in_thread(desk.outbox.wait_for_room)
    if end == "closed":
        desk.outbox.close()
    else:
        desk.wire.gone = True
        desk.outbox.flush()
    thread.join(PATIENCE)
    assert isinstance(ends[0], ClientDisconnected)


# Disk


def test_short_of_threads_it_goes_to_disk() -> None:
    before = descriptors()
    desk = Desk(10, crowded=True)
    expected = b""
    for number in range(40):
        block = bytes([number]) * 100_000
        expected += block
        desk.outbox.put(block)
        desk.outbox.wait_for_room()
    assert desk.outbox.held() <= HIGH_WATER
    while desk.outbox.waiting:
        desk.make_room(777_777)
    assert desk.wire.taken == expected
    assert descriptors() == before


def test_a_producer_that_waits_already_notices_that_threads_are_short() -> None:
    desk = Desk(0)
    desk.outbox.put(bytes(HIGH_WATER + 1))
    thread, ends = in_thread(desk.outbox.wait_for_room)
    desk.crowded = True
    thread.join(PATIENCE)
    assert ends == [None]
    assert desk.outbox.held() == 0
    desk.outbox.close()


def test_the_worker_may_move_it_to_disk() -> None:
    desk = Desk(1)
    with tempfile.TemporaryFile() as file:
        file.write(b"<file>")
        file.flush()
        desk.outbox.put(b"before")
        desk.outbox.put_file(file.fileno(), 0, 6)
        desk.outbox.put(b"behind")
    desk.outbox.spill()
    assert desk.outbox.held() == 0
    desk.outbox.put(b" and more")
    desk.make_room(100)
    assert desk.wire.taken == b"before<file>behind and more"


def test_disk_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless generator and a client that does not read must not fill the disk."""
    monkeypatch.setattr(outbox_module, "_SPILL_MOST", 4 << 20)
    desk = Desk(0, crowded=True)
    produced = 0

    def produce() -> None:
        nonlocal produced
        while produced < 40 << 20:
            desk.outbox.put(bytes(65536))
            produced += 65536
            desk.outbox.wait_for_room()

    thread, ends = in_thread(produce)
    thread.join(0.3)
    waits = thread.is_alive()
    desk.outbox.close()
    thread.join(PATIENCE)
    assert waits, f"{produced >> 20} MiB were taken, though only {4} may lie on disk and 1 in memory"
    assert isinstance(ends[0], ClientDisconnected)


def octets_on_disk() -> int:
    """Of unlinked files that this process has open."""
    sizes = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{name}").endswith(" (deleted)"):
                status = os.fstat(int(name))
                sizes[status.st_ino] = status.st_blocks * 512
        except OSError:
            pass  # it was the directory's own
    return sum(sizes.values())


def test_disk_is_given_back_as_the_client_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long download to a client that is always a little behind must not grow a file for ever."""
    monkeypatch.setattr(outbox_module, "_SPILL_MOST", 4 << 20)
    before = octets_on_disk()
    desk = Desk(0, crowded=True)
    desk.outbox.put(bytes(2 << 20))
    desk.outbox.wait_for_room()
    most = 0
    for _ in range(512):  # 32 MiB
        desk.outbox.put(bytes(65536))
        desk.outbox.wait_for_room()
        desk.make_room(65536)
        desk.wire.taken = b""
        most = max(most, octets_on_disk() - before)
    desk.outbox.close()
    assert most <= 12 << 20


class FullFile(io.FileIO):
    left = 100

    def write(self, data: Any) -> int:
        self.left -= len(data)
        if self.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return len(data)


def full_disk(*_: Any, **__: Any) -> Any:
    """A temporary file on a disk that has 100 octets left."""
    return FullFile(os.devnull, "r+b")


def test_a_full_disk_costs_no_descriptor_and_no_octet(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(0)
    desk.outbox.put(b"small")
    desk.outbox.put(b"large" * 100)
    monkeypatch.setattr(spool, "temporary_file", full_disk)
    before = descriptors()
    for _ in range(10):
        desk.outbox.spill()
    assert descriptors() == before
    while desk.outbox.waiting:
        desk.make_room(10_000)
    assert desk.wire.taken == b"small" + b"large" * 100


def test_a_full_disk_makes_the_producer_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "temporary_file", full_disk)
    desk = Desk(0, crowded=True)
    desk.outbox.put(bytes(HIGH_WATER + 1))
    thread, ends = in_thread(desk.outbox.wait_for_room)
    thread.join(0.2)
    assert thread.is_alive()
    desk.make_room(ENDLESS)
    thread.join(PATIENCE)
    assert ends == [None]


# Any order of everything

ACTION = st.one_of(
    st.tuples(st.just("put"), st.integers(1, 50)),
    st.tuples(st.just("more"), st.integers(1, 50)),
    st.tuples(st.just("large"), st.integers(1, 50)),
    st.tuples(st.just("file"), st.integers(1, 50)),
    st.tuples(st.just("room"), st.integers(1, 60)),
    st.tuples(st.just("spill"), st.just(0)),
    st.tuples(st.just("release"), st.just(0)),
)


@given(st.integers(0, 60), st.lists(ACTION, max_size=30))
def test_every_octet_once_and_in_order(room: int, actions: list[tuple[str, int]]) -> None:
    desk = Desk(room)
    outbox = desk.outbox
    source = bytes(range(256)) * 8
    expected = b""
    with tempfile.TemporaryFile() as file:
        file.write(source)
        file.flush()
        for action, size in actions:
            at = len(expected) % 256
            block = source[at : at + size]
            if action == "room":
                desk.wire.room += size
                if outbox.waiting:
                    outbox.flush()
                continue
            if action == "put":
                outbox.put(block)
            elif action == "more":
                outbox.put(block, more=True)
            elif action == "large":
                outbox.put_large(block[:1], block[1:])
            elif action == "file":
                outbox.put_file(file.fileno(), at, size)
            elif action == "spill":
                outbox.spill()
            else:
                outbox.release()
            expected += block
            assert expected.startswith(desk.wire.taken)
        outbox.end_batch()
        while outbox.waiting:
            desk.make_room(ENDLESS)
        assert desk.wire.taken == expected
        assert not outbox.waiting
        outbox.close()


def test_owner_and_leader_at_the_same_time() -> None:
    """One thread adds, another flushes: all arrives, in order."""
    desk = Desk(0)
    blocks = [b"%06d" % number * 300 for number in range(3000)]

    def produce() -> None:
        for block in blocks:
            desk.outbox.put(block)
            desk.outbox.wait_for_room()

    thread, ends = in_thread(produce)
    until(lambda: _drain(desk, ends), "the end of the answer")
    thread.join(PATIENCE)
    assert ends == [None]
    assert desk.wire.taken == b"".join(blocks)


def _drain(desk: Desk, ends: list[BaseException | None]) -> bool:
    desk.wire.room = 50_000
    if desk.outbox.waiting:
        desk.outbox.flush()
    return bool(ends) and not desk.outbox.waiting
