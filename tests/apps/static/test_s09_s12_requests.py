"""STATIC.md S9 to S12: methods, entity tags, conditions, ranges."""

import os
import time
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from wsgiref.handlers import SimpleHandler
from wsgiref.validate import validator

import pytest

from pronghorn.apps.static.app import Static
from pronghorn.apps.static.conditional import matches
from pronghorn.apps.static.dates import http_date, parse_http_date
from pronghorn.apps.static.ranges import RANGES_MOST, parse_ranges
from tests.apps.static.harness import LONG_AGO, Answer, call, environ_of, forgetting, get, write

EXACT = "Sun, 09 Sep 2001 01:46:40 GMT"
BEFORE = "Sun, 09 Sep 2001 01:46:39 GMT"
AFTER = "Sun, 09 Sep 2001 01:46:41 GMT"
DIGITS = b"0123456789"


def fallback(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "3"), ("X-Content-Type-Options", "nosniff")])
    return [b"app"] if environ["REQUEST_METHOD"] != "HEAD" else []


# S9


@pytest.mark.parametrize("path", ["/file.txt", "/sub/", "/sub", "/nothing", "/large"])
def test_s09_head_is_get_without_content(root: Path, path: str) -> None:
    write(root, "large", b"x" * 100_000)
    app = Static(root)
    one, other = get(app, path), get(app, path, method="HEAD")
    assert (one.status, one.fields) == (other.status, other.fields)


def test_s09_options(root: Path) -> None:
    answer = get(Static(root), "/file.txt", method="OPTIONS")
    assert (answer.status, answer.one("allow")) == (204, "GET, HEAD, OPTIONS")
    assert answer.one("content-length") is None


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "get", "PROPFIND"])
def test_s09_other_methods(root: Path, method: str) -> None:
    answer = get(Static(root), "/file.txt", method=method)
    assert (answer.status, answer.one("allow")) == (405, "GET, HEAD, OPTIONS")
    assert get(Static(root, fallback=fallback), "/file.txt", method=method).body == b"app"


def test_s09_options_of_what_is_no_file_are_the_applications(root: Path) -> None:
    app = Static(root, fallback=fallback)
    assert get(app, "/file.txt", method="OPTIONS").status == 204
    assert get(app, "/nothing", method="OPTIONS").body == b"app"


# S10


def test_s10_entity_tag(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root, "a.txt", "one")
    first = get(forgetting(root), "/a.txt").etag
    assert first.startswith('"') and first.endswith('"')
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    assert get(forgetting(root), "/a.txt").etag == first
    monkeypatch.undo()
    time.tzset()
    write(root, "a.txt", "one", age=1)
    assert get(forgetting(root), "/a.txt").etag != first, "one nanosecond earlier"
    write(root, "a.txt", "onetwo")
    assert get(forgetting(root), "/a.txt").etag != first, "another size"
    path.write_text("new")
    assert get(forgetting(root), "/a.txt").etag.startswith('W/"'), "it may change again at once"


def test_s10_last_modified_is_never_in_the_future(root: Path) -> None:
    path = write(root, "a.txt", "one")
    ahead = time.time() + 100_000
    os.utime(path, (ahead, ahead))
    said = get(Static(root), "/a.txt").one("last-modified")
    assert said is not None
    parsed = parse_http_date(said, time.time())
    assert parsed is not None and parsed <= time.time()
    assert get(Static(root), "/a.txt", if_modified_since=http_date(int(time.time()) + 10)).status == 304


# S11


@pytest.fixture
def file(root: Path) -> Path:
    return write(root, "f", DIGITS)


TAG = "<tag>"  # stands for the file's


def asked(root: Path, method: str = "GET", **fields: str) -> Answer:
    app = Static(root)
    etag = get(app, "/f").etag
    return get(app, "/f", method=method, **{name: value.replace(TAG, etag) for name, value in fields.items()})


