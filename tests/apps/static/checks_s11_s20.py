"""Checks 52 to 95 of static behaviour: conditions, ranges, codings, header fields, what is tried, speed."""

import gzip
import os
import re
import subprocess
import sys

import pytest

from pronghorn.apps.static.app import Static
from pronghorn.apps.static.compress import compress
from tests.apps.static.harness import write
from tests.apps.static.site import DATE, LARGE, NAVIGATION, TEXT, Site, check, pipelined
from tests.serving import Client, CutOff, head, serving, until

EARLIER = "Sun, 09 Sep 2001 01:46:39 GMT"
LATER = "Sun, 09 Sep 2001 01:46:41 GMT"
OTHER_DATES = ("Sunday, 09-Sep-01 01:46:40 GMT", "Sun Sep  9 01:46:40 2001")


def status(site: Site, *fields: str) -> int:
    """Of the small and of the large file, which behave alike."""
    one, other = site.both("/file.txt", *fields)
    assert one.status == other.status, fields
    return one.status


def with_tags(site: Site, field: str) -> set[int]:
    """The statuses of both files; `@` stands for the opaque tag of each."""
    found = set()
    for target in ("/file.txt", "/large.bin"):
        tag = str(site.get(target).one("etag"))
        found.add(site.get(target, field.replace("@", tag)).status)
    return found


# S11: conditions


@check(52, "S11", "If-None-Match: the entity tag is 304, another one 200.")
def _(site: Site) -> None:
    assert with_tags(site, "If-None-Match: @") == {304}
    assert status(site, 'If-None-Match: "other"') == 200


@check(53, "S11", "It is a list, compared weakly, and `*` is any.")
def _(site: Site) -> None:
    assert with_tags(site, 'If-None-Match: "a,b" , W/@, "c"') == {304}
    assert status(site, "If-None-Match: *") == 304


@check(54, "S11", "If-Modified-Since: not changed after it is 304; changed after it is 200.")
def _(site: Site) -> None:
    assert status(site, f"If-Modified-Since: {DATE}") == status(site, f"If-Modified-Since: {LATER}") == 304
    assert status(site, f"If-Modified-Since: {EARLIER}") == 200


@check(55, "S11", "All three formats of dates are read, and what is none is ignored.")
def _(site: Site) -> None:
    for date in OTHER_DATES:
        assert status(site, f"If-Modified-Since: {date}") == 304
    for date in ("yesterday", "2001-09-09T01:46:40Z", ""):
        assert status(site, f"If-Modified-Since: {date}") == 200


@check(56, "S11", "If-Modified-Since is ignored beside If-None-Match.")
def _(site: Site) -> None:
    assert status(site, 'If-None-Match: "other"', f"If-Modified-Since: {LATER}") == 200


@check(57, "S11", "If-Match: another tag is 412, and a weak one, too.")
def _(site: Site) -> None:
    assert with_tags(site, 'If-Match: "other", @') == {200} == {status(site, "If-Match: *")}
    assert with_tags(site, "If-Match: W/@") == {412} == {status(site, 'If-Match: "other"')}


@check(58, "S11", "If-Unmodified-Since: changed after it is 412, unless If-Match decides.")
def _(site: Site) -> None:
    assert status(site, f"If-Unmodified-Since: {EARLIER}") == 412
    assert status(site, f"If-Unmodified-Since: {DATE}") == 200
    assert status(site, f"If-Unmodified-Since: {EARLIER}", "If-Match: *") == 200


@check(59, "S11", "If-Range: the strong tag or the exact date gives the range; anything else the whole file.")
def _(site: Site) -> None:
    for target in ("/file.txt", "/large.bin"):
        tag = site.get(target).one("etag")
        found = [
            site.get(target, "Range: bytes=0-1", f"If-Range: {one}").status
            for one in (tag, DATE, f"W/{tag}", '"other"', LATER, EARLIER, "nonsense")
        ]
        assert found == [206, 206, 200, 200, 200, 200, 200]


@check(60, "S11", "Conditions come before ranges.")
def _(site: Site) -> None:
    assert status(site, "If-None-Match: *", "Range: bytes=0-1") == 304
    assert status(site, 'If-Match: "other"', "Range: bytes=0-1") == 412


# S12: ranges


