"""A redirect's address is quoted octet for octet, whatever a client may have it made of, and soon."""

import time
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pronghorn.apps.static.answer import location
from pronghorn.apps.static.quoting import Quoter

ALL = bytes(range(256))


@given(octets=st.binary(max_size=60))
@example(octets=ALL)
@example(octets=b"")
@pytest.mark.parametrize("safe", ["", "/", "/!$&'()*+,;=:@?%[]"])
def test_as_the_library_does(safe: str, octets: bytes) -> None:
    assert Quoter(safe)(octets) == quote(octets, safe=safe)


def test_all_octets_of_an_address() -> None:
    latin = ALL.decode("latin-1")
    path = quote(ALL.replace(b"/", b""), safe="!$&'()*+,;=:@")
    query = quote(ALL, safe="/!$&'()*+,;=:@?%[]")
    environ = {"SCRIPT_NAME": "/" + latin.replace("/", ""), "PATH_INFO": "/x", "QUERY_STRING": latin}
    assert location(environ) == f"/{path}/x/?{query}"


def fastest(function: Callable[[], object]) -> float:
    """Seconds of processor time."""
    times = []
    for _ in range(7):
        began = time.thread_time()
        function()
        times.append(time.thread_time() - began)
    return min(times)


@pytest.mark.parametrize("query", [b'"' * 65536, b'a"' * 32768, ALL * 256], ids=["all", "half", "mixed"])
def test_a_long_query_costs_little(query: bytes) -> None:
    environ = {"PATH_INFO": "/sub", "QUERY_STRING": query.decode("latin-1")}
    assert fastest(lambda: location(environ)) < fastest(lambda: quote(query)) / 2
