"""STATIC.md S13 to S18: precompressed files, header fields, `try`, error pages."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static.app import Static
from pronghorn.apps.static.options import StaticOptions
from pronghorn.apps.static.precompressed import choose
from pronghorn.errors import ConfigError
from tests.apps.static.harness import environ_of, forgetting, get, write

ALL = ("zstd", "br", "gzip")


@pytest.mark.parametrize(
    "accept,present,chosen",
    [
        (None, ALL, "identity"),
        ("", ALL, "identity"),
        ("gzip", ALL, "gzip"),
        ("GZip", ALL, "gzip"),
        ("x-gzip", ALL, "gzip"),
        ("gzip, br", ALL, "br"),
        ("gzip, deflate, br, zstd", ALL, "zstd"),
        ("gzip;q=1, br;q=0.9", ALL, "gzip"),
        ("gzip;q=0.001", ALL, "gzip"),
        ("gzip;q=0", ALL, "identity"),
        ("gzip;q=0.000", ALL, "identity"),
        ("br;q=0, gzip", ALL, "gzip"),
        ("*", ALL, "zstd"),
        ("*;q=0.5, gzip", ALL, "gzip"),
        ("*, zstd;q=0", ALL, "br"),
        ("gzip;q=0.5, identity", ALL, "identity"),
        ("gzip;q=0.5, identity;q=0.5", ALL, "gzip"),
        ("identity;q=0.1, gzip;q=0.2", ALL, "gzip"),
        ("identity;q=0, gzip", ALL, "gzip"),
        ("identity;q=0", ALL, None),
        ("identity;q=0, *", ALL, "zstd"),
        ("identity;q=0, *;q=0", ALL, None),
        ("*;q=0", ALL, None),
        ("*;q=0, identity", ALL, "identity"),
        ("deflate", ALL, "identity"),
        ("gzip", (), "identity"),
        ("identity;q=0", (), None),
        ("gzip ; q=0.4 , br ; q=0.3", ALL, "gzip"),
        ("gzip;q=2", ALL, "identity"),
        ("gzip;q=0.0001, br", ALL, "br"),
        ("gzip;q=x", ALL, "identity"),
        ("gzip;level=9", ALL, "identity"),
        (",,gzip,,", ALL, "gzip"),
        ("br" * 30000, ALL, "identity"),
        ("a," * 30000 + "gzip", ALL, "identity"),
    ],
)
def test_s13_the_coding(accept: str | None, present: tuple[str, ...], chosen: str | None) -> None:
    assert choose(accept, present) == chosen


@pytest.fixture
def packed(root: Path) -> Path:
    write(root, "app.js", "source " * 100)
    write(root, "app.js.gz", "gzip content")
    write(root, "app.js.br", "br content")
    write(root, "app.js.zst", "zstd content")
    return root


def test_s13_siblings(packed: Path) -> None:
    app = Static(packed)
    tags = set()
    for accept, coding, body in [
        ("gzip", "gzip", b"gzip content"),
        ("br", "br", b"br content"),
        ("gzip, br, zstd", "zstd", b"zstd content"),
        ("", None, b"source " * 100),
    ]:
        answer = get(app, "/app.js", accept_encoding=accept)
        assert (answer.body, answer.one("content-encoding")) == (body, coding)
        assert answer.one("content-type") == "text/javascript; charset=utf-8"
        assert answer.one("vary") == "Accept-Encoding"
        tags.add(answer.etag)
        again = get(app, "/app.js", accept_encoding=accept, if_none_match=answer.etag)
        assert (again.status, again.one("vary"), again.etag) == (304, "Accept-Encoding", answer.etag)
    assert len(tags) == 4
    assert get(app, "/app.js").one("vary") == "Accept-Encoding"
    assert get(app, "/app.js.gz").one("content-encoding") is None


def test_s13_vary_on_every_answer(packed: Path) -> None:
    app = Static(packed)
    for status, fields in [
        (200, {}),
        (206, {"range": "bytes=0-1"}),
        (206, {"range": "bytes=0-1,5-6"}),
        (416, {"range": "bytes=9999-"}),
        (412, {"if_match": '"x"'}),
        (406, {"accept_encoding": "*;q=0"}),
    ]:
        answer = get(app, "/app.js", **fields)
        assert answer.status == status
        assert "Accept-Encoding" in (answer.one("vary") or "")


def test_s13_ranges_apply_to_the_coding(packed: Path) -> None:
    answer = get(Static(packed), "/app.js", accept_encoding="br", range="bytes=0-1")
    assert (answer.status, answer.body) == (206, b"br")
    assert answer.one("content-range") == "bytes 0-1/10"
    assert answer.one("content-encoding") == "br"
    assert get(Static(packed), "/app.js", accept_encoding="br", range="bytes=10-").status == 416


def test_s13_of_several_ranges_the_parts_are_coded(packed: Path) -> None:
    answer = get(Static(packed), "/app.js", accept_encoding="br", range="bytes=0-1,3-4")
    assert answer.status == 206 and answer.one("content-encoding") is None
    assert answer.body.count(b"\r\nContent-Encoding: br\r\n") == 2


def test_s13_a_stale_or_larger_sibling_is_skipped(packed: Path) -> None:
    write(packed, "app.js.zst", "stale", age=1)
    write(packed, "app.js.br", "larger " * 101)
    os.remove(packed / "app.js.gz")
    os.mkfifo(packed / "app.js.gz")
    answer = get(Static(packed), "/app.js", accept_encoding="zstd, br, gzip")
    assert (answer.one("content-encoding"), answer.body) == (None, b"source " * 100)
    assert answer.one("vary") == "Accept-Encoding"


def test_s13_a_sibling_outside_is_no_sibling(packed: Path) -> None:
    (packed / "app.js.zst").unlink()
    (packed / "app.js.zst").symlink_to("../secret.txt")
    assert get(Static(packed), "/app.js", accept_encoding="zstd").one("content-encoding") is None


def test_s13_the_server_s_order_is_an_option(packed: Path) -> None:
    app = Static(packed, precompressed=("gzip", "br"))
    assert get(app, "/app.js", accept_encoding="zstd, br, gzip").one("content-encoding") == "gzip"
    app = Static(packed, precompressed=())
    assert get(app, "/app.js", accept_encoding="gzip").one("vary") is None
    with pytest.raises(ConfigError):
        Static(packed, precompressed=("lzma",))


def test_s13_without_siblings_nothing_varies(root: Path) -> None:
    answer = get(Static(root), "/file.txt", accept_encoding="gzip")
    assert answer.one("vary") is answer.one("content-encoding") is None


def test_s14_fields_of_304(packed: Path) -> None:
    app = Static(packed, max_age=7, allow_all_origins=True)
    whole = get(app, "/app.js", accept_encoding="gzip")
    answer = get(app, "/app.js", accept_encoding="gzip", if_none_match="*")
    assert answer.status == 304
    for name in ("etag", "cache-control", "vary", "access-control-allow-origin"):
        assert answer.one(name) == whole.one(name) is not None
    for name in ("content-type", "content-length", "content-encoding", "last-modified"):
        assert answer.one(name) is None


@pytest.mark.parametrize(
    "name,kind",
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.MJS", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json"),
        ("a.js.map", "application/json"),
        ("a.wasm", "application/wasm"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.avif", "image/avif"),
        ("a.jxl", "image/jxl"),
        ("a.svg", "image/svg+xml"),
        ("a.woff2", "font/woff2"),
        ("a.md", "text/markdown; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.tar.gz", "application/gzip"),
        ("a.mp4", "video/mp4"),
        ("a.unknown", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("html", "application/octet-stream"),
        ("apple-app-site-association", "application/json"),
    ],
)
def test_s15_content_type(root: Path, name: str, kind: str) -> None:
    write(root, name, "x")
    assert get(Static(root), "/" + name).one("content-type") == kind


def test_s15_own_types_and_charset(root: Path) -> None:
    write(root, "a.foo", "x")
    write(root, "NAME", "x")
    app = Static(root, mimetypes={".FOO": "application/x-foo", "name": "text/x-name"}, charset="latin-1")
    assert get(app, "/a.foo").one("content-type") == "application/x-foo"
    assert get(app, "/NAME").one("content-type") == "text/x-name; charset=latin-1"


IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "name,control",
    [
        ("app.5af66c1b.js", IMMUTABLE),
        ("app-5af66c1b9d2e.css", IMMUTABLE),
        ("app.5af66c1b.js.map", IMMUTABLE),
        ("app.js", "public, max-age=60"),
        ("report-20240131.pdf", "public, max-age=60"),
        ("a.deadbeef.txt", "public, max-age=60"),
        ("jquery.validate.js", "public, max-age=60"),
        ("page.html", "no-cache"),
        ("index.htm", "no-cache"),
    ],
)
def test_s16_cache_control(root: Path, name: str, control: str) -> None:
    write(root, name, "x")
    assert get(Static(root), "/" + name).one("cache-control") == control


def test_s16_rules(root: Path) -> None:
    rules = {
        "*.{hash}.*": "immutable",
        "/img/*": 3600,
        "deep/**": "no-store",
        "image/*": "max-age=1",
        "text/css": "private",
    }
    expected = {
        "chunk.BX7aUv9k.js": IMMUTABLE,
        "sub/chunk.BX7aUv9k.js": IMMUTABLE,
        "jquery.validate.js": None,
        "img/a.png": "public, max-age=3600",
        "img/sub/a.png": "max-age=1",
        "deep/a/b/c.css": "no-store",
        "other.css": "private",
        "a.txt": None,
    }
    app = Static(root, cache=rules, max_age=None)
    for name, control in expected.items():
        write(root, name, "x")
        assert get(app, "/" + name).one("cache-control") == control, name


def test_s16_immutable_file_test(root: Path) -> None:
    write(root, "v1/a.js", "x")
    for test in (r"^/v[0-9]+/", lambda path, url: path == str(root / "v1/a.js") and url == "/v1/a.js"):
        assert get(Static(root, immutable_file_test=test), "/v1/a.js").one("cache-control") == IMMUTABLE
    write(root, "app.5af66c1b.js", "x")
    assert "immutable" not in str(get(Static(root, immutable_file_test=None), "/app.5af66c1b.js").fields)


def test_s16_more_fields(root: Path) -> None:
    write(root, "a.woff2", "font")
    calls: list[str] = []

    def add(headers: Any, path: str, url: str) -> None:
        calls.append(url)
        headers["X-Added"] = os.path.basename(path)
        headers["Cache-Control"] = "private"

    app = Static(
        root, headers={"*.woff2": {"X-Font": "1"}, "/sub/*": {"X-Sub": "1"}}, add_headers_function=add
    )
    for _ in range(3):
        answer = get(app, "/a.woff2")
        assert (answer.one("x-font"), answer.one("x-sub"), answer.one("x-added")) == ("1", None, "a.woff2")
        assert answer.one("cache-control") == "private"
    assert calls == ["/a.woff2"]


def test_s16_a_last_modified_of_the_options_decides_conditions(root: Path) -> None:
    """RFC 9110 section 13.1.3: what a client was told is what it asks with."""
    between, late = "Fri, 01 Jan 2010 00:00:00 GMT", "Sun, 01 Feb 2026 00:00:00 GMT"

    def add(headers: Any, path: str, url: str) -> None:
        headers["Last-Modified"] = late

    for app in (
        Static(root, add_headers_function=add),
        Static(root, headers={"*.txt": {"last-modified": late}}),
    ):
        assert get(app, "/file.txt").one("last-modified") == late
        assert get(app, "/file.txt", if_modified_since=late).status == 304
        assert get(app, "/file.txt", if_modified_since=between).status == 200
        assert get(app, "/file.txt", if_unmodified_since=between).status == 412


def test_s16_cors(root: Path) -> None:
    write(root, "a.woff2", "font")
    for options, font, text in [
        ({}, None, None),
        ({"cors": "fonts"}, "*", None),
        ({"cors": "all"}, "*", "*"),
    ]:
        app = Static(root, **options)
        assert get(app, "/a.woff2").one("access-control-allow-origin") == font
        assert get(app, "/file.txt").one("access-control-allow-origin") == text
    assert get(app, "/file.txt", method="OPTIONS").one("access-control-allow-origin") == "*"


def application(environ: Any, start_response: Any) -> list[bytes]:
    body = b"app " + environ["PATH_INFO"].encode("latin-1")
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")])
    return [body]


class TestTry:
    """S17."""

    @pytest.fixture
    def site(self, root: Path) -> Path:
        write(root, "about.html", "about")
        write(root, "docs/index.html", "docs")
        write(root, "index.html", "single page")
        write(root, "both", "file")
        write(root, "both.html", "page")
        return root

    def test_in_order(self, site: Path) -> None:
        app = Static(site, fallback=application, try_=("$path", "$path.html", "$path/index.html", "@app"))
        for path, body in [
            ("/about", b"about"),
            ("/about.html", b"about"),
            ("/docs", b"docs"),
            ("/docs/", b"docs"),
            ("/", b"single page"),
            ("/both", b"file"),
            ("/nothing", b"app /nothing"),
            ("/about/", b"app /about/"),
            ("/../secret.txt", b"app /../secret.txt"),
            ("/nothing.js", b"app /nothing.js"),
        ]:
            assert get(app, path).body == body
        app = Static(site, try_=("$path.html", "$path"))
        assert get(app, "/both").body == b"page"
        assert get(app, "/docs").status == get(app, "/.html").status == 404

    def test_a_directory_is_asked_for_with_its_slash(self, site: Path) -> None:
        app = Static(site, try_=("$path", "$path/"))
        assert get(app, "/docs").one("location") == "/docs/"
        assert get(app, "/docs/").body == b"docs"

    def test_several_roots(self, site: Path, tmp_path: Path) -> None:
        write(tmp_path, "other/only.txt", "only here")
        write(tmp_path, "other/file.txt", "hidden by the first root")
        write(tmp_path, "other/about", "the second root's file before the first one's .html")
        app = Static([str(site), str(tmp_path / "other")], try_=("$path", "$path.html"))
        assert get(app, "/only.txt").body == b"only here"
        assert get(app, "/file.txt").body == b"content of the file"
        assert get(app, "/about").body.startswith(b"the second")

    def test_a_single_page_application(self, site: Path) -> None:
        app = Static(site, try_=("$path", "/index.html"))
        html = "text/html,application/xhtml+xml,*/*;q=0.8"
        for path in ("/deep/link", "/", "/user/1/"):
            answer = get(app, path, accept=html)
            assert (answer.status, answer.body) == (200, b"single page")
        assert get(app, "/deep/link", accept=html, method="HEAD").status == 200
        for path, accept in [
            ("/missing.js", html),
            ("/assets/missing.png", html),
            ("/deep/link", "*/*"),
            ("/deep/link", "application/json"),
        ]:
            assert get(app, path, accept=accept).status == 404
        assert get(app, "/deep/link").status == 404
        assert get(app, "/deep/link", accept=html, method="POST").status == 405
        assert get(app, "/file.txt", accept=html).body == b"content of the file"

    def test_a_page_is_found_as_it_is_named(self, site: Path) -> None:
        """Whatever else is tried for clients' paths, and remembered for them."""
        write(site, "index.html.html", "another")
        app = Static(site, try_=("$path.html", "/index.html"))
        assert get(app, "/deep", accept="text/html").body == b"single page"
        assert get(app, "/index.html").body == b"another"
        assert get(app, "/deep", accept="text/html").body == b"single page"

    def test_a_large_page_that_shrinks(self, site: Path) -> None:
        write(site, "index.html", b"x" * 100_000)
        app = Static(site, try_=("$path", "/index.html"))
        for size in (100_000, 90_000, 10):
            os.truncate(site / "index.html", size)
            assert len(get(app, "/deep", accept="text/html").body) == size

    def test_a_page_before_the_application(self, site: Path) -> None:
        app = Static(site, fallback=application, try_=("$path", "/index.html", "@app"))
        assert get(app, "/deep", accept="text/html").body == b"single page"
        assert get(app, "/deep").body == b"app /deep"
        assert get(app, "/deep", accept="text/html", method="POST").body == b"app /deep"

    @pytest.mark.parametrize(
        "given",
        [
            ("@app", "$path"),
            ("/index.html", "$path"),
            ("path",),
            ("$path/../x",),
            ("$path//x",),
            ("$uri",),
        ],
    )
    def test_what_cannot_be_tried(self, site: Path, given: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError):
            Static(site, fallback=application, try_=given)

    def test_an_application_that_is_not_there(self, site: Path) -> None:
        with pytest.raises(ConfigError, match="no application"):
            Static(site, try_=("$path", "@app"))

    def test_index_file(self, site: Path) -> None:
        write(site, "docs/start.htm", "start")
        assert get(Static(site, index_file="start.htm"), "/docs/").body == b"start"
        assert get(Static(site, index_file=True), "/docs/").body == b"docs"
        assert get(Static(site, index_file=False), "/docs/").status == 404