CONDITIONS = [
    ({"if_match": TAG}, 200),
    ({"if_match": "*"}, 200),
    ({"if_match": '"x"'}, 412),
    ({"if_match": f'"x", {TAG}'}, 200),
    ({"if_match": f"W/{TAG}"}, 412),
    ({"if_match": ""}, 412),
    ({"if_match": TAG, "if_unmodified_since": BEFORE}, 200),
    ({"if_match": '"x"', "if_none_match": TAG}, 412),
    ({"if_unmodified_since": EXACT}, 200),
    ({"if_unmodified_since": AFTER}, 200),
    ({"if_unmodified_since": BEFORE}, 412),
    ({"if_unmodified_since": "yesterday"}, 200),
    ({"if_none_match": TAG}, 304),
    ({"if_none_match": f"W/{TAG}"}, 304),
    ({"if_none_match": "*"}, 304),
    ({"if_none_match": " * "}, 304),
    ({"if_none_match": '"x"'}, 200),
    ({"if_none_match": f'"x","y" , W/{TAG}'}, 304),
    ({"if_none_match": f'"a,b", ,{TAG}'}, 304),
    ({"if_none_match": "x"}, 200),
    ({"if_none_match": f"x, {TAG}"}, 304),
    ({"if_none_match": '"x", *'}, 200),
    ({"if_none_match": TAG, "if_unmodified_since": BEFORE}, 412),
    ({"if_none_match": '"x"', "if_modified_since": AFTER}, 200),
    ({"if_none_match": "", "if_modified_since": AFTER}, 200),
    ({"if_modified_since": EXACT}, 304),
    ({"if_modified_since": AFTER}, 304),
    ({"if_modified_since": BEFORE}, 200),
    ({"if_modified_since": "Sunday, 09-Sep-01 01:46:40 GMT"}, 304),
    ({"if_modified_since": "Sun Sep  9 01:46:40 2001"}, 304),
    ({"if_modified_since": "Sun Sep  9 01:46:39 2001"}, 200),
    ({"if_modified_since": "1000000000"}, 200),
    ({"if_modified_since": "Sun, 09 Sep 2001 01:46:40 +0000"}, 200),
    ({"if_modified_since": "Sun, 09 Sep 2001 01:46:40 CEST"}, 200),
    ({"if_modified_since": f"{EXACT}, {EXACT}"}, 200),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("fields,status", CONDITIONS)
def test_s11_conditions(root: Path, file: Path, fields: dict[str, str], status: int, method: str) -> None:
    assert asked(root, method, **fields).status == status


def test_s11_a_weak_tag_never_matches_strongly(root: Path) -> None:
    (root / "f").write_bytes(DIGITS)
    assert asked(root, if_match=TAG).status == 412
    assert asked(root, if_none_match=TAG).status == 304
    assert asked(root, range="bytes=0-1", if_range=TAG).status == 200


IF_RANGES = [
    (TAG, 206),
    ('"x"', 200),
    (f"W/{TAG}", 200),
    (EXACT, 206),
    (AFTER, 200),
    (BEFORE, 200),
    ("Sun Sep  9 01:46:40 2001", 206),
    ("*", 200),
    ("nonsense", 200),
    (f"{TAG}, {TAG}", 200),
]


@pytest.mark.parametrize("if_range,status", IF_RANGES)
def test_s11_if_range(root: Path, file: Path, if_range: str, status: int) -> None:
    answer = asked(root, range="bytes=2-3", if_range=if_range)
    assert answer.status == status
    assert answer.body == (b"23" if status == 206 else DIGITS)


def test_s11_conditions_come_before_ranges(root: Path, file: Path) -> None:
    assert asked(root, range="bytes=0-1", if_none_match=TAG).status == 304
    assert asked(root, range="bytes=99-", if_match='"x"').status == 412
    assert asked(root, range="bytes=99-", if_range='"x"').status == 200
    assert asked(root, if_range=TAG).status == 200


def test_s11_lists_are_read_in_linear_time() -> None:
    for hostile in ('"' * 60_000, ", " * 30_000, 'W/"' * 20_000, '"a' * 30_000, "x," * 30_000):
        started = time.process_time()
        assert not matches(hostile, '"tag"', strong=False)
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "text,seconds",
    [
        (EXACT, LONG_AGO),
        ("Sunday, 09-Sep-01 01:46:40 GMT", LONG_AGO),
        ("Friday, 01-Jan-99 00:00:00 GMT", 915148800),
        ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
        ("Wednesday, 01-Jan-70 00:00:00 GMT", 0),
        ("Sat, 29 Feb 2020 00:00:00 GMT", 1582934400),
        ("Sun, 29 Feb 2021 00:00:00 GMT", None),
        ("Sun, 31 Nov 2021 00:00:00 GMT", None),
        ("Sun, 00 Nov 2021 00:00:00 GMT", None),
        ("Sun, 01 Nov 0000 00:00:00 GMT", None),
        ("Sun, 01 Nov 2021 24:00:00 GMT", None),
        ("sun, 09 sep 2001 01:46:40 gmt", None),
        ("Sun, 9 Sep 2001 01:46:40 GMT", None),
        ("Sun, ٠9 Sep 2001 01:46:40 GMT", None),
        ("", None),
    ],
)
def test_s11_dates(text: str, seconds: int | None) -> None:
    assert parse_http_date(text, LONG_AGO) == seconds


