"""What one request, or one that nobody makes any more, may cost: time, memory, descriptors."""

import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static import cache, listing, places
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.lookup import PATH_MAX
from tests.apps.static.harness import environ_of, get, write


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class TestListing:
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "_ENTRIES_MOST", 5)

    def test_s05_a_large_directory_is_not_read_to_its_end(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for number in range(20):
            write(root, f"many/{number}", "x")
            write(root, f"many/.{number}", "x")
        scandir, read = os.scandir, []

        class Counting:
            """Stands for what os.scandir returns."""

            def __init__(self, directory: int) -> None:
                self.entries = scandir(directory)

            def __enter__(self) -> "Counting":
                return self

            def __exit__(self, *_: object) -> None:
                self.entries.close()

            def __iter__(self) -> Iterator[Any]:
                return self

            def __next__(self) -> Any:
                read.append(1)
                return next(self.entries)

        monkeypatch.setattr(os, "scandir", Counting)
        page = get(Static(root, listing=True), "/many/", accept="text/html")
        assert page.status == 200 and b"only 5 names are listed" in page.body
        assert len(read) <= 6
        assert get(Static(root, listing=True), "/many/").one("content-type") == "application/json"

    def test_s05_a_page_that_is_complete_does_not_say_so(self, root: Path) -> None:
        for number in range(5):
            write(root, f"five/{number}", "x")
        page = get(Static(root, listing=True), "/five/", accept="text/html")
        assert page.body.count(b"<tr><td>") == 6 and b"names are listed" not in page.body


def test_s07_a_path_that_nothing_can_open_is_not_even_split(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """64 KiB of thousands of segments would hold up all other clients for milliseconds."""
    app = Static(root, try_=("$path", "$path.html", "/index.html"))
    monkeypatch.setattr(places, "components", None)
    monkeypatch.setattr("pronghorn.apps.static.app.is_malformed", None)
    for path in ("/x" * 32_000, "/" * 64_000, "/%" * 32_000, "/a\\" * 20_000, "/" + "x" * PATH_MAX):
        assert get(app, path).status == 404
        assert app.quick(environ_of(path)) is not None
    fallback = Static(root, fallback=lambda environ, start_response: [])
    assert fallback.quick(environ_of("/x" * 32_000)) is None


def test_s12_several_ranges_of_more_than_a_mebibyte_are_the_whole_file(root: Path) -> None:
    """They would pass through a thread or a temporary file; the whole file passes through neither."""
    content = os.urandom(3 << 20)
    write(root, "f", content)
    app = Static(root)
    most = 1 << 20
    answer = get(app, "/f", range=f"bytes=0-{most - 1},2000000-2000000")
    assert (answer.status, answer.body == content) == (200, True)
    assert answer.one("content-range") is None and answer.one("content-length") == str(len(content))
    answer = get(app, "/f", range=f"bytes=0-{most - 2},2000000-2000000")
    assert answer.status == 206 and str(answer.one("content-type")).startswith("multipart/byteranges")
    assert get(app, "/f", range=f"bytes=0-{2 * most}").status == 206


def test_s19_descriptors_are_bounded_for_all_roots_together(root: Path) -> None:
    """A process has one limit, however many routes it has."""
    cache.give_back()
    before = descriptors()
    apps = [Static(root) for _ in range(3)]
    for app in apps:
        app._cache._descriptors_most = 5
    for number in range(8):
        write(root, f"large{number}", b"x" * 70_000)
        for app in apps:
            assert get(app, f"/large{number}").status == 200
            assert descriptors() <= before + 5
            assert 0 < sum(app._cache._descriptors for app in apps) <= 5


class _Crowd(weakref.WeakSet[Any]):
    """Another thread makes a Static at the moment somebody looks at all of them."""

    root: Path
    made: list[Static]

    def __iter__(self) -> Iterator[Any]:
        for each in super().__iter__():
            if not self.made:
                self.made.append(Static(self.root))
            yield each


def test_s19_a_root_may_be_added_while_files_are_served(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = _Crowd()
    monkeypatch.setattr(cache, "_caches", crowd)
    crowd.root, crowd.made = root, []
    app = Static(root)
    write(root, "large", b"x" * 70_000)
    for look in (cache.forget_old, cache.give_back, lambda: get(app, "/large").status == 200):
        crowd.made = []
        assert look() is not False
        assert crowd.made, "it looked at all"


def test_s19_what_nobody_asks_for_is_let_go_when_others_are_asked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted file must not stay on the disk because its own root has no requests any more."""
    now = 1000.0
    for module in ("app", "cache"):
        monkeypatch.setattr(f"pronghorn.apps.static.{module}.monotonic", lambda: now)
    before = descriptors()
    first, second = Static(root), Static(root)
    write(root, "large", b"x" * 70_000)
    get(first, "/large")
    (root / "large").unlink()
    assert descriptors() == before + 1
    get(second, "/file.txt")
    assert descriptors() == before + 1, "it is not old yet"
    now += 1.5
    get(second, "/nothing")
    assert descriptors() == before
