"""STATIC.md S19: the open-file cache, and files that change between requests and while they are sent."""

import gc
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static.answer import SMALL, read_small
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.cache import Cache, Descriptor, Entry
from pronghorn.wsgi.file_wrapper import FilePart, FileWrapper
from tests.apps.static import harness
from tests.apps.static.harness import environ_of, forgetting, get, write
from tests.serving import CutOff, head, serving, until

LARGE = 8 << 20
"""More than the sockets of one connection hold, so that a client that does not read stops the server."""


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 1 << 20])
def test_s19_every_size_over_a_socket(root: Path, size: int) -> None:
    content = os.urandom(size)
    write(root, "f", content)
    with serving(Static(root)) as server, server.connect() as client:
        for _ in range(3):
            answer = client.ask(head("GET", "/f"))
            assert (answer.status, answer.body, answer.one("content-length")) == (200, content, str(size))
            assert client.ask(head("HEAD", "/f")).one("content-length") == str(size)
            assert client.ask(head("GET", "/f", f"If-None-Match: {answer.one('etag')}")).status == 304
            if size > 2:
                part = client.ask(head("GET", "/f", "Range: bytes=1-"))
                assert (part.status, part.body) == (206, content[1:])
                parts = client.ask(head("GET", "/f", "Range: bytes=1-,0-0"))
                assert parts.status == 206 and content[1:] in parts.body
        assert server.log == ""


def test_s19_http_1_0_and_pipelines(root: Path) -> None:
    content = os.urandom(200_000)
    write(root, "f", content)
    with serving(Static(root)) as server:
        with server.connect() as client:
            assert client.ask(head("GET", "/f", version="1.0")).body == content
            client.assert_end()
        with server.connect() as client:
            client.send(
                head("GET", "/f") + head("GET", "/file.txt") + head("GET", "/f", "Range: bytes=-5") * 2
            )
            bodies = [client.read_answer().body for _ in range(4)]
            assert bodies == [content, b"content of the file", content[-5:], content[-5:]]


def test_s19_a_file_replaced_while_it_is_sent(root: Path) -> None:
    """It finishes from the old inode; the next request gets the new one."""
    old, new = b"o" * LARGE, b"n" * 5000
    write(root, "f", old)
    with serving(forgetting(root)) as server, server.connect() as client:
        client.send(head("GET", "/f"))
        first = client.read_until(b"\r\n\r\n")
        write(root, "new", new)
        os.replace(root / "new", root / "f")
        assert client._take(LARGE, b"") == old
        assert b"Content-Length: %d\r\n" % LARGE in first
        assert client.ask(head("GET", "/f")).body == new


def test_s19_a_file_deleted_while_it_is_sent(root: Path) -> None:
    write(root, "f", b"x" * LARGE)
    with serving(forgetting(root)) as server, server.connect() as client:
        client.send(head("GET", "/f"))
        client.read_until(b"\r\n\r\n")
        (root / "f").unlink()
        assert client._take(LARGE, b"") == b"x" * LARGE
        assert client.ask(head("GET", "/f")).status == 404


def test_s19_a_file_that_shrinks_ends_the_connection(root: Path) -> None:
    write(root, "f", b"x" * LARGE)
    with serving(Static(root)) as server, server.connect() as client:
        client.send(head("GET", "/f"))
        client.read_until(b"\r\n\r\n")
        os.truncate(root / "f", 1000)
        with pytest.raises((CutOff, ConnectionResetError)):
            client._take(LARGE, b"")
        assert server.get("/f").body == b"x" * 1000


def test_s19_a_file_that_grows_while_it_is_sent(root: Path) -> None:
    path = write(root, "f", b"x" * LARGE)
    with serving(Static(root)) as server, server.connect() as client:
        client.send(head("GET", "/f"))
        client.read_until(b"\r\n\r\n")
        with path.open("ab") as file:
            file.write(b"y" * 1000)
        assert client._take(LARGE, b"") == b"x" * LARGE
        assert client.ask(head("GET", "/f")).body == b"x" * LARGE + b"y" * 1000


