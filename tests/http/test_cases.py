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
