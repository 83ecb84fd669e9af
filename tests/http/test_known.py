"""Heads that other connections have sent must never show: each request is what its own octets say."""

from itertools import product

import pytest
from hypothesis import given, settings

from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.limits import Limits
from pronghorn.http.request import FieldSection, Request
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
    "query": message(b"GET /?a HTTP/1.1", b"Host: a", b"Accept: */*"),
    "octet more": PLAIN + b"G",
    "empty line less": PLAIN[:-4] + b"\r\n\n",
}


def given_to_each(messages: list[bytes], scheme: str = "http") -> None:
    """A connection for each, all of which know what those before them have said."""
    known = KnownHeads()
    for one in messages:
        assert read([one], LIMITS, scheme, known) == read([one], LIMITS, scheme), one


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("first", MESSAGES)
def test_one_connection_after_another(first: str, times: int):
    """A block is known when it comes again, a whole head when it comes for the fourth time."""
    for second in MESSAGES.values():
        given_to_each([MESSAGES[first]] * times + [second] * times + [MESSAGES[first]])


@pytest.mark.parametrize("times", [1, 2, 3])
def test_what_follows_a_known_head_on_its_connection(times: int):
    for second, third in product(MESSAGES.values(), repeat=2):
        known = KnownHeads()
        for _ in range(times):
            read([PLAIN], LIMITS, known=known)
        assert read([PLAIN, second, third], LIMITS, known=known) == read([PLAIN, second, third], LIMITS)


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_connection_of_another_scheme(kind: str):
    known = KnownHeads()
    for scheme in ("http", "http", "http", "http", "https", "https", "http"):
        assert read([MESSAGES[kind]], LIMITS, scheme, known) == read([MESSAGES[kind]], LIMITS, scheme)


@given(edits())
@settings(derandomize=True, max_examples=300, deadline=None)
def test_edited_blocks_on_connections_of_their_own(messages: list[bytes]):
    given_to_each(messages)
    known = KnownHeads()
    for one in messages:
        read([one], LIMITS, known=known)
    assert read(messages, LIMITS, known=known) == read(messages, LIMITS)


def sections(octets: bytes, known: KnownHeads) -> list[FieldSection]:
    """What two connections make of the same fields."""
    requests = [H1Connection(Limits(), known=known).receive(octets) for _ in range(2)]
    return [request.section for request in requests if request is not None]


def test_the_same_fields_are_not_parsed_again_whatever_is_asked_for():
    known = KnownHeads()
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
    one, other = sections(message(GET, b"Host: a", field), KnownHeads())
    assert one is not other and not one.common


def requests(octets: bytes, known: KnownHeads) -> list[Request | None]:
    """What some connections make of the same octets, the last two after it has become known."""
    return [H1Connection(Limits(), known=known).receive(octets) for _ in range(4)]


def test_the_same_head_is_one_request():
    *_, third, fourth = requests(PLAIN, KnownHeads())
    assert fourth is third is not None and fourth.common


def test_nothing_is_kept_of_what_one_client_has_asked_for():
    """A path may be a secret. And one of many that each come once must not cost others their place."""
    known = KnownHeads()
    often = requests(PLAIN, known)[-1]
    for number in range(3000):
        secret = message(b"GET /reset/%d HTTP/1.1" % number, b"Host: a", b"Accept: */*")
        request = H1Connection(Limits(), known=known).receive(secret)
        assert request is not None and not request.common
        assert known.whole(secret) is None
    assert H1Connection(Limits(), known=known).receive(PLAIN) is often


@pytest.mark.parametrize(
    "octets",
    [
        message(b"GET /reset?token=1 HTTP/1.1", b"Host: a"),
        message(b"GET http://a/ HTTP/1.1", b"Host: a"),
        message(b"GET /" + b"x" * 2048 + b" HTTP/1.1", b"Host: a"),
        message(GET, b"Host: a", b"Cookie: session=1"),
        message(POST, b"Host: a", b"Content-Length: 3", body=b"abc"),
    ],
)
def test_what_may_be_somebodys_own_is_not_kept_whole(octets: bytes):
    *_, third, fourth = requests(octets, KnownHeads())
    assert third is not fourth and fourth is not None and not fourth.common


def test_the_number_of_whole_heads_is_bounded():
    known = KnownHeads()
    heads = [message(b"GET /%d HTTP/1.1" % number, b"Host: a") for number in range(1000)]
    for octets in heads:
        requests(octets, known)
    kept = [known.whole(octets) is not None for octets in heads]
    assert 0 < sum(kept) <= 64 and kept[-1]


def test_a_known_head_is_known_after_a_rest_as_well():
    known = KnownHeads()
    common = requests(PLAIN, known)[-1]
    h1 = H1Connection(Limits(), known=known)
    h1.receive(PLAIN)
    h1.rest()
    assert h1.rests and h1.receive(PLAIN) is common and not h1.rests


def test_their_number_is_bounded():
    known = KnownHeads()
    blocks = [b"\r\nHost: a\r\nAccept: %d" % number for number in range(1000)]
    for block in blocks:
        H1Connection(Limits(), known=known).receive(GET + block + b"\r\n\r\n")
    kept = [known.find("HTTP/1.1", block) is not None for block in blocks]
    assert 0 < sum(kept) <= 64 and kept[-1]


def test_a_connection_goes_on_from_a_known_block_as_from_its_own():
    """A block that differs in one plain value is not parsed whole: it has the first one's section."""
    known = KnownHeads()
    sections(PLAIN, known)
    h1 = H1Connection(Limits(), known=known)
    first = h1.receive(PLAIN)
    second = h1.receive(message(GET, b"Host: a", b"Accept: x/*"))
    assert first is not None and second is not None
    assert second.section is first.section and second.fields == [(b"Host", b"a"), (b"Accept", b"x/*")]