def test_s19_a_large_file_is_looked_at_before_each_answer(root: Path) -> None:
    """Its length is announced before it is read: what the cache knows may be a second old."""
    path = write(root, "f", b"x" * 100_000)
    app = Static(root)
    assert len(get(app, "/f").body) == 100_000
    os.truncate(path, 99_999)
    assert len(get(app, "/f").body) == 99_999
    os.truncate(path, 10)
    assert get(app, "/f").body == b"x" * 10
    first = get(forgetting(root), "/f").etag
    with path.open("ab") as file:
        file.write(b"y" * 90_000)
    answer = get(forgetting(root), "/f")
    assert len(answer.body) == 90_010 and answer.etag != first


class Clock:
    """Stands for time.monotonic."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pronghorn.apps.static.app.monotonic", clock)
    monkeypatch.setattr("pronghorn.apps.static.cache.monotonic", clock)
    return clock


def test_s19_what_is_known_is_a_second_old_at_most(root: Path, clock: Clock) -> None:
    app = Static(root)
    assert get(app, "/new").status == 404
    assert get(app, "/file.txt").body == b"content of the file"
    write(root, "new", "here")
    write(root, "file.txt", "other")
    clock.now += 0.99
    assert get(app, "/new").status == 404
    assert get(app, "/file.txt").body == b"content of the file"
    clock.now += 0.02
    assert get(app, "/new").body == b"here"
    assert get(app, "/file.txt").body == b"other"


def test_s19_a_known_file_costs_no_system_call(
    root: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    app = Static(root)
    for path in ("/file.txt", "/nothing", "/sub", "/sub/"):
        get(app, path)
    with monkeypatch.context() as patch:
        patch.setattr("pronghorn.apps.static.lookup.View.__init__", None)
        patch.setattr(os, "fstat", None)
        found = {path: get(app, path).status for path in ("/file.txt", "/nothing", "/sub", "/sub/")}
    assert found == {"/file.txt": 200, "/nothing": 404, "/sub": 301, "/sub/": 200}


def test_s19_what_middleware_adds_stays_with_its_answer(root: Path) -> None:
    app = Static(root)
    given: list[list[tuple[str, str]]] = []
    for _ in range(2):
        app(environ_of("/file.txt"), lambda status, fields, exc_info=None: given.append(fields))
        given[-1].append(("X-More", "1"))
    assert [name for name, _ in given[1]].count("X-More") == 1


def test_s19_the_cache_is_bounded(root: Path) -> None:
    app = Static(root, cache_entries=10, cache_memory=300_000)
    for number in range(100):
        write(root, f"small{number}", b"x" * 60_000)
        assert get(app, f"/small{number}").status == 200
        assert get(app, f"/nothing{number}").status == 404
        assert len(app._entries) <= 10
        assert app._cache._octets <= 300_000
    get(app, "/" + "x" * 1000)
    assert "/" + "x" * 1000 not in app._entries


def test_s19_descriptors_are_bounded_and_given_back(root: Path) -> None:
    before = descriptors()
    app = Static(root)
    app._cache._descriptors_most = 5
    for number in range(20):
        write(root, f"large{number}", b"x" * 70_000)
        assert get(app, f"/large{number}").status == 200
        assert descriptors() <= before + 5
    app._cache.clear()
    assert descriptors() == before


def test_s19_what_is_too_old_is_let_go(root: Path, clock: Clock) -> None:
    """A descriptor keeps a deleted file on the disk."""
    before = descriptors()
    app = Static(root)
    for number in range(3):
        write(root, f"large{number}", b"x" * 70_000)
        get(app, f"/large{number}")
    assert descriptors() == before + 3
    clock.now += 1.5
    get(app, "/file.txt")
    assert descriptors() == before


def test_s19_nothing_leaks(root: Path) -> None:
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to(root / "file.txt")
    (root / "out").symlink_to("../secret.txt")
    write(root, "large", b"x" * 70_000)
    write(root, "large.gz", b"x" * 69_000)
    write(root, "bare/x", "")
    app = forgetting(root, listing=True)
    before = descriptors()
    paths = [
        "/",
        "/file.txt",
        "/file.txt/",
        "/sub",
        "/sub/",
        "/bare/",
        "/fifo",
        "/link",
        "/out",
        "/large",
        "/no/x",
    ]
    for path in paths:
        for more in ({}, {"range": "bytes=0-1,4-5"}, {"accept_encoding": "gzip"}, {"method": "HEAD"}):
            get(app, path, **more)
            assert descriptors() == before, path


def test_s19_an_entry_that_leaves_the_cache_lives_until_its_answer_ends(root: Path) -> None:
    write(root, "large", b"x" * 200_000)
    app = Static(root)
    before = descriptors()
    body = iter(app(environ_of("/large"), lambda *_: None))
    taken = len(next(body))
    app._cache.clear()
    (root / "large").unlink()
    assert descriptors() == before + 1
    assert taken + sum(map(len, body)) == 200_000
    del body
    assert descriptors() == before


def test_s19_other_servers_get_blocks_and_no_lie_about_the_length(root: Path) -> None:
    path = write(root, "large", b"x" * 200_000)
    body = iter(Static(root)(environ_of("/large"), lambda *_: None))
    next(body)
    os.truncate(path, 100)
    with pytest.raises(OSError, match="shrunk"):
        list(body)


def test_s19_ours_gets_the_descriptor(root: Path) -> None:
    write(root, "large", b"x" * 200_000)
    environ = environ_of("/large", range="bytes=5-9") | {"wsgi.file_wrapper": FileWrapper}
    body = Static(root)(environ, lambda *_: None)
    assert type(body) is FileWrapper
    region = body.region()
    assert region is not None and region[1:] == (5, 5)
    assert b"".join(body) == b"xxxxx"


def test_a_part_of_a_file_reads_from_where_it_is(root: Path) -> None:
    path = write(root, "f", b"0123456789")
    part = FilePart(Descriptor(os.open(path, os.O_RDONLY)), 3, 5)
    assert part.read(2) == b"34"
    assert part.region()[1:] == (5, 3)
    assert (part.read(100), part.read(100)) == (b"567", b"")


class TestQuick:
    """What the I/O thread may answer itself."""

    @pytest.fixture
    def app(self, root: Path) -> Static:
        write(root, "large", b"x" * 200_000)
        return Static(root, fallback=lambda environ, start_response: [b"app"])

    @pytest.mark.parametrize(
        "path,more,quick",
        [
            ("/file.txt", {}, True),
            ("/large", {}, True),
            ("/large", {"range": "bytes=0-5"}, True),
            ("/large", {"range": "bytes=0-5,9-9"}, False),
            ("/file.txt", {"range": "bytes=0-1,3-4"}, True),
            ("/sub", {}, True),
            ("/nothing", {}, False),
            ("/a\\b", {}, False),
            ("/file.txt", {"method": "POST"}, False),
            ("/file.txt", {"method": "OPTIONS"}, True),
            ("/nothing", {"method": "OPTIONS"}, False),
        ],
    )
    def test_what_is_quick(self, app: Static, path: str, more: dict[str, str], quick: bool) -> None:
        environ = environ_of(path, **more) | {"wsgi.file_wrapper": FileWrapper}
        before = dict(environ)
        found = app.quick(environ)
        assert environ == before
        assert (found is not None) == quick
        if found is not None:
            given: list[str] = []
            b"".join(found(environ, lambda status, fields, exc_info=None: given.append(status)))
            assert harness.get(app, path, **more).status == int(given[0][:3])

    def test_without_a_fallback_refusals_are_quick(self, root: Path) -> None:
        for path in ("/nothing", "/a\\b", "/.env"):
            assert Static(root).quick(environ_of(path)) is not None
        assert Static(root, listing=True).quick(environ_of("/")) is None

    def test_it_never_raises(self, app: Static, monkeypatch: pytest.MonkeyPatch) -> None:
        assert app.quick({}) is None
        monkeypatch.setattr(app._places, "find", None)
        assert app.quick(environ_of("/file.txt")) is None


def test_s19_a_small_file_that_changes_while_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read again; one that never rests is sent as what was read."""
    path = write(root, "f", b"a" * 100)
    pread = os.pread
    changes: Iterator[bytes] = iter([b"b" * 50, b"c" * 200])

    def changing(fd: int, count: int, offset: int) -> bytes:
        block = pread(fd, count, offset)
        if (new := next(changes, None)) is not None:
            path.write_bytes(new)
        return block

    monkeypatch.setattr(os, "pread", changing)
    answer = get(Static(root), "/f")
    assert answer.body == b"c" * 200
    changes = iter([b"x" * (100 + number) for number in range(50)])
    answer = get(forgetting(root), "/f")
    assert len(answer.body) == int(answer.one("content-length") or -1)
    assert answer.etag.startswith("W/")
    changes = iter([b"y" * (SMALL + 5)])
    assert get(forgetting(root), "/f").body == b"y" * (SMALL + 5)


