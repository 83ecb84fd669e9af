"""serve/threads.py: when the lookout takes the lead, and how often it looks."""

import time
from logging import getLogger
from typing import NamedTuple

import pytest

from pronghorn.serve.habit import BUSY, STARVED, TURNS
from pronghorn.serve.streams import Streams
from pronghorn.serve.threads import CALM_TICK, REST_TICK, TICK, Crew
from tests.serve.gauges import Delayed
from tests.serving import until


class Look(NamedTuple):
    """What the lookout saw, as of `Vigil`."""

    age: float
    own: float
    computes: bool
    another: bool = False

    def outrun(self) -> bool:
        return self.another


class TestWhetherTheLeadStays:
    """Where the lookout sees the same call again."""

    @pytest.mark.parametrize(
        ("look", "leader", "other", "stays"),
        [
            (Look(0.003, 0.003, True), False, False, True),  # it computes
            (Look(0.006, BUSY, True), True, False, False),  # and has for long
            (Look(0.003, 0.001, False), False, False, False),  # it waits
            (Look(0.015, 0.001, False), True, False, True),  # other processes have the processor
            (Look(STARVED, 0.001, False), True, False, False),
            (Look(0.015, BUSY, False), True, False, False),
            (Look(0.003, 0.001, False), False, True, True),  # another call has the interpreter
            (Look(TURNS, 0.001, False), False, True, False),
            (Look(0.03, 0.001, False, another=True), False, False, True),  # it has ended meanwhile
        ],
    )
    @pytest.mark.parametrize("busy", [True, False])
    def test_it(self, look: Look, leader: bool, other: bool, stays: bool, busy: bool) -> None:
        crew = self.crew(leader, other, busy)
        assert crew._may_stay(crew._members[0], look) is (stays and (not other or busy))  # type: ignore[arg-type]

    def test_not_beside_calls_that_compute_for_long(self) -> None:
        crew = self.crew(leader=False, other=True, busy=True)
        crew._members[2].clock = time.CLOCK_MONOTONIC  # it computes all the time
        crew._members[2].begin()
        assert crew._may_stay(crew._members[0], Look(0.003, 0.001, False))  # type: ignore[arg-type]
        until(lambda: crew._members[2].computed() > BUSY, "it has computed for long")
        assert not crew._may_stay(crew._members[0], Look(0.003, 0.001, False))  # type: ignore[arg-type]

    @pytest.mark.parametrize("busy", [True, False])
    def test_other_processes_may_have_the_processor_for_longer(self, busy: bool) -> None:
        crew = self.crew(leader=True, other=False, busy=busy)
        assert crew._may_stay(crew._members[0], Look(0.03, 0.001, False)) is not busy  # type: ignore[arg-type]

    def crew(self, leader: bool, other: bool, busy: bool) -> Crew[object]:
        crew: Crew[object] = Crew(2, print, print, print, Streams(getLogger("test")))
        crew._leader = crew._members[1]
        crew._members[1].gauge = Delayed(ready=leader)
        crew._members[2].gauge = Delayed(ready=other)
        crew._members[0].gauge = Delayed(ready=True)  # the lookout, who asks
        crew._idle = [] if busy else crew._members[2:]
        return crew

    @pytest.mark.parametrize(
        ("alert", "computes", "delayed", "tick"),
        [
            (False, True, 0.0, REST_TICK),
            (False, False, 1.0, CALM_TICK),
            (True, False, 0.5, TICK),
            (True, True, 0.5, CALM_TICK),
            (True, False, 0.7, CALM_TICK),
        ],
    )
    def test_the_next_look(self, alert: bool, computes: bool, delayed: float, tick: float) -> None:
        """After two seconds, in so many of which the leader was ready and did not run."""
        crew = self.crew(leader=True, other=False, busy=False)
        crew.turn.gauge = Delayed(7.0)
        crew._asked = crew.turn.gauge, time.monotonic() - 2, 7.0 - delayed
        crew._alert_until = time.monotonic() + 60 * alert
        crew._vigil.computes = computes
        assert crew._tick() == tick

    def test_another_leader_has_not_starved(self) -> None:
        crew = self.crew(leader=True, other=False, busy=False)
        crew.turn.gauge = Delayed(7.0)
        assert not crew._starves(time.monotonic())
        assert not crew._starves(time.monotonic() + 1)
