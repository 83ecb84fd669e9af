"""Ninety-five numbered checks of static behaviour, over sockets: the list by which servers can be compared.

nginx with precompressed files passes 76 of such a list, WhiteNoise 63, granian 42.
"""

from collections.abc import Iterator

import pytest

from tests.apps.static import checks_s01_s10, checks_s11_s20
from tests.apps.static.site import CHECKS, Check, Site, running

CLAUSES = [f"S{number}" for number in range(1, 21)]
PARTS = (checks_s01_s10, checks_s11_s20)
"""Imported for the checks that they add."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("site")) as site:
        yield site


def test_the_numbers_are_1_to_95_and_no_clause_is_left_out() -> None:
    assert [check.number for check in CHECKS] == list(range(1, 96))
    assert list(dict.fromkeys(check.clause for check in CHECKS)) == CLAUSES
    assert all(check.says.endswith(".") for check in CHECKS)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.number}-{check.clause}")
def test_check(site: Site, check: Check) -> None:
    check.run(site)
