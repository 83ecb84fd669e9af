"""When a worker asks to be replaced."""

import pytest

from pronghorn.observe.scoreboard import Scoreboard
from pronghorn.serve import pulse
from pronghorn.serve.pulse import Lifetime, Pulse

HELD = 100 << 20
"""What the process holds when it begins."""


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(HELD // 2, "cramped"), (HELD + 1, "cramped"), (HELD * 2, "retire")],
    ids=["below", "hardly above", "well above"],
)
def test_a_limit_of_memory_that_leaves_no_room_is_told_apart(
    limit: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(pulse, "resident", lambda pid: HELD)
    beating = Pulse(
        Scoreboard(1, 1).row(0),
        Lifetime(memory=limit),
        lambda reason: asked.append(("retire", reason)),
        lambda reason: asked.append(("cramped", reason)),
    )
    monkeypatch.setattr(pulse, "resident", lambda pid: HELD * 3)
    for now in (1.0, 2.0):
        beating.beat(now, 0, 0, 0, 0)
    assert asked == [(expected, "it holds 300 MiB of memory")], "once"
