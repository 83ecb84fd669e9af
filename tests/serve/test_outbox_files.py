"""serve/outbox.py: a part of a file that waits, and what may happen to the file meanwhile."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.errors import ClientDisconnected
from pronghorn.serve.outbox import HIGH_WATER
from tests.serve.desk import ENDLESS, Desk
from tests.serving import head, serving

OLD = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "file"
    path.write_bytes(OLD)
    os.utime(path, (1e9, 1e9))
    yield path
    assert not [target for target in opened() if target.startswith(str(tmp_path))]


def opened() -> Iterator[str]:
    """What the descriptors of this process are of."""
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f"/proc/self/fd/{fd}")


def put_file(desk: Desk, path: Path, offset: int = 0, count: int = len(OLD)) -> None:
    with path.open("rb") as file:
        desk.outbox.put_file(file.fileno(), offset, count)


def flush_all(desk: Desk) -> None:
    """As the leader does while the socket is writable."""
    for _ in range(100):
        desk.make_room(ENDLESS)


def rewritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"abcdefghij")


def touched(path: Path) -> None:
    os.utime(path)


def emptied_and_written_again(path: Path) -> None:
    path.write_bytes(b"abcdefghij")


def shorter(path: Path) -> None:
    os.truncate(path, 9)


@pytest.mark.parametrize("change", [rewritten, touched, emptied_and_written_again, shorter])
@pytest.mark.parametrize("room", [0, 3])
def test_what_was_written_to_is_not_sent_on(path: Path, change: Callable[[Path], None], room: int) -> None:
    """One answer is never of two contents: the client sees that it is too short."""
    desk = Desk(room)
    put_file(desk, path)
    change(path)
    flush_all(desk)
    assert desk.outbox.broken and not desk.outbox.waiting
    assert desk.wire.taken == OLD[:room]
    desk.outbox.close()


def appended(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def renamed(path: Path) -> None:
    path.rename(path.with_name("other"))


def replaced(path: Path) -> None:
    path.with_name("new").write_bytes(b"abcdefghij")
    path.with_name("new").replace(path)


def linked_and_allowed(path: Path) -> None:
    path.with_name(f"link{path.stat().st_nlink}").hardlink_to(path)
    path.chmod(0o600)


@pytest.mark.parametrize("change", [appended, renamed, replaced, linked_and_allowed, Path.unlink])
def test_what_leaves_the_content_as_it_was_is_no_change(path: Path, change: Callable[[Path], None]) -> None:
    desk = Desk(3)
    put_file(desk, path)
    for _ in range(3):
        desk.make_room(1)
        if path.exists():
            change(path)
    desk.make_room(ENDLESS)
    assert desk.wire.taken == OLD
    assert not desk.outbox.broken


def test_a_log_that_is_then_rewritten(path: Path) -> None:
    """What was appended is the state that the next look is compared with."""
    desk = Desk(3)
    put_file(desk, path, 0, 8)
    appended(path)
    desk.make_room(2)
    rewritten(path)
    os.utime(path, (2e9, 2e9))
    flush_all(desk)
    assert desk.outbox.broken
    assert desk.wire.taken == OLD[:5]
    desk.outbox.close()


def test_a_write_that_has_set_the_time_and_not_yet_the_size(path: Path) -> None:
    """In the midst of appending, a file looks like one that was rewritten: it is looked at again."""
    desk = Desk(3)
    put_file(desk, path)
    touched(path)
    desk.make_room(2)
    desk.make_room(0)
    assert desk.wire.taken == OLD[:3] and desk.outbox.waiting
    appended(path)
    flush_all(desk)
    assert desk.wire.taken == OLD
    assert not desk.outbox.broken


def test_what_was_moved_to_disk_is_our_own_and_may_grow(path: Path) -> None:
    desk = Desk(0)
    desk.outbox.put(b"x" * HIGH_WATER)
    desk.outbox.spill()
    desk.make_room(5)
    desk.outbox.put(b"y" * 1000)  # written to the same file
    while desk.outbox.waiting:
        desk.make_room(ENDLESS)
    assert desk.wire.taken == b"x" * HIGH_WATER + b"y" * 1000
    desk.outbox.close()


def test_no_descriptor_left_for_what_waits(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head has been sent: nothing is left but to cut the answer off."""

    def dup(fd: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "dup", dup)
    desk = Desk(3)
    with pytest.raises(ClientDisconnected):
        put_file(desk, path)
    assert desk.outbox.broken and not desk.outbox.waiting
    assert desk.wire.taken == OLD[:3]
    whole = Desk(100)
    put_file(whole, path)
    assert whole.wire.taken == OLD


def test_a_large_file_comes_with_its_head(tmp_path: Path) -> None:
    """A head by itself would wake the client for nothing."""
    path = tmp_path / "large"
    path.write_bytes(bytes(1 << 20))

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(1 << 20))])
        return environ["wsgi.file_wrapper"](path.open("rb"))

    with serving(app) as server, server.connect() as client:
        for _ in range(20):
            client.send(head("GET", "/"))
            first = client.socket.recv(1 << 20)
            content = first.partition(b"\r\n\r\n")[2]
            assert content
            rest = (1 << 20) - len(content)
            while rest:
                rest -= len(client.socket.recv(rest))


def test_closed_while_a_part_is_about_to_wait(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader gives the client up just when the application's thread has a descriptor for its file."""
    desk = Desk(0)
    duplicate = os.dup

    def dup(fd: int) -> int:
        desk.outbox.close()
        return duplicate(fd)

    desk.outbox.put(b"something waits")
    monkeypatch.setattr(os, "dup", dup)
    put_file(desk, path)
    monkeypatch.undo()
    assert desk.outbox.held() == 0


def test_a_file_does_not_follow_what_was_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader closes the outbox between the head and the file: what waited before is lost, and so is all."""
    desk = Desk(room=4)
    desk.outbox.put(b"an earlier answer")
    desk.wire.room = ENDLESS
    fstat = os.fstat

    def give_up(fd: int) -> os.stat_result:
        desk.outbox.close()
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", give_up)
    with pytest.raises(ClientDisconnected):
        put_file(desk, path)
    assert desk.wire.taken == b"an e"
