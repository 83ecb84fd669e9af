"""Compressing files ahead, for `precompressed`: `app.js` gets `app.js.gz`, `.br` and `.zst` beside it (S20).

summary = compress("dist", jobs=4, progress=lambda done, total, path: print(done, "of", total, path))

.gz needs nothing; .br needs the package `brotli`, .zst `backports.zstd` before Python 3.14.
"""

import importlib
import os
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pronghorn.apps.static.options import CODINGS
from pronghorn.apps.static.types import is_packed
from pronghorn.errors import ConfigError

Progress = Callable[[int, int, str], None]
"""Told after each file: how many are done, of how many, and which one it was."""

_LARGEST = 256 << 20
"""Arbitrary: octets of a file that is read as a whole, once for each job."""
_SMALLEST = 128
"""Arbitrary: below, the head of an answer is larger than what could be saved."""
_WORTH = 0.95
"""Unpacking costs the client something, too."""


def _optional(*names: str) -> Any:
    """The first module that is installed, or None."""
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            pass
    return None


_brotli = _optional("brotli", "brotlicffi")
_zstd = _optional("compression.zstd", "backports.zstd")


def _gzip(data: bytes) -> bytes:
    """With no time and no name in it: equal input, equal output."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31, 9)
    return packer.compress(data) + packer.flush()


def available() -> dict[str, Callable[[bytes], bytes]]:
    """Content coding to compressor, of those that can be made here."""
    found: dict[str, Callable[[bytes], bytes]] = {"gzip": _gzip}
    if _brotli is not None:
        found["br"] = lambda data: _brotli.compress(data, quality=11)
    if _zstd is not None:
        # Level 19 stays within the window of 8 MiB that browsers take (RFC 9659); more would not.
        found["zstd"] = lambda data: _zstd.compress(data, 19)
    return found


@dataclass(slots=True)
class Summary:
    """What was done."""

    files: int = 0
    """That were looked at."""
    written: int = 0
    """Compressed files that are new."""
    fresh: int = 0
    """That were there already, with the time of their source."""
    useless: int = 0
    """Files of types that are compressed already, very small or very large ones, and what did not shrink."""
    octets_before: int = 0
    octets_after: int = 0
    """Of what was written, and of its sources."""
    failed: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason."""
    missing: tuple[str, ...] = ()
    """Codings that cannot be made, because their package is not installed."""

    def add(self, other: "Summary") -> None:
        self.files += other.files
        self.written += other.written
        self.fresh += other.fresh
        self.useless += other.useless
        self.octets_before += other.octets_before
        self.octets_after += other.octets_after
        self.failed += other.failed


def compress(directory: str, *, jobs: int | None = None, progress: Progress | None = None) -> Summary:
    """Write the compressed siblings of all files below a directory. Raises ConfigError if it is none.

    jobs: files at once; None is one for each CPU. What is written appears whole or not at all. Links and
    names that begin with a dot are passed over.
    """
    if not os.path.isdir(directory):
        raise ConfigError(f"{directory!r} is no directory that could be compressed.")
    paths = sorted(_sources(directory))
    compressors = available()
    summary = Summary(missing=tuple(coding for coding in CODINGS if coding not in compressors))
    # Threads are enough: all three libraries let go of the interpreter while they compress.
    pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="compress")
    try:
        tasks = {pool.submit(_one, path, compressors): path for path in paths}
        for done, task in enumerate(as_completed(tasks), 1):
            summary.add(task.result())
            if progress is not None:
                progress(done, len(paths), tasks[task])
    finally:
        pool.shutdown(cancel_futures=True)
    summary.failed.sort()
    return summary


def _sources(directory: str) -> Iterator[str]:
    """Regular files, without those that are somebody's compressed sibling."""
    for place, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if not name.startswith(".")]
        there = set(names)
        for name in names:
            stem, ending = os.path.splitext(name)
            if not name.startswith(".") and not (ending in CODINGS.values() and stem in there):
                path = os.path.join(place, name)
                try:
                    if stat.S_ISREG(os.lstat(path).st_mode):
                        yield path
                except OSError:
                    pass  # it is gone


def _one(path: str, compressors: dict[str, Callable[[bytes], bytes]]) -> Summary:
    """All siblings of one file."""
    summary = Summary(files=1)
    try:
        status = os.stat(path)
        if is_packed(os.path.basename(path)) or not _SMALLEST <= status.st_size <= _LARGEST:
            summary.useless = 1
            return summary
        possible = [coding for coding in CODINGS if coding in compressors]
        wanted = [coding for coding in possible if not _is_fresh(path, coding, status)]
        summary.fresh = len(compressors) - len(wanted)
        if wanted:
            _write_siblings(path, {coding: compressors[coding] for coding in wanted}, summary)
    except OSError as error:
        summary.failed.append((path, error.strerror or str(error)))
    return summary


def _is_fresh(path: str, coding: str, source: os.stat_result) -> bool:
    """By the time that `_write` gives it. A newer one is of content that has been rolled back since."""
    try:
        return os.stat(path + CODINGS[coding]).st_mtime_ns == source.st_mtime_ns
    except FileNotFoundError:
        return False


def _write_siblings(path: str, compressors: dict[str, Callable[[bytes], bytes]], summary: Summary) -> None:
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        data = file.read()
    for coding, compressor in compressors.items():
        packed = compressor(data)
        if len(packed) > _WORTH * len(data):
            summary.useless += 1
            with suppress(FileNotFoundError):
                os.unlink(path + CODINGS[coding])  # of other content, and perhaps newer: it would be sent
            continue
        _write(path + CODINGS[coding], packed, status)
        summary.written += 1
        summary.octets_before += len(data)
        summary.octets_after += len(packed)


def _write(path: str, data: bytes, source: os.stat_result) -> None:
    """Through a temporary file, whose name begins with a dot: nobody is served half of it.

    It gets its source's time. Were it newer, a source that changes right now would seem to be the older one.
    """
    directory, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".new", dir=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), stat.S_IMODE(source.st_mode) & 0o666)
        os.utime(temporary, ns=(source.st_mtime_ns, source.st_mtime_ns))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
