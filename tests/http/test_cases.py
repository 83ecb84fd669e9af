"""Every file of `tests/cases/h1`: whole, cut in two at each point, and byte by byte.

RFC 9112 leaves no room for an answer that depends on how the bytes were cut into segments.
"""

import pytest

from tests.http.case_file import FOLDER, Case, load
from tests.http.wire import bytewise, halves, read

CASES = [load(path) for path in sorted(FOLDER.glob("*.http"))]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_there_are_cases():
    assert len(CASES) >= 200
    assert all(case.clause and case.data for case in CASES)


@each_case
def test_whole(case: Case):
    assert case.differences(read([case.data], case.limits, case.scheme)) == []


@each_case
def test_cut_in_two_anywhere(case: Case):
    whole = read([case.data], case.limits, case.scheme)
    for parts in halves(case.data):
        assert read(parts, case.limits, case.scheme) == whole, f"cut after {parts[0]!r}"


@each_case
def test_byte_by_byte(case: Case):
    whole = read([case.data], case.limits, case.scheme)
    assert read(bytewise(case.data), case.limits, case.scheme) == whole


@pytest.mark.parametrize(
    "request_octets",
    [b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
)
def test_empty_lines_are_counted_for_each_request_anew(request_octets: bytes):
    """Section 2.2: also in segments of their own, before a head that is recognised as the last one."""
    for parts in ([request_octets + b"\r\n"] * 4, [request_octets, b"\r\n"] * 4):
        verdict = read(parts)
        assert len(verdict.requests) == 4
        assert verdict.end == "done"