def test_read_small_leaves_large_files_alone(root: Path) -> None:
    path = write(root, "f", b"x" * (SMALL + 1))
    fd = os.open(path, os.O_RDONLY)
    assert read_small(fd, os.fstat(fd))[0] is None
    os.close(fd)


SECONDS = 10.0 if os.environ.get("PRONGHORN_LONG") else 1.0


@pytest.mark.parametrize("sizes", [(3000, 4000), (90_000, 300_000), (60_000, 100_000)])
@pytest.mark.parametrize("remember", [True, False])
def test_s19_files_replaced_under_many_threads(root: Path, sizes: tuple[int, int], remember: bool) -> None:
    """Each answer is one whole version, with its own length and entity tag."""
    app = Static(root) if remember else forgetting(root)
    versions = {bytes([65 + index]) * size for index, size in enumerate(sizes)}
    for index, version in enumerate(sorted(versions)):
        write(root, f"version{index}", version, age=index)
    write(root, "f", min(versions))
    end = time.monotonic() + SECONDS / 2
    wrong: list[Any] = []
    tags: set[tuple[str, bytes]] = set()

    def ask() -> None:
        while time.monotonic() < end and not wrong:
            try:
                answer = get(app, "/f")
                if answer.status != 200 or answer.body not in versions:
                    wrong.append((answer.status, len(answer.body), answer.body[:1], answer.body[-1:]))
                tags.add((answer.etag, answer.body[:1]))
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    number = 0
    while time.monotonic() < end:
        number += 1
        os.link(root / f"version{number % 2}", root / "new")
        os.replace(root / "new", root / "f")
        if number % 5 == 0:
            app._cache.clear()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(tags) == len({tag for tag, _ in tags})


