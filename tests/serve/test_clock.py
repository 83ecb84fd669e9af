"""The server's clock: the Date of every answer (RFC 9110 section 6.6.1), asked for once a second."""

import time

import pytest

from pronghorn.serve.clock import Clock


class Times:
    """Both clocks of the system, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic = 100.0
        self.wall = 784111777.25  # Sun, 06 Nov 1994 08:49:37 GMT, and a quarter
        self.asked = 0
        monkeypatch.setattr(time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(time, "time", self._ask)

    def _ask(self) -> float:
        self.asked += 1
        return self.wall

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


def test_the_date_is_that_of_the_second(times: Times) -> None:
    clock = Clock()
    assert (clock.now, clock.stamp) == (
        100.0,
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: pronghorn\r\n",
    )
    times.pass_by(0.7)
    clock.tick()
    assert (clock.now, clock.stamp[23:31], times.asked) == (100.7, b"08:49:37", 1)
    times.pass_by(0.05)
    clock.tick()
    assert (clock.stamp[23:31], times.asked) == (b"08:49:38", 2)


def test_the_same_stamp_within_a_second(times: Times) -> None:
    """Heads made for a stamp are recognised by its identity (`ResponseHead.octets`)."""
    clock = Clock()
    stamp = clock.stamp
    times.pass_by(0.5)
    clock.tick()
    assert clock.stamp is stamp


@pytest.mark.parametrize("hours", [-2, 2], ids=["back", "ahead"])
def test_a_time_that_is_set_is_seen_within_a_second(times: Times, hours: int) -> None:
    clock = Clock()
    times.wall += hours * 3600
    times.pass_by(1)
    clock.tick()
    assert clock.stamp[23:31] == b"%02d:49:38" % (8 + hours)