@check(61, "S12", "One range is 206 with Content-Range.")
def _(site: Site) -> None:
    for answer, size in zip(site.both("/file.txt", "Range: bytes=3-9"), (19, LARGE), strict=True):
        assert (answer.status, answer.one("content-range")) == (206, f"bytes 3-9/{size}")
        assert (len(answer.body), answer.one("content-length")) == (7, "7")


@check(62, "S12", "It may be open, or count from the end.")
def _(site: Site) -> None:
    assert site.get("/file.txt", "Range: bytes=11-").body == b"file.txt"
    assert site.get("/file.txt", "Range: bytes=-4").body == b".txt"
    assert len(site.get("/large.bin", f"Range: bytes={LARGE - 5}-").body) == 5


@check(63, "S12", "The unit is `bytes` in any case; another one is ignored.")
def _(site: Site) -> None:
    assert status(site, "Range: BYTES=0-1") == 206
    assert status(site, "Range: seconds=0-1") == status(site, "Range: bytes 0-1") == 200


@check(64, "S12", "A malformed range is ignored.")
def _(site: Site) -> None:
    for field in (
        "bytes=",
        "bytes=-",
        "bytes=5-3",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=0x1-2",
        "0-1",
        "bytes=1",
    ):
        assert status(site, f"Range: {field}") == 200, field


@check(65, "S12", "What begins behind the end, and the last 0 octets, are 416 with the length.")
def _(site: Site) -> None:
    for field in ("bytes=999999-", "bytes=-0", "bytes=999999-,-0"):
        for answer, size in zip(site.both("/file.txt", f"Range: {field}"), (19, LARGE), strict=True):
            assert (answer.status, answer.one("content-range")) == (416, f"bytes */{size}")


@check(66, "S12", "Numbers of any size are clamped.")
def _(site: Site) -> None:
    nines = "9" * 5000
    assert site.get("/file.txt", f"Range: bytes=0-{nines}").one("content-range") == "bytes 0-18/19"
    assert site.get("/file.txt", f"Range: bytes=-{nines}").one("content-range") == "bytes 0-18/19"
    assert status(site, f"Range: bytes={nines}-") == 416


@check(67, "S12", "Several ranges are multipart/byteranges with the right length.")
def _(site: Site) -> None:
    for answer, size in zip(site.both("/file.txt", "Range: bytes=0-2,-3"), (19, LARGE), strict=True):
        kind = re.fullmatch("multipart/byteranges; boundary=([0-9a-f]+)", str(answer.one("content-type")))
        assert answer.status == 206 and kind and answer.one("content-range") is None
        assert answer.body.count(kind[1].encode()) == 3 and answer.body.endswith(b"--\r\n")
        assert answer.body.count(b"Content-Range: bytes 0-2/%d\r\n" % size) == 1


@check(
    68,
    "S12",
    "More than sixteen, or overlapping ones longer than the file, are the whole; HEAD has no ranges.",
)
def _(site: Site) -> None:
    many = ",".join(f"{number}-{number}" for number in range(0, 34, 2))
    assert status(site, f"Range: bytes={many}") == 200
    assert status(site, "Range: bytes=0-,0-,0-") == 200
    answer = site.get("/file.txt", "Range: bytes=0-1", method="HEAD")
    assert (answer.status, answer.one("content-length")) == (200, "19")


# S13: precompressed siblings


def coding(site: Site, accept: str | None, target: str = "/packed.js") -> str:
    """What is sent: "zstd", "br", "gzip", "" for the file itself, or the status of a refusal."""
    answer = site.get(target, *([] if accept is None else [f"Accept-Encoding: {accept}"]))
    assert answer.one("vary") in ("Accept-Encoding", "Accept-Encoding, Accept", "Accept, Accept-Encoding")
    return str(answer.status) if answer.status != 200 else answer.one("content-encoding") or ""


@check(69, "S13", "A sibling is sent to who takes its coding, with the type of the file.")
def _(site: Site) -> None:
    assert [coding(site, one) for one in ("gzip", "br", "zstd", "x-gzip", "deflate", None)] == [
        *("gzip", "br", "zstd", "gzip"),
        *("", ""),
    ]
    answer = site.get("/packed.js", "Accept-Encoding: br")
    assert (answer.body, answer.one("content-type")) == (b"packed.br", "text/javascript; charset=utf-8")


