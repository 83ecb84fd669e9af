"""serve/effort.py: which calls wait. Who computes, the lookout sees: test_vigil.py."""

import pytest

from pronghorn.serve.effort import waited
from pronghorn.serve.habit import QUICK, SLOW


@pytest.mark.parametrize(
    ("lasted", "own", "process", "waits"),
    [
        (0.0013, 0.0003, 0.0003, True),  # a query, while nobody computes
        (0.0013, 0.0003, 0.0013, True),  # a query, while others compute all the time
        (0.0004, 0.0004, 0.0004, False),  # a page
        (0.0008, 0.0004, 0.0008, False),  # a page that took turns with another
    ],
)
def test_a_call_beside_others(lasted: float, own: float, process: float, waits: bool) -> None:
    seconds = waited(lasted, own, process)
    assert seconds > SLOW if waits else seconds <= QUICK + 1e-9
