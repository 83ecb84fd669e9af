"""gzip: what is compressed, what is left alone, and when it leaves."""

import gzip
import queue
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from pronghorn.apps.middleware.gzip import Gzip, accepts_gzip
from pronghorn.errors import ConfigError
from tests.apps.middleware.calling import App, Called, Headers
from tests.serving import serving

TEXT = b"All work and no play makes Jack a dull boy. " * 100
PLAIN = ("Content-Type", "text/plain; charset=utf-8")


def call(*blocks: bytes, status: str = "200 OK", fields: Headers | None = None, **extra: Any) -> Called:
    app = App(*blocks, status=status, fields=[PLAIN] if fields is None else fields)
    extra = {"HTTP_ACCEPT_ENCODING": "gzip", **extra}
    return Called(Gzip(app), check=status[:3] not in ("204", "304"), **extra)


class TestAcceptEncoding:
    """RFC 9110 section 12.5.3."""

    @pytest.mark.parametrize(
        "given",
        ["gzip", "GZIP", "x-gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "*", "*;q=0.1", "gzip;q=0.001",
         "gzip ; q=1", "gzip;Q=1.000", "identity;q=0.5, gzip", "identity;q=0.5, *;q=0.5", "*;q=0, gzip", "\tgzip",
         "gzip;q=1, identity;q=0"],
    )  # fmt: skip
    def test_it_is_welcome(self, given: str) -> None:
        assert accepts_gzip(given)

    @pytest.mark.parametrize(
        "given",
        ["", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipped", "identity, gzip;q=0.5",
         "gzip;q=2", "gzip;q=x", "gzip;q=-1", "gzip;q=1.5", "gzip;level=9", "deflate;gzip", "gzip;q=0.0001"],
    )  # fmt: skip
    def test_it_is_not(self, given: str) -> None:
        assert not accepts_gzip(given)