@check(70, "S13", "The highest weight wins, then the server's order; weight 0 is never.")
def _(site: Site) -> None:
    assert coding(site, "gzip, deflate, br, zstd") == "zstd"
    assert coding(site, "gzip;q=1, br;q=0.9, zstd;q=0.5") == "gzip"
    assert coding(site, "gzip;q=0, br;q=0.001") == "br"
    assert coding(site, "gzip;q=0") == ""


@check(71, "S13", "`*` is any coding that is not named.")
def _(site: Site) -> None:
    assert coding(site, "*") == "zstd"
    assert coding(site, "*, zstd;q=0") == "br"


@check(72, "S13", "`identity;q=0` wants a coding; 406 where there is none that may be sent.")
def _(site: Site) -> None:
    assert coding(site, "identity;q=0, gzip") == "gzip"
    assert coding(site, "identity;q=0") == coding(site, "*;q=0") == "406"
    assert coding(site, "identity, gzip;q=0.5") == ""


@check(73, "S13", "A sibling that is older than its file, or not smaller, is not sent.")
def _(site: Site) -> None:
    assert coding(site, "zstd, br, gzip", "/stale.js") == ""
    assert coding(site, "zstd, br, gzip", "/worse.js") == ""


@check(74, "S13", "Every answer of such a path says Vary: 200 of the file itself, 206, 304, 406, 412, 416.")
def _(site: Site) -> None:
    found = {}
    for field in ("X: y", "Range: bytes=0-1", "If-None-Match: *", 'If-Match: "x"', "Range: bytes=-0"):
        answer = site.get("/packed.js", field)
        found[answer.status] = "Accept-Encoding" in str(answer.one("vary"))
    assert found == {200: True, 206: True, 304: True, 412: True, 416: True}
    assert site.get("/file.txt", "Accept-Encoding: gzip").one("vary") is None


@check(75, "S13", "Ranges are of the coding that is sent.")
def _(site: Site) -> None:
    answer = site.get("/packed.js", "Accept-Encoding: gzip", "Range: bytes=-3")
    assert (answer.status, answer.body, answer.one("content-encoding")) == (206, b".gz", "gzip")
    assert answer.one("content-range") == "bytes 6-8/9"


# S14: 304 and 416


@check(76, "S14", "304 has ETag, Cache-Control, Vary and Date, as the 200 would have.")
def _(site: Site) -> None:
    for accept in ("gzip", "br", "identity"):
        whole = site.get("/packed.js", f"Accept-Encoding: {accept}")
        answer = site.get("/packed.js", f"Accept-Encoding: {accept}", f"If-None-Match: {whole.one('etag')}")
        assert answer.status == 304
        for name in ("etag", "cache-control", "vary"):
            assert answer.one(name) == whole.one(name) is not None
        assert str(answer.one("date")).endswith(" GMT")


@check(77, "S14", "304 has no content, and no field that describes one; HEAD gets the same.")
def _(site: Site) -> None:
    for method in ("GET", "HEAD"):
        answer = site.get("/packed.js", "If-None-Match: *", "Accept-Encoding: gzip", method=method)
        assert answer.status == 304
        for name in (
            "content-type",
            "content-length",
            "content-encoding",
            "transfer-encoding",
            "last-modified",
        ):
            assert answer.one(name) is None


@check(78, "S14", "416 has Content-Range, of the coding, and none of the file's validators.")
def _(site: Site) -> None:
    answer = site.get("/packed.js", "Range: bytes=500-", "Accept-Encoding: gzip")
    assert (answer.status, answer.one("content-range")) == (416, "bytes */9")
    assert answer.one("etag") is answer.one("last-modified") is answer.one("content-encoding") is None
    assert str(answer.one("content-type")).startswith("text/plain") and answer.one("date")


@check(79, "S14", "The connection goes on behind 304, 412 and 416.")
def _(site: Site) -> None:
    fields = ("If-None-Match: *", 'If-Match: "x"', "Range: bytes=-0", "X: y")
    answers = pipelined(site, *(head("GET", "/large.bin", field) for field in fields))
    assert [answer.status for answer in answers] == [304, 412, 416, 200]
    assert len(answers[3].body) == LARGE


# S15: types


