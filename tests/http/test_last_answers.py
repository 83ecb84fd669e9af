"""The last answer of a connection is written down as any other, though its head is remembered."""

import itertools

import pytest

from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.limits import Limits
from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead

STAMPS = (b"Date: today\r\nServer: x\r\n", b"Date: tomorrow\r\nServer: x\r\n")
LINES = (
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
)


def received(octets: bytes) -> tuple[H1Connection, Request]:
    h1 = H1Connection(Limits())
    request = h1.receive(octets)
    assert request is not None
    return h1, request


def in_parts(
    octets: bytes, head: ResponseHead, block: bytes, stamp: bytes, persist: bool
) -> tuple[object, ...]:
    """The answer by `begin` and `end`, which remember nothing."""
    h1, request = received(octets)
    length = len(block) if head.content_length is None else head.content_length
    answer = h1.begin(request, head, length, stamp, persist)
    answer += block if h1.content_follows else b""
    return answer + h1.end(), h1.persistent, h1.writing, h1.content_follows


@pytest.mark.parametrize("persist", [True, False])
def test_remembered_heads_of_last_answers_are_those_made_anew(persist: bool):
    heads = [
        ResponseHead("200 OK", [("Content-Type", "text/plain")]),
        ResponseHead("200 OK", [("Content-Type", "text/plain")], 3),
        ResponseHead("200 OK", [("Date", "mine")], 3),
        ResponseHead("200 OK", [], 3, close=True),
        ResponseHead("204 No Content", []),
    ]
    blocks = (b"abc", b"xyz", b"abcd")
    for octets, head, block, stamp in itertools.product(LINES, heads, blocks, STAMPS * 2):
        if head.code == 204:
            block = b""
        elif head.content_length not in (None, len(block)):
            continue
        h1, request = received(octets)
        answer = h1.respond(request, head, block, stamp, persist)
        expected = in_parts(octets, head, block, stamp, persist)
        state = (h1.persistent, h1.writing)
        assert (answer, *state) == expected[:3], (octets, head.lines, block)