class TestWhole:
    def test_it_is_smaller_and_says_so(self) -> None:
        called = call(TEXT, fields=[PLAIN, ("Content-Length", str(len(TEXT)))])
        assert gzip.decompress(called.body) == TEXT
        assert called.one("Content-Encoding") == "gzip"
        assert called.one("Content-Length") == str(len(called.body))
        assert called.one("Vary") == "Accept-Encoding"
        assert len(called.body) < len(TEXT) / 10

    def test_the_same_each_time(self) -> None:
        assert call(TEXT).body == call(TEXT).body

    def test_several_blocks(self) -> None:
        called = call(TEXT, b"", TEXT)
        assert gzip.decompress(called.body) == TEXT + TEXT
        assert called.one("Content-Length") == str(len(called.body))

    def test_who_does_not_take_it_gets_it_plain(self) -> None:
        for accept in (None, "", "br", "gzip;q=0"):
            called = call(TEXT, HTTP_ACCEPT_ENCODING=accept)
            assert (called.body, called.one("Content-Encoding")) == (TEXT, None)
            assert called.one("Vary") == "Accept-Encoding"

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_short_one_is_left_alone(self, announced: bool) -> None:
        for length in (0, 1, 511):
            block = b"a" * length
            fields = [PLAIN, ("Content-Length", str(length))] if announced else [PLAIN]
            called = call(block, fields=fields)
            assert (called.body, called.one("Content-Encoding")) == (block, None)
            assert called.one("Vary") == "Accept-Encoding"
        assert call(b"a" * 512, fields=[PLAIN, ("Content-Length", "512")]).one("Content-Encoding") == "gzip"

    def test_what_would_grow_is_left_alone(self) -> None:
        noise = zlib.compress(bytes(range(256)) * 8, 9) * 1 + bytes(
            (i * i * 31 + i * 7) % 251 for i in range(90)
        )
        noise = (
            b"".join(zlib.crc32(bytes([i % 256, i // 256])).to_bytes(4, "big") for i in range(300)) + noise
        )
        called = call(noise)
        assert (called.body, called.one("Content-Encoding")) == (noise, None)


class TestLeftAlone:
    @pytest.mark.parametrize(
        "fields",
        [
            [("Content-Type", "image/png")],
            [("Content-Type", "application/octet-stream")],
            [("Content-Type", "")],
            [PLAIN, ("Content-Encoding", "br")],
            [PLAIN, ("content-encoding", "identity")],
            [PLAIN, ("Cache-Control", "public, No-Transform")],
            [PLAIN, ("Content-Range", "bytes 0-1/2")],
            [PLAIN, ("Content-MD5", "x")],
            [PLAIN, ("Repr-Digest", "x")],
        ],
    )
    def test_by_a_field(self, fields: Headers) -> None:
        called = call(TEXT, fields=[*fields, ("ETag", '"1"')])
        assert called.body == TEXT and called.fields == [*fields, ("ETag", '"1"')]

    @pytest.mark.parametrize("status", ["204 No Content", "205 Reset Content", "206 Partial Content"])
    def test_by_the_status(self, status: str) -> None:
        fields = [PLAIN, ("ETag", '"1"')]
        called = call(b"", status=status, fields=fields)
        assert called.fields == fields

    @pytest.mark.parametrize("kind", ["text/html", "TEXT/CSS", "application/json;charset=utf-8", "image/svg+xml",
                                      "application/problem+json", "text/event-stream", "application/wasm"])  # fmt: skip
    def test_these_types_are_not(self, kind: str) -> None:
        assert call(TEXT, fields=[("Content-Type", kind)]).one("Content-Encoding") == "gzip"

    def test_other_types_by_option(self) -> None:
        def coded(kind: str) -> str | None:
            app = App(TEXT, fields=[("Content-Type", kind)])
            made = Gzip(app, types=["text/html", "application/*"])
            return Called(made, HTTP_ACCEPT_ENCODING="gzip").one("Content-Encoding")

        assert coded("application/pdf") == coded("Text/HTML; charset=x") == "gzip"
        assert coded("text/css") is coded("text/htmlx") is None


class TestFields:
    @pytest.mark.parametrize(("given", "expected"), [('"1"', 'W/"1"'), ('W/"1"', 'W/"1"')])
    def test_an_entity_tag_becomes_weak(self, given: str, expected: str) -> None:
        assert call(TEXT, fields=[PLAIN, ("etag", given)]).one("ETag") == expected
        assert call(TEXT, fields=[PLAIN, ("ETag", given)], HTTP_ACCEPT_ENCODING="").one("ETag") == given

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ([], ["Accept-Encoding"]),
            (["Cookie"], ["Cookie, Accept-Encoding"]),
            (["accept-encoding, Cookie"], ["accept-encoding, Cookie"]),
            (["*"], ["*"]),
            ([""], ["Accept-Encoding"]),
            (["Accept", "Cookie"], ["Accept", "Cookie, Accept-Encoding"]),
        ],
    )
    @pytest.mark.parametrize("accept", ["gzip", ""])
    def test_vary(self, given: list[str], expected: list[str], accept: str) -> None:
        called = call(
            TEXT, fields=[PLAIN, *[("Vary", value) for value in given]], HTTP_ACCEPT_ENCODING=accept
        )
        assert [value for name, value in called.fields if name == "Vary"] == expected

    def test_ranges_of_the_plain_content_are_not_offered(self) -> None:
        assert call(TEXT, fields=[PLAIN, ("Accept-Ranges", "bytes")]).one("Accept-Ranges") is None


class TestNotModified:
    """RFC 9110 section 15.4.5: ETag and Vary as 200 would have them now."""

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    @pytest.mark.parametrize(
        ("accept", "known_by", "expected"),
        [
            ("gzip", 'W/"1"', 'W/"1"'),
            ("gzip", '"0", W/"1"', 'W/"1"'),
            ("gzip", '"1"', '"1"'),
            ("gzip", 'W/"11"', '"1"'),
            ("gzip", "*", '"1"'),
            ("gzip", None, '"1"'),
            ("", 'W/"1"', '"1"'),
        ],
    )
    @pytest.mark.parametrize("kind", [[PLAIN], []])
    def test_the_tag_is_the_one_that_the_client_knows(
        self, kind: Headers, accept: str, known_by: str | None, expected: str, method: str
    ) -> None:
        called = call(
            b"",
            status="304 Not Modified",
            fields=[*kind, ("ETag", '"1"'), ("Vary", "Cookie")],
            HTTP_ACCEPT_ENCODING=accept,
            HTTP_IF_NONE_MATCH=known_by,
            REQUEST_METHOD=method,
        )
        assert called.fields == [*kind, ("ETag", expected), ("Vary", "Cookie, Accept-Encoding")]

    @pytest.mark.parametrize("tag", ["", "1", 'W/"1"'])
    def test_what_is_weak_or_no_tag_stays(self, tag: str) -> None:
        called = call(b"", status="304 Not Modified", fields=[("ETag", tag)], HTTP_IF_NONE_MATCH='W/"1", W/1')
        assert called.fields == [("ETag", tag), ("Vary", "Accept-Encoding")]

    @pytest.mark.parametrize(
        "field",
        [("Content-Type", "image/png"), ("Cache-Control", "no-transform"), ("Content-Encoding", "br")],
    )
    def test_what_would_not_have_been_compressed_is_left_alone(self, field: tuple[str, str]) -> None:
        fields = [field, ("ETag", '"1"')]
        assert (
            call(b"", status="304 Not Modified", fields=fields, HTTP_IF_NONE_MATCH='W/"1"').fields == fields
        )

    def test_after_200(self) -> None:
        """What a client got with 200 is what a 304 to it names."""
        tag = call(TEXT, fields=[PLAIN, ("ETag", '"1"')]).one("ETag")
        again = call(b"", status="304 Not Modified", fields=[("ETag", '"1"')], HTTP_IF_NONE_MATCH=tag)
        assert again.one("ETag") == tag


class TestHead:
    """RFC 9110 section 9.3.2: the fields of GET, or fewer."""

    def head(self, fields: Headers, *blocks: bytes) -> Called:
        return call(*blocks, fields=fields, REQUEST_METHOD="HEAD")

    def test_with_a_length(self) -> None:
        called = self.head([PLAIN, ("Content-Length", "5000"), ("ETag", '"1"')], b"")
        assert called.one("Content-Encoding") == "gzip" and called.one("Content-Length") is None
        assert (called.one("ETag"), called.one("Vary")) == ('W/"1"', "Accept-Encoding")
        assert called.body == b""

    def test_with_a_short_length_or_none(self) -> None:
        for fields in ([PLAIN, ("Content-Length", "5")], [PLAIN]):
            assert self.head(fields, b"").fields == [*fields, ("Vary", "Accept-Encoding")]

    def test_through_the_server_no_wrong_length_is_said(self) -> None:
        app = App(b"", fields=[PLAIN, ("Content-Length", "5000")])
        with serving(Gzip(app)) as server:
            answer = server.get("/", "Accept-Encoding: gzip", method="HEAD")
        assert answer.one("content-encoding") == "gzip"
        assert answer.one("content-length") is None


class TestStreams:
    def test_each_block_can_be_read_when_it_was_yielded(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [PLAIN])
            yield b""
            for number in range(3):
                yield b"block %d" % number
                yield b""

        result = Gzip(app)({"HTTP_ACCEPT_ENCODING": "gzip"}, lambda *_: None)
        reader = zlib.decompressobj(31)
        read = [reader.decompress(block) for block in result]
        assert [block for block in read if block] == [b"block 0", b"block 1", b"block 2"]
        assert reader.eof

    def test_nothing_leaves_before_start_response(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            yield b""
            start_response("200 OK", [PLAIN])
            yield TEXT

        assert gzip.decompress(Called(Gzip(app), check=False, HTTP_ACCEPT_ENCODING="gzip").body) == TEXT

    def test_one_without_content_is_none(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterator[bytes]:
            start_response("200 OK", [PLAIN])
            yield from ()

        called = Called(Gzip(app), HTTP_ACCEPT_ENCODING="gzip")
        assert (called.body, called.one("Content-Encoding")) == (b"", None)

    def test_through_the_server_no_block_waits_for_the_next(self) -> None:
        told: queue.Queue[bytes] = queue.Queue()

        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            start_response("200 OK", [("Content-Type", "text/event-stream")])
            return iter(lambda: told.get(timeout=10), b"")

        reader = zlib.decompressobj(31)
        with serving(Gzip(app), threads=2) as server, server.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
            for number in range(5):
                event = b"data: %d\n\n" % number
                told.put(event)
                if not number:
                    client.read_until(b"\r\n\r\n")
                assert reader.decompress(client._take(int(client._line(b""), 16), b"")) == event
                client._take(2, b"")
            told.put(b"")
            assert reader.decompress(client._take(int(client._line(b""), 16), b"")) == b"" and reader.eof

    def test_write_is_compressed_too(self) -> None:
        def app(environ: Any, start_response: Any) -> Iterable[bytes]:
            write = start_response("200 OK", [PLAIN])
            write(b"written ")
            write(b"")
            return [b"returned"]

        called = Called(Gzip(app), HTTP_ACCEPT_ENCODING="gzip")
        assert gzip.decompress(called.body) == b"written returned"
        assert zlib.decompressobj(31).decompress(called.blocks[0]) == b"written "

    def test_a_file_wrapper_of_text_is_read(self) -> None:
        class FileWrapper:
            def __iter__(self) -> Iterator[bytes]:
                return iter([TEXT, TEXT])

        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [PLAIN, ("Content-Length", str(2 * len(TEXT)))])
            return FileWrapper()

        called = Called(Gzip(app), HTTP_ACCEPT_ENCODING="gzip")
        assert gzip.decompress(called.body) == TEXT + TEXT and called.one("Content-Length") is None


@pytest.mark.parametrize(
    ("options", "said"),
    [({"level": 0}, "level is 0"), ({"level": 10}, "level"), ({"level": "6"}, "level"), ({"min_size": -1}, "min_size"),
     ({"types": "text/html"}, "types"), ({"types": ["html"]}, "types")],
)  # fmt: skip
def test_options_that_cannot_be_meant(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Gzip(App(), **options)