@check(80, "S15", "The type is from a table of the server's own.")
def _(site: Site) -> None:
    types = {
        "/a.mjs": "text/javascript; charset=utf-8",
        "/a.wasm": "application/wasm",
        "/a.webmanifest": "application/manifest+json",
        "/a.avif": "image/avif",
        "/a.jxl": "image/jxl",
        "/a.woff2": "font/woff2",
        "/a.md": "text/markdown; charset=utf-8",
        "/a.csv": "text/csv; charset=utf-8",
        "/a.pdf": "application/pdf",
    }
    assert {target: site.get(target).one("content-type") for target in types} == types


@check(81, "S15", "What is not in it is application/octet-stream.")
def _(site: Site) -> None:
    for target in ("/a.unknown", "/a", "/large.bin"):
        assert site.get(target).one("content-type") == "application/octet-stream"


@check(82, "S15", "Every answer says nosniff.")
def _(site: Site) -> None:
    found = set()
    for method, target, field in (
        *(("GET", "/file.txt", "X: y"), ("GET", "/large.bin", "Range: bytes=0-1"), ("GET", "/sub", "X: y")),
        *(
            ("GET", "/file.txt", "If-None-Match: *"),
            ("GET", "/file.txt", 'If-Match: "x"'),
            ("GET", "/no", "X: y"),
        ),
        *(("POST", "/file.txt", "X: y"), ("OPTIONS", "/file.txt", "X: y"), ("GET", "/%00", "X: y")),
        *(("GET", "/file.txt", "Range: bytes=-0"), ("GET", "/packed.js", "Accept-Encoding: *;q=0")),
    ):
        answer = site.get(target, field, method=method)
        assert answer.one("x-content-type-options") == "nosniff", target
        found.add(answer.status)
    assert found >= {200, 204, 206, 301, 304, 404, 405, 406, 412, 416}


# S16: Cache-Control and more fields


@check(83, "S16", "A name with a content hash is immutable for a year; HTML is asked for anew each time.")
def _(site: Site) -> None:
    year = "public, max-age=31536000, immutable"
    assert site.get("/app.5af66c1b.js").one("cache-control") == year
    assert site.get("/about.html").one("cache-control") == "no-cache"
    assert site.get("/page.xhtml").one("cache-control") == "no-cache"
    assert site.get("/file.txt").one("cache-control") == "public, max-age=60"


@check(84, "S16", "Rules by glob and by MIME type say otherwise.")
def _(site: Site) -> None:
    assert site.get("/img/a.png").one("cache-control") == "public, max-age=3600"
    assert "immutable" in str(site.get("/style.BX7f9aZq.css").one("cache-control"))
    assert site.get("/a.csv").one("cache-control") == "no-store"


@check(85, "S16", "More fields by glob; other origins may read fonts, and nothing else.")
def _(site: Site) -> None:
    assert site.get("/a.pdf").one("x-robots-tag") == "noindex"
    assert site.get("/a.csv").one("x-robots-tag") is None
    assert site.get("/a.woff2").one("access-control-allow-origin") == "*"
    assert site.get("/a.csv").one("access-control-allow-origin") is None


# S17: what is tried


@check(86, "S17", "The file, the file with an ending, the directory's page: the first that there is.")
def _(site: Site) -> None:
    for target, name in (("/about", "about.html"), ("/docs", "docs/index.html"), ("/file.txt", "file.txt")):
        assert site.get("/spa" + target).body == f"content of {name}".encode()


@check(
    87, "S17", "A page stands for navigations only: a missing script is 404. Both say that Accept decides."
)
def _(site: Site) -> None:
    page = site.get("/spa/deep/link", NAVIGATION)
    assert (page.status, page.body) == (200, b"content of index.html")
    others = [site.get("/spa/deep/link", "Accept: */*"), site.get("/spa/deep/link")]
    assert [other.status for other in others] == [404, 404]
    assert {answer.one("vary") for answer in (page, *others)} == {"Accept"}
    assert site.get("/spa/missing.js", NAVIGATION).status == 404


@check(88, "S17", "Several roots in order, and an application behind them.")
def _(site: Site) -> None:
    assert site.get("/two/index.html").body == b"content of sub/index.html"
    assert site.get("/two/only.txt").body == b"content of docs/only.txt"
    assert site.get("/front/file.txt").body == b"content of file.txt"
    assert site.get("/front/nothing").body == b"the application"