def test_s11_two_digits_of_a_year_are_within_fifty() -> None:
    in_2030 = 1_900_000_000
    assert parse_http_date("Monday, 01-Jan-79 00:00:00 GMT", in_2030) == 3439756800
    assert parse_http_date("Monday, 01-Jan-81 00:00:00 GMT", in_2030) == 347155200


# S12


@pytest.mark.parametrize(
    "field,found",
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-", [(0, 10)]),
        ("bytes=9-", [(9, 10)]),
        ("bytes=-1", [(9, 10)]),
        ("bytes=-99", [(0, 10)]),
        ("bytes=2-99", [(2, 10)]),
        ("BYTES=2-3", [(2, 4)]),
        ("bytes=2-3 , 5-6", [(2, 4), (5, 7)]),
        ("bytes=,2-3,,", [(2, 4)]),
        ("bytes=5-6,2-3", [(5, 7), (2, 4)]),
        ("bytes=99-,2-3", [(2, 4)]),
        ("bytes=0-99999999999999999999999999999999", [(0, 10)]),
        ("bytes=0-" + "9" * 9000, [(0, 10)]),
        ("bytes=" + "0" * 9000 + "1-1", [(1, 2)]),
        ("bytes=-0", []),
        ("bytes=-00", []),
        ("bytes=10-", []),
        ("bytes=10-20,-0", []),
        ("bytes=" + "9" * 9000 + "-", []),
        ("", None),
        ("bytes", None),
        ("bytes=", None),
        ("bytes=,", None),
        ("bytes=-", None),
        ("bytes=3-2", None),
        ("bytes=3-2,0-1", None),
        ("bytes=a-b", None),
        ("bytes=0-1-2", None),
        ("bytes=--1", None),
        ("bytes=+0-1", None),
        ("bytes=0x0-1", None),
        ("bytes=1_0-", None),
        ("bytes=٠-١", None),
        ("bytes=0 - 1", None),
        ("bytes 0-1", None),
        ("bytes =0-1", None),
        ("items=0-1", None),
        ("bytes=0-5,3-9", None),
        ("bytes=0-,0-,0-", None),
        ("bytes=0-4,3-7", [(0, 5), (3, 8)]),
        ("bytes=" + ",".join(["0-0"] * RANGES_MOST), None),
        ("bytes=" + ",".join(["0-0"] * 10), [(0, 1)] * 10),
    ],
)
def test_s12_ranges(field: str, found: list[tuple[int, int]] | None) -> None:
    assert parse_ranges(field, 10) == found


def test_s12_many_ranges() -> None:
    most = ",".join(f"{2 * index}-{2 * index}" for index in range(RANGES_MOST))
    assert parse_ranges("bytes=" + most, 1000) is not None
    assert parse_ranges("bytes=" + most + ",900-", 1000) is None
    for hostile in ("0-0," * 200_000, "," * 500_000, "0-" * 200_000, "0-,-" * 100_000, "9" * 600_000):
        started = time.process_time()
        parse_ranges("bytes=" + hostile, 10)
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize(
    "field,found", [("bytes=0-", []), ("bytes=0-0", []), ("bytes=-0", []), ("bytes=-5", None)]
)
def test_s12_an_empty_file(field: str, found: Any) -> None:
    assert parse_ranges(field, 0) == found


SIZES = [10, 70_000]  # in memory, and by its descriptor