def test_s19_files_written_in_place_over_sockets(root: Path) -> None:
    """Truncated, grown, deleted: never a length that is not kept, never 500; at worst the connection ends."""
    path = write(root, "f", "first")
    with serving(Static(root, cache_seconds=0.01), threads=2) as server:
        end = time.monotonic() + SECONDS
        statuses: set[int] = set()

        def ask() -> None:
            while time.monotonic() < end:
                try:
                    statuses.add(server.get("/f").status)
                except (CutOff, ConnectionResetError):
                    pass

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        number = 0
        while time.monotonic() < end:
            number += 1
            path.write_bytes(b"x" * (number * 7919 % 3_000_000))
            if number % 3 == 0:
                os.truncate(path, number * 104_729 % 100_000)
            if number % 7 == 0:
                path.unlink()
        for thread in threads:
            thread.join()
        assert statuses <= {200, 404}
        assert 200 in statuses
        assert "Traceback" not in server.log


def test_s19_an_evicted_entry_is_counted_once() -> None:
    cache = Cache(1.0, 2, 1 << 20)
    for _ in range(3):
        for path in ("/a", "/b", "/c"):
            cache.put(path, Entry(None, 1000, 2))
    assert len(cache.entries) == 2 and cache._descriptors == 4
    cache.drop("/c")
    cache.drop("/c")
    assert cache._descriptors == 2
    cache.clear()
    assert cache._octets == cache._descriptors == 0


def test_s19_served_while_all_threads_are_busy_is_the_servers_part(root: Path) -> None:
    """Here only: what `quick` gives can be called in another thread than the one that asked."""
    app = Static(root)
    found = app.quick(environ_of("/file.txt"))
    assert found is not None
    done: list[bytes] = []
    thread = threading.Thread(target=lambda: done.extend(found(environ_of("/file.txt"), lambda *_: None)))
    thread.start()
    until(lambda: bool(done), "an answer in another thread")
    thread.join()
    assert done == [b"content of the file"]
