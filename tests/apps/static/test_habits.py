"""What download tools and browsers really send, and what they make of the answers.

The requests were recorded from curl 7.88 (`-C -`, `-z`, `--etag-compare`), Wget 1.21 (`-c`, `-N`) and Chromium (a page
with a WebM video of 20 MB, in which one seeks). Replayed here are their fields that mean something to a server, in their
order. Clients, too, are as they were: a browser that has seen enough of a film resets the connection.
"""

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pronghorn.apps.static.app import Static
from tests.apps.static.harness import LONG_AGO, write
from tests.serving import Answer, Client, Server, head, serving

SIZE = 20_525_696
"""The film's."""
FILM = (bytes(range(256)) * (SIZE // 256 + 1))[:SIZE]
CURL = ("User-Agent: curl/7.88.1", "Accept: */*")
WGET = ("User-Agent: Wget/1.21.3", "Accept: */*", "Accept-Encoding: identity", "Connection: Keep-Alive")
VIDEO = (
    "Connection: keep-alive",
    "Accept: */*",
    "Sec-Fetch-Mode: no-cors",
    "Sec-Fetch-Dest: video",
    "Accept-Encoding: identity",
    "Accept-Language: en-US,en;q=0.9",
)
BIG = os.urandom(3_000_000)
HAVE = 1_000_000
"""What was already downloaded of BIG."""


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    write(root, "big.bin", BIG)
    with serving(Static(root, cache_seconds=0), threads=2) as server:
        yield server
        # That a client left is worth a line for those who look for it, and no more.
        assert [line for line in server.log.splitlines() if not line.startswith("DEBUG")] == []


def changed(root: Path) -> bytes:
    """Another big.bin, of the same length, put in the place of the first one as a deployment does."""
    new = BIG[::-1]
    os.replace(write(root, "new", new, age=1), root / "big.bin")
    return new


def range_of(first: int, last: int, size: int = SIZE) -> str:
    return f"bytes {first}-{last}/{size}"


# curl


def test_curl_continues_a_download(server: Server) -> None:
    """`curl -C -`: what it has got, and the rest."""
    with server.connect() as client:
        answer = client.ask(head("GET", "/big.bin", f"Range: bytes={HAVE}-", *CURL))
        assert (answer.status, answer.one("content-range")) == (206, range_of(HAVE, len(BIG) - 1, len(BIG)))
        assert BIG[:HAVE] + answer.body == BIG


def test_curl_continues_what_is_complete(server: Server) -> None:
    """It takes 416 with the length that it has for "nothing left to do"."""
    answer = server.get("/big.bin", f"Range: bytes={len(BIG)}-", *CURL)
    assert (answer.status, answer.one("content-range")) == (416, f"bytes */{len(BIG)}")


def test_curl_asks_whether_it_changed(server: Server, root: Path) -> None:
    """`curl -z file` has the file's own time, `--etag-compare` the tag that `--etag-save` has saved."""
    whole = server.get("/big.bin", *CURL)
    date, tag = whole.one("last-modified"), whole.one("etag")
    for field in (f"If-Modified-Since: {date}", f"If-None-Match: {tag}"):
        assert server.get("/big.bin", *CURL, field).status == 304
    changed(root)
    assert server.get("/big.bin", *CURL, f"If-None-Match: {tag}").status == 200
    os.utime(root / "big.bin", (LONG_AGO + 1, LONG_AGO + 1))
    assert server.get("/big.bin", *CURL, f"If-Modified-Since: {date}").status == 200


def test_curl_asks_for_the_head(server: Server) -> None:
    """`curl -I --compressed`."""
    answer = server.get("/big.bin", *CURL, "Accept-Encoding: deflate, gzip, br, zstd", method="HEAD")
    assert (answer.status, answer.one("content-length")) == (200, str(len(BIG)))
    assert answer.one("accept-ranges") == "bytes"


# Wget


def test_wget_continues_a_download(server: Server) -> None:
    """`wget -c`, twice on one connection: the second time there is nothing left."""
    with server.connect() as client:
        answer = client.ask(head("GET", "/big.bin", f"Range: bytes={HAVE}-", *WGET))
        assert (answer.status, answer.one("content-length")) == (206, str(len(BIG) - HAVE))
        assert BIG[:HAVE] + answer.body == BIG
        answer = client.ask(head("GET", "/big.bin", f"Range: bytes={len(BIG)}-", *WGET))
        assert (answer.status, answer.one("content-range")) == (416, f"bytes */{len(BIG)}")


def test_wget_takes_only_what_is_newer(server: Server) -> None:
    """`wget -N` sets its file's time from Last-Modified, and sends that."""
    date = server.get("/big.bin", *WGET[:-1]).one("last-modified")
    assert server.get("/big.bin", f"If-Modified-Since: {date}", *WGET[:-1]).status == 304


# A browser


def video(client: Client, first: int, last: int | str = "", tag: str = "") -> Answer:
    """Ask for a part of the film; the head of the answer, with nothing read of its content."""
    fields = [*VIDEO, f"Range: bytes={first}-{last}", *([f"If-Range: {tag}"] if tag else [])]
    client.send(head("GET", "/film.webm", *fields))
    return client._read_head()


def leave(client: Client) -> None:
    """As a browser does with what it does not want to read: a reset."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_a_browser_seeks_in_a_film(server: Server, root: Path) -> None:
    """The whole, left at once; the index at the end; then where one seeks, each time left in the middle."""
    write(root, "film.webm", FILM)
    with server.connect() as client:
        answer = video(client, 0)
        assert (answer.status, answer.one("content-range")) == (206, range_of(0, SIZE - 1))
        assert (answer.one("content-type"), answer.one("accept-ranges")) == ("video/webm", "bytes")
        tag = str(answer.one("etag"))
        assert tag.startswith('"')
        assert client._take(65536, b"") == FILM[:65536]
        leave(client)
    with server.connect() as client:
        answer = video(client, 20_512_768, SIZE - 1, tag)
        assert (answer.status, answer.one("content-range")) == (206, range_of(20_512_768, SIZE - 1))
        assert client._take(SIZE - 20_512_768, b"") == FILM[20_512_768:]
        seek(client, 15_794_176, 20_512_767, tag)  # on the same connection
    for first, last in ((5_373_952, 15_794_175), (5_818_368, 15_794_175), (7_962_624, 15_794_175)):
        with server.connect() as client:
            seek(client, first, last, tag)
    with server.connect() as client:
        answer = video(client, 18_677_760, 20_512_767, tag)
        assert client._take(20_512_768 - 18_677_760, b"") == FILM[18_677_760:20_512_768]


def seek(client: Client, first: int, last: int, tag: str) -> None:
    """Read a little of it, and leave."""
    answer = video(client, first, last, tag)
    assert (answer.status, answer.one("content-range")) == (206, range_of(first, last))
    assert answer.one("content-length") == str(last - first + 1)
    assert client._take(40_000, b"") == FILM[first : first + 40_000]
    leave(client)


def test_a_browser_seeks_in_a_film_that_has_changed(server: Server, root: Path) -> None:
    """If-Range: no part of the new film is put behind parts of the old one."""
    write(root, "film.webm", FILM)
    with server.connect() as client:
        tag = str(video(client, 0).one("etag"))
        leave(client)
    new = FILM[::-1]
    os.replace(write(root, "new", new, age=1), root / "film.webm")
    with server.connect() as client:
        answer = video(client, 15_794_176, 20_512_767, tag)
        assert (answer.status, answer.one("content-length")) == (200, str(SIZE))
        assert answer.one("content-range") is None and answer.one("etag") != tag
        assert client._take(40_000, b"") == new[:40_000]
        leave(client)


@pytest.mark.parametrize("validator", ["etag", "last-modified"])
def test_a_download_that_is_continued_after_a_change(server: Server, root: Path, validator: str) -> None:
    """What download managers send with what they have. A date does not see a change within its second."""
    before = str(server.get("/big.bin").one(validator))
    fields = (f"Range: bytes={HAVE}-", f"If-Range: {before}")
    assert server.get("/big.bin", *fields).body == BIG[HAVE:]
    new = changed(root)
    if validator == "last-modified":
        os.utime(root / "big.bin", (LONG_AGO + 1, LONG_AGO + 1))
    answer = server.get("/big.bin", *fields)
    assert (answer.status, answer.body) == (200, new)


def test_a_young_file_is_continued_from_its_beginning(server: Server, root: Path) -> None:
    """Its entity tag is weak, which If-Range may not use (RFC 9110 section 13.1.5)."""
    path = write(root, "young.bin", BIG)
    os.utime(path)
    tag = str(server.get("/young.bin").one("etag"))
    assert tag.startswith("W/")
    answer = server.get("/young.bin", f"Range: bytes={HAVE}-", f"If-Range: {tag}")
    assert (answer.status, len(answer.body)) == (200, len(BIG))


def test_a_navigation_and_its_icon(server: Server) -> None:
    """On one connection: the page, asked for again with its tag, and the icon that there is not."""
    page = (
        "Upgrade-Insecure-Requests: 1",
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "Accept-Encoding: gzip, deflate, br, zstd",
    )
    with server.connect() as client:
        answer = client.ask(head("GET", "/sub/", *page))
        assert (answer.status, answer.one("cache-control")) == (200, "no-cache")
        again = client.ask(head("GET", "/sub/", *page, f"If-None-Match: {answer.one('etag')}"))
        assert (again.status, again.one("etag")) == (304, answer.one("etag"))
        icon = client.ask(head("GET", "/favicon.ico", "Accept: image/avif,image/webp,*/*;q=0.8"))
        assert (icon.status, icon.one("content-type")) == (404, "text/plain; charset=utf-8")