def test_s18_error_pages(root: Path) -> None:
    write(root, "404.html", "<p>our own</p>")
    write(root, "404.html.gz", "gz")
    app = Static(root, error_pages={404: "/404.html", 405: "/nothing.html"})
    answer = get(app, "/nothing", accept_encoding="gzip")
    assert (answer.status, answer.body) == (404, b"<p>our own</p>")
    assert answer.one("content-type") == "text/html; charset=utf-8"
    assert answer.one("etag") is answer.one("accept-ranges") is answer.one("content-encoding") is None
    assert get(app, "/nothing", if_none_match="*", range="bytes=0-1").status == 404
    assert get(app, "/nothing", method="HEAD").one("content-length") == str(len(answer.body))
    assert get(app, "/file.txt", method="POST").status == 405


def test_s18_our_own_pages_are_for_people(root: Path) -> None:
    page = get(Static(root), "/nothing", accept="text/html")
    assert page.one("content-type") == "text/html; charset=utf-8" and b"<h1>" in page.body
    plain = get(Static(root), "/nothing")
    assert plain.one("content-type") == "text/plain; charset=utf-8"
    assert re.match(rb"404 Not Found\n", plain.body)
    assert page.one("vary") == plain.one("vary") == "Accept"


def test_options_are_checked() -> None:
    for bad in ({"hidden": "yes"}, {"symlinks": "maybe"}, {"cors": "some"}, {"cache_seconds": 2.0}):
        with pytest.raises(ConfigError):
            StaticOptions(**bad)


def test_a_file_is_not_remembered_where_that_is_not_wanted(root: Path) -> None:
    app = forgetting(root)
    write(root, "file.txt", "one")
    assert get(app, "/file.txt").body == b"one"
    write(root, "file.txt", "two")
    assert get(app, "/file.txt").body == b"two"


def test_s18_a_large_error_page_is_no_stream(root: Path) -> None:
    """The I/O thread may be the one that answers: it waits for no client."""
    write(root, "404.html", b"x" * 100_000)
    body = Static(root, error_pages={404: "/404.html"})(environ_of("/nothing"), lambda *_: None)
    assert body == [b"x" * 100_000]
