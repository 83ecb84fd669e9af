"""Path variants against a root with a secret beside it: no octet from outside, no 500, no exception, no hang.

PRONGHORN_LONG=1 tries a million of them, PRONGHORN_SEED repeats a run.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static import lookup
from pronghorn.apps.static.app import Static
from pronghorn.http.h1.head import percent_decoded
from tests.apps.static.harness import call, environ_of, write
from tests.serving import CutOff, head, serving

COUNT = 1_000_000 if os.environ.get("PRONGHORN_LONG") else 20_000
SEED = int(os.environ.get("PRONGHORN_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
SECRET = b"SECRET"
LONGEST = 10.0
"""Seconds for one request: opening a FIFO would take forever."""

NAMES = [
    "file.txt", "FILE.TXT", "sub", "inner.txt", "index.html", "fifo", "fifo2", "inside", "outside", "parent",
    "absolute", "absolute-in", "loop", "dangling", "self", "secret.txt", "root", "root-secret", "root2", ".hidden",
    ".git", "config", ".well-known", "ü", "a b", "app.js", "app.js.gz", "app.js.br", "etc", "passwd", "proc",
    "self", "dev", "stdin", "x" * 255, "x" * 256, "socket", "large", "closed", "CON", "nul", "file.txt::$DATA", "~",
]  # fmt: skip
DOTS = ["..", ".", "...", "..;", ". .", ".. ", " ..", "..\0", "..%00", "%2e%2e", "%2E.", ".%2e", "%252e%252e",
        "%c0%ae%c0%ae", "%e0%80%ae", "%uff0e", "\uff0e\uff0e", "..\\", "..%5c", "..%255c", "%2e%2e%5c"]  # fmt: skip
SLASHES = [
    "/",
    "/",
    "/",
    "/",
    "//",
    "/./",
    "\\",
    "%2f",
    "%2F",
    "%252f",
    "%5c",
    "%c0%af",
    "\u2215",
    "/;/",
    "%00/",
]
ODD = [
    "\0",
    "%00",
    "%0a",
    "%0d%0a",
    "%",
    "%%",
    "%2",
    "%zz",
    "\x7f",
    "\t",
    "?",
    "#",
    ";",
    ":",
    "*",
    "%ff",
    "%C3%BC",
    "+",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("fuzz")
    root = base / "root"
    for name in ("secret.txt", "root-secret/secret.txt", "root2/secret.txt", "root-secret/index.html"):
        write(base, name, SECRET)
    for name in ("file.txt", "sub/inner.txt", "sub/index.html", "ü", "a b", "app.js", ".well-known/file.txt"):
        write(root, name, "public " * 20)
    for name in (".hidden", ".git/config", "sub/.hidden", ".well-known/.hidden"):
        write(root, name, SECRET)
    write(root, "app.js.gz", "public")
    write(root, "large", b"public " * 20_000)
    os.mkfifo(root / "fifo")
    os.mkfifo(root / "sub/fifo2")
    os.mkfifo(root / "app.js.br")
    for name, target in {
        "inside": "file.txt",
        "outside": "../secret.txt",
        "parent": "..",
        "absolute": str(base),
        "absolute-in": str(root / "sub"),
        "loop": "loop",
        "dangling": "nothing",
        "self": ".",
        "sub/parent": "../..",
        "sub/outside": "../../secret.txt",
        "proc": "/proc/self/root",
        "stdin": "/dev/stdin",
        "index.html": "../root-secret/index.html",
        "app.js.zst": "../secret.txt",
    }.items():
        (root / name).symlink_to(target)
    return root


def variants(count: int) -> Iterator[str]:
    """Raw request targets, as hostile clients write them."""
    pick = random.Random(SEED)
    for _ in range(count):
        parts = []
        for _ in range(pick.choice((1, 1, 2, 2, 3, 4, 7))):
            parts.append(pick.choice(SLASHES))
            parts.append(pick.choice(NAMES if pick.random() < 0.6 else DOTS))
            if pick.random() < 0.08:
                parts.append(pick.choice(ODD))
        path = "".join(parts)
        chance = pick.random()
        if chance < 0.1:
            path = "".join(
                f"%{ord(char):02x}" if char.isascii() and pick.random() < 0.5 else char for char in path
            )
        elif chance < 0.15:
            path = path.swapcase()
        elif chance < 0.2 and path:
            at = pick.randrange(len(path))
            path = path[:at] + chr(pick.randrange(256)) + path[at + 1 :]
        yield path + pick.choice(("", "", "", "/", "//", "?", "?../secret.txt"))


FIELDS: list[dict[str, str]] = [
    {},
    {},
    {"accept": "text/html"},
    {"accept_encoding": "zstd, br, gzip"},
    {"range": "bytes=0-3,5-9"},
    {"if_none_match": "*"},
    {"method": "HEAD"},
    {"method": "OPTIONS"},
]


@contextmanager
def alarm() -> Iterator[None]:
    """Whatever hangs raises."""

    def hung(*_: object) -> None:
        raise TimeoutError("a request hangs")

    before = signal.signal(signal.SIGALRM, hung)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def app(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "3"), ("X-Content-Type-Options", "nosniff")])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [b"app"]


def kinds(root: Path) -> list[Static]:
    return [
        Static(root),
        Static(root, listing=True, try_=("$path", "$path.html", "$path/", "/file.txt")),
        Static([str(root), str(root / "sub")], symlinks="deny", cache_seconds=0),
        Static(root, fallback=app, try_=("$path", "$path.html", "$path/index.html", "@app")),
        _walking(Static(root, cache_seconds=0)),
    ]


def _walking(static: Static) -> Static:
    for root in static._places._roots:
        root.openat2 = False
    return static


def test_paths_over_wsgi(root: Path) -> None:
    statics = kinds(root)
    pick = random.Random(SEED + 1)
    descriptors = len(os.listdir("/proc/self/fd"))
    with alarm():
        for target in variants(COUNT):
            path, _, query = target.partition("?")
            decoded = percent_decoded(path.encode("utf-8", "surrogateescape").decode("latin-1"))
            static = pick.choice(statics)
            environ = environ_of(decoded, query=query, **pick.choice(FIELDS))
            if pick.random() < 0.5:
                environ["REQUEST_URI"] = target
            signal.setitimer(signal.ITIMER_REAL, LONGEST)
            try:
                answer = call(static, environ)
                static.quick(environ)
            except BaseException as error:
                raise AssertionError(f"{target!r} as {decoded!r}, seed {SEED}") from error
            assert SECRET not in answer.body, (target, SEED)
            assert answer.status in (200, 204, 206, 301, 304, 400, 404, 405, 406, 416), (
                target,
                answer.status,
            )
            location = answer.one("location")
            assert location is None or (location[0] == "/" and location[1:2] != "/"), (target, location)
    for static in statics:
        static._cache.clear()
    assert len(os.listdir("/proc/self/fd")) <= descriptors + 1


def test_paths_over_a_socket(root: Path) -> None:
    """Through our own parser: what it refuses, it refuses with 400."""
    started = time.monotonic()
    with serving(Static(root, listing=True)) as server:
        client = server.connect()
        for target in variants(COUNT // 20):
            line = (
                target.encode("utf-8", "surrogateescape")
                .decode("latin-1")
                .replace("\n", "")
                .replace("\r", "")
            )
            client.send(head("GET", line or "/", "Accept: text/html"))
            try:
                answer = client.read_answer()
            except CutOff as cut:
                raise AssertionError(target) from cut
            assert SECRET not in answer.body, target
            assert answer.status in (200, 206, 301, 400, 404), (target, answer.status)
            if answer.closes:
                client.close()
                client = server.connect()
        client.close()
        assert "Traceback" not in server.log
    assert time.monotonic() - started < COUNT / 20


def test_both_ways_of_opening_agree(root: Path) -> None:
    """openat2 and the walk find the same."""
    if not lookup._has_openat2():
        pytest.skip("there is no openat2 here")
    pick = random.Random(SEED + 2)
    ways = [
        (Static(root, symlinks=way), _walking(Static(root, symlinks=way)))
        for way in ("inside", "deny", "follow")
    ]
    names = [name for name in NAMES if name not in ("proc", "stdin")]
    for _ in range(COUNT // 20):
        path = "/" + "/".join(pick.choice(names) for _ in range(pick.choice((1, 2, 3))))
        octets = path.encode().decode("latin-1")
        for one, other in ways:
            answers = [call(static, environ_of(octets)) for static in (one, other)]
            assert (answers[0].status, answers[0].body) == (answers[1].status, answers[1].body), (path, SEED)
