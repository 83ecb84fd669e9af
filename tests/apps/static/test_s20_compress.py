"""STATIC.md S20, the library: siblings, deterministic, whole, and no more than needed."""

import gzip
import os
import stat
from pathlib import Path

import pytest

from pronghorn.apps.static import compress as module
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.compress import available, compress
from pronghorn.apps.static.options import CODINGS
from pronghorn.errors import ConfigError
from tests.apps.static.harness import LONG_AGO, get, write

TEXT = "a line of text that repeats\n" * 100


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_s20_what_is_written_is_what_is_served(root: Path) -> None:
    write(root, "app.js", TEXT)
    (root / "app.js").chmod(0o640)
    summary = compress(str(root))
    codings = available()
    assert summary.written == len(codings) and summary.failed == []
    assert gzip.decompress((root / "app.js.gz").read_bytes()) == TEXT.encode()
    app = Static(root)
    for coding in codings:
        answer = get(app, "/app.js", accept_encoding=coding)
        assert answer.one("content-encoding") == coding
        assert len(answer.body) < len(TEXT)
        path = root / f"app.js{CODINGS[coding]}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert path.stat().st_mtime_ns == LONG_AGO * 10**9


@pytest.mark.skipif("br" not in available(), reason="brotli is not installed")
def test_s20_brotli(root: Path) -> None:
    write(root, "app.js", TEXT)
    compress(str(root))
    assert module._brotli.decompress((root / "app.js.br").read_bytes()) == TEXT.encode()


@pytest.mark.skipif("zstd" not in available(), reason="zstd is not installed")
def test_s20_zstd(root: Path) -> None:
    write(root, "app.js", TEXT)
    compress(str(root))
    assert module._zstd.decompress((root / "app.js.zst").read_bytes()) == TEXT.encode()


def test_s20_deterministic(tmp_path: Path) -> None:
    for name in ("one", "two"):
        for index in range(5):
            write(tmp_path, f"{name}/f{index}.css", TEXT * (index + 1), age=hash(name) % 1000)
        compress(str(tmp_path / name), jobs=1 if name == "one" else 4)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")
    assert (tmp_path / "one/f0.css.gz").read_bytes()[4:8] == bytes(4), "no time in the header"


def test_s20_what_is_skipped(root: Path) -> None:
    write(root, "random.txt", os.urandom(5000))
    write(root, "photo.jpg", TEXT)
    write(root, "small.txt", "x" * 100)
    write(root, ".git/config.txt", TEXT)
    write(root, ".hidden.txt", TEXT)
    write(root, "secret-link.txt", "").unlink()
    write(root.parent, "secret.txt", TEXT)
    (root / "secret-link.txt").symlink_to("../secret.txt")
    os.mkfifo(root / "fifo.txt")
    before = tree(root)
    summary = compress(str(root))
    assert tree(root) == before
    assert summary.written == 0


def test_s20_fresh_siblings_are_left_alone(root: Path) -> None:
    write(root, "app.js", TEXT)
    first = compress(str(root))
    inode = (root / "app.js.gz").stat().st_ino
    again = compress(str(root))
    assert (again.written, again.fresh) == (0, first.written)
    assert again.files == first.files, "siblings are no sources"
    assert (root / "app.js.gz").stat().st_ino == inode
    (root / "app.js").write_text(TEXT + "more\n")
    assert compress(str(root)).written == first.written
    assert gzip.decompress((root / "app.js.gz").read_bytes()).endswith(b"more\n")


@pytest.mark.parametrize("old", [TEXT.encode(), os.urandom(5000)], ids=["text", "noise"])
def test_s20_a_rollback_brings_back_what_is_sent(root: Path, old: bytes) -> None:
    """The file has its old time again, so what was compressed of the later one is newer."""
    write(root, "app.js", TEXT + "later\n")
    compress(str(root))
    write(root, "app.js", old, age=10**9)
    compress(str(root))
    for coding in CODINGS:
        answer = get(Static(root), "/app.js", accept_encoding=coding)
        sibling = root / f"app.js{CODINGS[coding]}"
        assert answer.body == (sibling.read_bytes() if sibling.exists() else old)
        assert not sibling.exists() or sibling.stat().st_mtime_ns == LONG_AGO * 10**9 - 10**9
    if (root / "app.js.gz").exists():
        assert gzip.decompress(get(Static(root), "/app.js", accept_encoding="gzip").body) == old


def test_s20_a_source_that_changes_meanwhile_is_newer(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root, "app.js", TEXT)

    def slow(data: bytes) -> bytes:
        path.write_text("changed " * 100)
        return gzip.compress(data)

    monkeypatch.setattr(module, "_gzip", slow)
    monkeypatch.setattr(module, "_brotli", None)
    monkeypatch.setattr(module, "_zstd", None)
    assert compress(str(root)).missing == ("zstd", "br")
    assert get(Static(root), "/app.js", accept_encoding="gzip").body == b"changed " * 100


def test_s20_whole_or_not_at_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(root, "app.js", TEXT)
    before = tree(root)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    summary = compress(str(root))
    assert tree(root) == before
    assert summary.failed == [(str(root / "app.js"), "No space left on device")]


def test_s20_progress(root: Path) -> None:
    told: list[tuple[int, int]] = []
    paths = set()

    def progress(done: int, total: int, path: str) -> None:
        told.append((done, total))
        paths.add(os.path.basename(path))

    compress(str(root), jobs=2, progress=progress)
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert paths == {"file.txt", "index.html", "inner.txt"}


def test_s20_no_directory(root: Path) -> None:
    with pytest.raises(ConfigError):
        compress(str(root / "file.txt"))
