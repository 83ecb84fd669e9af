"""serve/timers.py: nothing expires early, and nothing is late by more than the resolution."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from pronghorn.serve.timers import NEVER, RESOLUTION, Timers

LATE = RESOLUTION + 1e-6
"""Seconds: the latest that anything may expire; floats are not exact."""


@dataclass(eq=False)
class Timed:
    deadline: float = NEVER
    bucket: int = 0
    due: float = NEVER
    expirations: int = field(default=0)

    def expired(self) -> None:
        self.expirations += 1


def new() -> Timers:
    def failed(timed: object, error: Exception) -> None:
        raise error

    return Timers(failed)


def watched(timers: Timers, deadline: float) -> Timed:
    timed = Timed(deadline)
    timers.watch(timed)
    return timed


def test_nothing_to_wait_for() -> None:
    assert new().wait(NEVER, 100.0) == -1


def test_expires_once_and_not_before_its_deadline() -> None:
    timers = new()
    timed = watched(timers, 100.0)
    timers.run(99.99)
    assert timed.expirations == 0
    timers.run(100.0 + LATE)
    assert timed.expirations == 1
    timers.run(200.0)
    assert timed.expirations == 1
    assert timers.wait(NEVER, 200.0) == -1


def test_wait_is_the_time_to_the_next_bucket() -> None:
    timers = new()
    watched(timers, 103.0)
    watched(timers, 101.0)
    assert 1.0 <= timers.wait(NEVER, 100.0) <= 1.0 + LATE
    assert timers.wait(NEVER, 110.0) == 0.0


def test_a_deadline_that_moved_on_needs_no_telling() -> None:
    timers = new()
    timed = watched(timers, 100.0)
    timed.deadline = 150.0
    timers.run(100.0 + LATE)
    assert timed.expirations == 0
    assert 49.0 < timers.wait(NEVER, 100.0 + LATE) <= 50.0
    timers.run(150.0 + LATE)
    assert timed.expirations == 1


def test_a_deadline_that_moved_nearer_is_announced() -> None:
    timers = new()
    timed = watched(timers, 150.0)
    assert timed.due > 150.0 - RESOLUTION
    timed.deadline = 100.0
    timers.watch(timed)
    timers.run(100.0 + LATE)
    assert timed.expirations == 1
    assert timers.wait(NEVER, 100.0) == -1


def test_a_deadline_taken_away_never_expires() -> None:
    timers = new()
    timed = watched(timers, 100.0)
    timed.deadline = NEVER
    timers.run(1000.0)
    assert timed.expirations == 0
    assert timers.wait(NEVER, 1000.0) == -1


def test_a_deadline_set_again_after_it_was_taken_away() -> None:
    timers = new()
    timed = watched(timers, 100.0)
    timed.deadline = NEVER
    timers.run(101.0)
    timed.deadline = 110.0
    assert timed.deadline < timed.due, "it stands in no bucket, so it must be announced"
    timers.watch(timed)
    timers.run(110.0 + LATE)
    assert timed.expirations == 1


def test_forgotten() -> None:
    timers = new()
    timed, other = watched(timers, 100.0), watched(timers, 100.0)
    timers.forget(timed)
    timers.forget(timed)
    timers.run(101.0)
    assert (timed.expirations, other.expirations) == (0, 1)
    assert timed.due == NEVER


def test_wait_heeds_an_alarm() -> None:
    timers = new()
    assert timers.wait(105.0, 100.0) == 5.0
    watched(timers, 103.0)
    assert 3.0 <= timers.wait(105.0, 100.0) <= 3.0 + LATE
    assert timers.wait(101.0, 100.0) == 1.0
    assert timers.wait(99.0, 100.0) == 0.0


def test_one_that_fails_does_not_harm_its_neighbours() -> None:
    failures: list[object] = []
    timers = Timers(lambda timed, error: failures.append((timed, str(error))))

    class Broken(Timed):
        def expired(self) -> None:
            raise ValueError("broken")

    broken, before, behind = Broken(100.0), watched(timers, 100.0), watched(timers, 100.0)
    timers.watch(broken)
    timers.run(101.0)
    assert failures == [(broken, "broken")]
    assert (before.expirations, behind.expirations) == (1, 1)


def test_expired_may_watch_again() -> None:
    timers = new()

    class Again(Timed):
        def expired(self) -> None:
            super().expired()
            self.deadline += 1.0
            timers.watch(self)

    timed = Again(100.0)
    timers.watch(timed)
    for now in (100.1, 101.1, 102.1):
        timers.run(now)
    assert timed.expirations == 3


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.sampled_from(["move", "take away", "forget"]),
            st.floats(0.0, 3.0, allow_nan=False),
            st.floats(0.0, 1.0, allow_nan=False),
        ),
        max_size=40,
    )
)
def test_any_history(history: list[tuple[int, str, float, float]]) -> None:
    """Deadlines move as connections move them; the loop waits as the worker does."""
    timers = new()
    now = 100.0
    wanted: dict[Timed, float] = {}
    everybody = [Timed() for _ in range(5)]

    def pass_time(until: float) -> None:
        nonlocal now
        while True:
            wait = timers.wait(NEVER, now)
            now = min(until, now + wait + 1e-9) if wait >= 0 else until
            before = {timed: timed.expirations for timed in everybody}
            timers.run(now)
            for timed in everybody:
                if timed.expirations > before[timed]:
                    deadline = wanted.pop(timed)
                    assert deadline <= now <= deadline + LATE
            assert all(now <= deadline + LATE for deadline in wanted.values())
            if now >= until:
                return

    for at, action, ahead, pause in history:
        timed = everybody[at]
        wanted.pop(timed, None)
        timed.deadline = NEVER
        if action == "move":
            wanted[timed] = timed.deadline = now + ahead
            if timed.deadline < timed.due:
                timers.watch(timed)
        elif action == "forget":
            timers.forget(timed)
        pass_time(now + pause)
    pass_time(now + 10.0)
    assert not wanted
