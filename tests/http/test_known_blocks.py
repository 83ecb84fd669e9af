"""Header blocks that other connections have sent must never show: each request is what its own octets say."""

from itertools import product

import pytest
from hypothesis import given, settings

from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.known import KnownBlocks
from pronghorn.http.limits import Limits
from pronghorn.http.request import FieldSection
from tests.http.test_memo import GET, LIMITS, POST, edits, message
from tests.http.wire import read

PLAIN = message(GET, b"Host: a", b"Accept: */*")

MESSAGES = {
    "plain": PLAIN,
    "line": message(b"GET /b HTTP/1.1", b"Host: a", b"Accept: */*"),
    "method": message(b"HEAD / HTTP/1.1", b"Host: a", b"Accept: */*"),
    "version": message(b"GET / HTTP/1.0", b"Host: a", b"Accept: */*"),
    "value": message(GET, b"Host: a", b"Accept: x/*"),
    "case": message(GET, b"host: a", b"Accept: */*"),
    "close": message(GET, b"Host: a", b"Connection: close"),
    "body": message(POST, b"Host: a", b"Content-Length: 3", body=b"abc"),
    "no body": message(POST, b"Host: a", b"Content-Length: 0"),
    "head of a body": message(POST, b"Host: a", b"Content-Length: 3"),
    "chunked": message(POST, b"Host: a", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "refused": message(GET, b"Accept: */*"),
    "half": PLAIN[:-2],
    "two": PLAIN + PLAIN,
    "empty line": b"\r\n" + PLAIN,
    "absolute": message(b"GET http://x/ HTTP/1.1", b"Host: a"),
}


def given_to_each(messages: list[bytes], scheme: str = "http") -> None:
    """A connection for each, all of which know what those before them have said."""
    known = KnownBlocks()
    for one in messages:
        assert read([one], LIMITS, scheme, known) == read([one], LIMITS, scheme), one


@pytest.mark.parametrize("first", MESSAGES)
def test_one_connection_after_another(first: str):
    for second in MESSAGES.values():
        given_to_each([MESSAGES[first], second, MESSAGES[first]])


def test_what_follows_a_known_block_on_its_connection():
    for second, third in product(MESSAGES.values(), repeat=2):
        known = KnownBlocks()
        read([PLAIN], LIMITS, known=known)
        assert read([PLAIN, second, third], LIMITS, known=known) == read([PLAIN, second, third], LIMITS)


@given(edits())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_edited_blocks_on_connections_of_their_own(messages: list[bytes]):
    given_to_each(messages)
    known = KnownBlocks()
    for one in messages:
        read([one], LIMITS, known=known)
    assert read(messages, LIMITS, known=known) == read(messages, LIMITS)


def sections(octets: bytes, known: KnownBlocks) -> list[FieldSection]:
    """What two connections make of the same fields."""
    requests = [H1Connection(Limits(), known=known).receive(octets) for _ in range(2)]
    return [request.section for request in requests if request is not None]


def test_the_same_fields_are_not_parsed_again_whatever_is_asked_for():
    known = KnownBlocks()
    one, other = sections(PLAIN, known)
    assert one is other
    third = H1Connection(Limits(), known=known).receive(MESSAGES["line"])
    assert third is not None and third.section is one and third.line.path == "/b"


@pytest.mark.parametrize(
    "field",
    [
        b"Cookie: session=1",
        b"authorization: Basic eDp5",
        b"X-Api-Key: 1",
        b"X_Secret: dropped",
        b"Referer: http://a/?token=1",
        b"Content-Length: 3",
        b"Transfer-Encoding: chunked",
        b"Expect: 100-continue",
        b"User-Agent: " + b"x" * 2048,
    ],
)
def test_secrets_bodies_and_large_blocks_are_not_kept(field: bytes):
    one, other = sections(message(GET, b"Host: a", field), KnownBlocks())
    assert one is not other and not one.common


def test_their_number_is_bounded():
    known = KnownBlocks()
    blocks = [b"\r\nHost: a\r\nAccept: %d" % number for number in range(1000)]
    for block in blocks:
        H1Connection(Limits(), known=known).receive(GET + block + b"\r\n\r\n")
    kept = [known.find("HTTP/1.1", block) is not None for block in blocks]
    assert 0 < sum(kept) <= 64 and kept[-1]


def test_a_connection_goes_on_from_a_known_block_as_from_its_own():
    """A block that differs in one plain value is not parsed whole: it has the first one's section."""
    known = KnownBlocks()
    sections(PLAIN, known)
    h1 = H1Connection(Limits(), known=known)
    first = h1.receive(PLAIN)
    second = h1.receive(message(GET, b"Host: a", b"Accept: x/*"))
    assert first is not None and second is not None
    assert second.section is first.section and second.fields == [(b"Host", b"a"), (b"Accept", b"x/*")]
