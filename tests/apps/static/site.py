"""What the numbered checks ask: one server, with one tree of files mounted in several ways.

@check(7, "S1", "A name in UTF-8 is found.")
def _(site: Site) -> None:
    assert site.get("/%C3%BC.txt").status == 200
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pronghorn.apps.mount import Mount
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.cache import forget_old
from pronghorn.apps.static.sendfile import SendFile
from tests.apps.static.harness import write
from tests.serving import Answer, Server, serving

LARGE = 300_000
"""More than is kept in memory: sent from a descriptor."""
NAVIGATION = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"
REFUSED = (400, 404)
TEXT = "a line of text that repeats\n" * 100
DATE = "Sun, 09 Sep 2001 01:46:40 GMT"
"""When all files of the tree were changed: LONG_AGO."""


class Site:
    """The server, and the tree that it serves."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server = server
        self.root = root

    def get(self, target: str, *fields: str, method: str = "GET") -> Answer:
        return self.server.get(target, *fields, method=method)

    def both(self, target: str, *fields: str) -> tuple[Answer, Answer]:
        """The same of a small file, held in memory, and of a large one, sent from its descriptor."""
        return self.get(target, *fields), self.get("/large.bin", *fields)


class Check(NamedTuple):
    """One row of the list."""

    number: int
    clause: str
    says: str
    run: Callable[[Site], None]


CHECKS: list[Check] = []


def check(number: int, clause: str, says: str) -> Callable[[Callable[[Site], None]], None]:
    """Adds what it decorates to the list."""

    def add(run: Callable[[Site], None]) -> None:
        CHECKS.append(Check(number, clause, says, run))

    return add


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Names the file that is its query, and otherwise itself."""
    query = environ["QUERY_STRING"]
    field = [(name, value) for name, _, value in [query.partition("=")] if value]
    start_response("200 OK", [*field, ("Content-Type", "text/plain")])
    return [b"the application"]


class Files:
    """The server's side of files (serve/routing.py): the thread that leads sends them."""

    largest_body = 0

    def __init__(self, mount: Mount) -> None:
        self.quick = mount.quick

    def body_limit(self, environ: Any) -> int:
        raise AssertionError("nobody has a limit")

    def rest(self) -> None:
        forget_old()


@contextmanager
def running(tmp_path: Path) -> Iterator[Site]:
    """The site, while its server runs."""
    root = tmp_path / "root"
    plant(tmp_path, root)
    mount = Mount(mounted(tmp_path, root))

    def prepare(worker: Any) -> None:
        worker.routing = Files(mount)

    with serving(mount, threads=2, prepare=prepare) as server:
        yield Site(server, root)
        assert "defect" not in server.log and "Traceback" not in server.log


def mounted(tmp_path: Path, root: Path) -> dict[Any, Any]:
    walking = Static(root)
    for one in walking._places._roots:
        one.openat2 = False
    spa = ("$path", "$path.html", "$path/index.html", "/index.html")
    private = str(tmp_path / "private")
    return {
        "/": Static(
            root,
            cors="fonts",
            cache={"/img/**": 3600, "*.{hash}.css": "immutable", "text/csv": "no-store"},
            headers={"*.pdf": {"X-Robots-Tag": "noindex"}},
        ),
        "/fresh": Static(root, cache_seconds=0),
        "/walk": walking,
        "/open": Static(root, hidden="allow"),
        "/list": Static(root, listing=True),
        "/follow": Static(root, symlinks="follow"),
        "/deny": Static(root, symlinks="deny"),
        "/turning": Static(tmp_path / "current", cache_seconds=0),
        "/spa": Static(root, try_=spa),
        "/two": Static([str(root / "sub"), str(root / "docs")]),
        "/front": Static(root, fallback=application, try_=("$path", "@app")),
        "/pages": Static(root, error_pages={404: "/sub/index.html", 405: "/nothing.html"}),
        "/send": SendFile(application, roots=[private], internal={"/protected/": private}),
    }


def plant(tmp_path: Path, root: Path) -> None:
    """The tree. Everything in it is old."""
    root.mkdir()
    for name in ("secret.txt", "root-secret/secret.txt", "private/report.pdf"):
        write(tmp_path, name, "SECRET")
    write(root, "large.bin", bytes(range(256)) * (LARGE // 256) + b"." * (LARGE % 256))
    for name in (
        *("file.txt", "\xfc x.txt", "100%.txt", ".env", ".git/config", "sub/.hidden", ".well-known/acme"),
        *(
            "sub/index.html",
            "sub/inner.txt",
            "docs/index.html",
            "docs/only.txt",
            "bare/file",
            "a b?c/index.html",
        ),
        *("index.html", "about.html", "app.5af66c1b.js", "style.BX7f9aZq.css", "img/a.png", "a.csv", "a.pdf"),
        *(
            "a.woff2",
            "a.mjs",
            "a.wasm",
            "a.webmanifest",
            "a.avif",
            "a.jxl",
            "a.md",
            "a.unknown",
            "a",
            "page.xhtml",
        ),
        *(
            "list/<img src=x onerror=alert(1)>&\"'.txt",
            "list/javascript:alert(1)",
            "list/.hidden",
            "list/plain",
        ),
    ):
        write(root, name, f"content of {name}")
    write(root, "packed.js", TEXT)
    for ending in (".zst", ".br", ".gz"):
        write(root, f"packed.js{ending}", f"packed{ending}")
        write(root, f"worse.js{ending}", TEXT * 2)
        write(root, f"stale.js{ending}", "stale", age=1)
    write(root, "worse.js", TEXT)
    write(root, "stale.js", TEXT)
    plant_others(tmp_path, root)


def plant_others(tmp_path: Path, root: Path) -> None:
    """Links, and what is no file."""
    os.mkfifo(root / "fifo")
    os.mknod(root / "socket", 0o140600)
    for name, target in {
        "inside": "file.txt",
        "inside-dir": "sub",
        "absolute": str(root / "sub/inner.txt"),
        "out": "../secret.txt",
        "out-dir": "../root-secret",
        "told": "../secret.txt",
        "chain": "out",
        "loop": "loop",
        "dangling": "nowhere",
        "zero": "/dev/zero",
        "magic": f"/proc/self/fd/../root{tmp_path}/secret.txt",
        "list/link-out": "../../secret.txt",
    }.items():
        (root / name).symlink_to(target)
    (tmp_path / "current").symlink_to("root")


@contextmanager
def logged() -> Iterator[list[str]]:
    """What Static says meanwhile."""
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("pronghorn.error")
    log.addHandler(handler)
    try:
        yield lines
    finally:
        log.removeHandler(handler)


def pipelined(site: Site, *requests: bytes) -> list[Answer]:
    """All on one connection."""
    with site.server.connect() as client:
        client.send(b"".join(requests))
        return [client.read_answer(request.split(b" ", 1)[0].decode()) for request in requests]