# S18: error pages, X-Sendfile


@check(89, "S18", "Error pages by status, with the status kept and no validators of the page's.")
def _(site: Site) -> None:
    answer = site.get("/pages/nothing", "If-None-Match: *", "Range: bytes=0-1")
    assert (answer.status, answer.body) == (404, b"content of sub/index.html")
    assert answer.one("etag") is answer.one("accept-ranges") is None
    assert site.get("/pages/file.txt", method="POST").status == 405


@check(90, "S18", "X-Sendfile and X-Accel-Redirect send what is below the allowed roots, and nothing else.")
def _(site: Site) -> None:
    private = site.root.parent / "private"
    for field in (f"X-Sendfile={private}/report.pdf", "X-Accel-Redirect=/protected/report.pdf"):
        answer = site.get(f"/send?{field}")
        assert (answer.status, answer.body) == (200, b"SECRET")
        assert "report" not in str([value for name, value in answer.fields if name != "Content-Type"])
        assert site.get(f"/send?{field}", "Range: bytes=0-1").body == b"SE"
    for field in (
        f"X-Sendfile={private}/../secret.txt",
        "X-Sendfile=/etc/hostname",
        "X-Accel-Redirect=/file.txt",
    ):
        assert site.get(f"/send?{field}").status == 404


# S19: files that change, and speed


@check(91, "S19", "A file that is replaced or deleted while it is sent is finished as it was.")
def _(site: Site) -> None:
    old = b"o" * (8 << 20)
    path = write(site.root, "replaced", old)
    with site.server.connect() as client:
        client.send(head("GET", "/fresh/replaced"))
        client.read_until(b"\r\n\r\n")
        os.replace(write(site.root, "replacing", "new"), path)
        assert client._take(len(old), b"") == old
        assert client.ask(head("GET", "/fresh/replaced")).body == b"new"


@check(92, "S19", "One that shrinks ends the connection: the length that was promised is not made up.")
def _(site: Site) -> None:
    path = write(site.root, "shrinking", b"x" * (8 << 20))
    with site.server.connect() as client:
        client.send(head("GET", "/fresh/shrinking"))
        client.read_until(b"\r\n\r\n")
        os.truncate(path, 1000)
        with pytest.raises((CutOff, ConnectionResetError)):
            client._take(8 << 20, b"")


@check(93, "S19", "What is known of a path is used again, without a look at the disk, for a second at most.")
def _(site: Site) -> None:
    write(site.root, "remembered", "one")
    with serving(Static(site.root, cache_seconds=0.05)) as server:
        assert server.get("/remembered").body == b"one"
        write(site.root, "remembered", "two")
        until(lambda: server.get("/remembered").body == b"two", "the new content")
    targets = ("/file.txt", "/nothing", "/sub")
    before = [site.get(target).status for target in targets]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pronghorn.apps.static.lookup.View.__init__", None)
        assert [site.get(target).status for target in targets] == before


# S20: the command line


@check(94, "S20", "`pronghorn compress` writes siblings that are then sent, the same for the same input.")
def _(site: Site) -> None:
    written = []
    for name in ("first", "second"):
        write(site.root, f"{name}/app.js", TEXT)
        write(site.root, f"{name}/small.txt", "small")
        compress(str(site.root / name))
        written.append((site.root / name / "app.js.gz").read_bytes())
    assert written[0] == written[1]
    assert not (site.root / "first/small.txt.gz").exists()
    answer = site.get("/first/app.js", "Accept-Encoding: gzip")
    assert (answer.one("content-encoding"), gzip.decompress(answer.body)) == ("gzip", TEXT.encode())


@check(95, "S20", "`pronghorn static DIR` serves a folder in one line.")
def _(site: Site) -> None:
    command = [
        sys.executable,
        "-m",
        "pronghorn",
        "static",
        str(site.root),
        "--bind",
        "127.0.0.1:0",
        "--no-master",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as child:
        try:
            assert child.stderr is not None
            said = b""
            while (port := re.search(rb"http://127\.0\.0\.1:(\d+)", said)) is None:
                line = child.stderr.readline()
                assert line, said
                said += line
            with Client(("127.0.0.1", int(port[1]))) as client:
                assert client.ask(head("GET", "/file.txt")).body == b"content of file.txt"
        finally:
            child.kill()
