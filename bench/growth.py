"""How cost grows: each series is a profile asked at several sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench import pages
from bench.profiles import Fields, Profile

FEW = ("pronghorn", "compiled", "bjoern", "fastpysgi", "granian", "uwsgi", "gunicorn", "floor")
THREADED = ("pronghorn", "compiled", "granian", "waitress", "cheroot", "gunicorn")
SEVERAL = ("pronghorn", "compiled", "granian", "uwsgi", "gunicorn")

SIZES = (0, 1024, 65536, 1 << 20, 10_000_000)
THREADS = (1, 4, 16, 64)
ROUNDS = 2
VARIANTS = 17  # prime to the number of clients, so that each client's next request differs from its last


def points() -> tuple[Profile, ...]:
    """All points of all series."""
    return (*_connections(), *_lines(), *_differing(), *_requests(), *_responses(), *_threads(), *_workers())


def _point(series: str, x: int, title: str, servers: tuple[str, ...] = FEW) -> Profile:
    return Profile(
        f"{series}-{x}", f"{title}: {x:,}", series=series, x=x, servers=servers, seconds=1, rounds=ROUNDS
    )


def _connections() -> Iterator[Profile]:
    for x in (1, 10, 100, 1000, 10_000):
        # Opening 10,000 takes most of a second, which is part of what is measured.
        seconds = 4 if x > 1000 else 1
        yield replace(_point("connections", x, "hello, open connections"), connections=x, seconds=seconds)


def _lines() -> Iterator[Profile]:
    for x in (1, 10, 50, 100, 200):
        fields = _fields(x - 1, "the same each time, as clients do")
        yield replace(_point("lines", x, "header lines, equal each time"), fields=fields)


def _differing() -> Iterator[Profile]:
    for x in (10, 50, 100, 200):
        point = _point("lines-differ", x, "header lines, each of them different each time")
        yield replace(point, fields=_fields(x - 1, "{id}"), rotate=VARIANTS)


def _fields(count: int, value: str) -> Fields:
    """The Host line is one more."""
    return tuple((f"X-Line-{number:03}", value) for number in range(count))


def _requests() -> Iterator[Profile]:
    for x in SIZES:
        point = replace(_point("request-body", x, "bytes of request body"), connections=8, body=x)
        yield replace(point, app="post", answer=b"%d" % x) if x else point


def _responses() -> Iterator[Profile]:
    for x in SIZES:
        point = _point("response-body", x, "bytes of response body")
        yield replace(point, connections=8, app="sized", path=f"/{x}", answer=b"x" * x)


def _threads() -> Iterator[Profile]:
    for x in THREADS:
        yield replace(_point("threads", x, "hello, threads", THREADED), mode="threaded", threads=x)
    for x in THREADS:
        point = _point("threads-wait", x, "an application that waits 10 ms, threads", THREADED)
        # With one thread, 64 clients wait for 640 ms each: a newcomer, too.
        yield replace(point, mode="threaded", threads=x, app="rest", newcomers=False)


def _workers() -> Iterator[Profile]:
    for x in (1, 2):
        yield replace(_point("workers", x, "hello, worker processes", SEVERAL), mode="several", workers=x)
    for x in (1, 2):
        point = _point("workers-django", x, "the Django page, worker processes", SEVERAL)
        yield replace(
            point,
            mode="several",
            workers=x,
            connections=16,
            app="bench.apps_django:app",
            answer=pages.expected(),
        )