def content(size: int) -> bytes:
    return (DIGITS * (size // 10))[:size]


@pytest.mark.parametrize("size", SIZES)
def test_s12_one_range(root: Path, size: int) -> None:
    write(root, "f", content(size))
    answer = asked(root, range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert answer.one("content-range") == f"bytes 2-4/{size}"
    whole = asked(root)
    for name in ("etag", "last-modified", "cache-control", "content-type", "accept-ranges"):
        assert answer.one(name) == whole.one(name) is not None
    assert asked(root, range="bytes=-3").body == content(size)[-3:]
    assert asked(root, range=f"bytes=5-{size * 2}").body == content(size)[5:]
    assert asked(root, range="bytes=99999999-, 1-1").one("content-range") == f"bytes 1-1/{size}"


@pytest.mark.parametrize("size", SIZES)
def test_s12_several_ranges(root: Path, size: int) -> None:
    write(root, "f.html", content(size))
    answer = get(Static(root), "/f.html", range="bytes=4-5,0-1,-1")
    kind, _, boundary = (answer.one("content-type") or "").partition("; boundary=")
    assert (answer.status, kind) == (206, "multipart/byteranges")
    assert answer.one("content-range") is None
    assert answer.body.endswith(f"\r\n--{boundary}--\r\n".encode())
    parts = (b"\r\n" + answer.body).split(b"\r\n--" + boundary.encode())[1:-1]
    for part, (start, end) in zip(parts, [(4, 6), (0, 2), (size - 1, size)], strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert body == content(size)[start:end]
        assert head.split(b"\r\n")[1:] == [
            b"Content-Type: text/html; charset=utf-8",
            f"Content-Range: bytes {start}-{end - 1}/{size}".encode(),
        ]


@pytest.mark.parametrize("size", SIZES)
def test_s12_not_satisfiable(root: Path, size: int) -> None:
    write(root, "f", content(size))
    for field in (f"bytes={size}-", "bytes=-0"):
        answer = asked(root, range=field)
        assert (answer.status, answer.one("content-range")) == (416, f"bytes */{size}")


def test_s12_get_only(root: Path, file: Path) -> None:
    answer = asked(root, "HEAD", range="bytes=0-1")
    assert (answer.status, answer.one("content-length")) == (200, "10")
    assert asked(root, "HEAD", range="bytes=99-").status == 200


@pytest.mark.parametrize("field", ["items=0-1", "bytes=x", "bytes=0-1,x", "bytes=5-4"])
def test_s12_what_is_ignored(root: Path, file: Path, field: str) -> None:
    assert (asked(root, range=field).status, asked(root, range=field).body) == (200, DIGITS)


def test_s12_ranges_of_every_kind_agree_with_slices(root: Path) -> None:
    write(root, "f", content(40))
    app = Static(root)
    for start in range(0, 40, 3):
        for end in range(start, 45, 4):
            answer = call(app, environ_of("/f", range=f"bytes={start}-{end}"))
            assert answer.body == content(40)[start : end + 1]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize("path", ["/file.txt", "/large", "/sub", "/sub/", "/nothing", "/bare/"])
def test_the_standard_librarys_validator_has_nothing_to_say(root: Path, path: str, method: str) -> None:
    write(root, "large", b"x" * 100_000)
    write(root, "bare/x", "")
    app = validator(Static(root, listing=True))
    for fields in ({}, {"range": "bytes=0-3"}, {"range": "bytes=0-1,9-9"}, {"if_none_match": "*"}):
        environ = environ_of(path, method=method, **fields)
        environ |= {
            "wsgi.input": BytesIO(),
            "wsgi.errors": StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        result = app(environ, lambda status, headers, exc_info=None: lambda block: None)
        for _ in result:
            pass
        result.close()


def test_a_server_of_the_standard_library(root: Path) -> None:
    """It keeps the list of header fields and adds to it."""
    write(root, "large", b"x" * 100_000)
    app = Static(root)
    for _ in range(2):
        for path, size in (("/file.txt", 19), ("/large", 100_000)):
            output = BytesIO()
            handler = SimpleHandler(BytesIO(), output, StringIO(), environ_of(path))
            handler.run(app)
            answer, _, body = output.getvalue().partition(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.0 200 OK") and len(body) == size
            assert answer.count(b"Content-Length: %d" % size) == 1
