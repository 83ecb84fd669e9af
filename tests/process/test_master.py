"""What the master decides, without processes: where an order of events matters that no test can force."""

import logging
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.observe.scoreboard import Scoreboard, State
from pronghorn.process.children import Child, Generation, Role
from pronghorn.process.hooks import Hooks
from pronghorn.process.inbox import Told
from pronghorn.process.master import Master
from pronghorn.process.messages import Changed, Message, Retire
from pronghorn.process.options import ProcessOptions
from pronghorn.process.surroundings import Surroundings
from pronghorn.process.systemd import Notifier

ROWS = 16


class Job:
    options = ProcessOptions()
    patience = 1.0


class Fake:
    """A child's channel, which leads nowhere."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.fixture
def master() -> Iterator[Master]:
    nothing: Any = lambda *_: None  # noqa: E731
    around = Surroundings(
        listeners=[],
        board=Scoreboard(ROWS, 1),
        ring=nothing,
        hooks=Hooks("", {}),
        systemd=Notifier({}),
        predecessor=None,
        reread=Job,
        adopt_orphans=nothing,
        reopen=nothing,
        began=nothing,
        relieve=nothing,
        alone=nothing,
        directory="/",
        say=nothing,
        log=logging.getLogger("tests.master"),
    )
    master = Master(Job(), around)
    yield master
    master._inbox.close()


def worker(master: Master, generation: Generation, state: State = State.SERVING) -> Child:
    child = Child(Role.WORKER, generation, Fake(), None)  # type: ignore[arg-type]
    child.state = state
    master._children.add(child)
    return child


def coming(master: Master) -> Generation:
    assert master._next is not None
    return master._next


def a_while_ago(generation: Generation) -> None:
    generation.began -= 10


class TestAFileHasChanged:
    """--reload: each worker that watches it tells."""

    def test_one_reload_is_enough(self, master: Master) -> None:
        first, second = worker(master, master._now), worker(master, master._now)
        master._decide(Told(first, Changed("x.py")))
        begun = coming(master)
        master._decide(Told(second, Changed("x.py")))
        assert coming(master) is begun, "it has told of the same change"

    def test_another_change_during_the_reload_begins_it_anew(self, master: Master) -> None:
        first = worker(master, master._now)
        master._decide(Told(first, Changed("x.py")))
        begun = coming(master)
        starting = worker(master, begun, State.STARTING)
        a_while_ago(begun)
        master._decide(Told(first, Changed("x.py")))
        assert coming(master).number > begun.number
        assert (starting.state, first.state) == (State.LEAVING, State.SERVING)

    def test_who_has_imported_the_old_file_tells_before_it_serves(self, master: Master) -> None:
        """It watched before it imported: the change came after, whatever the others say and when."""
        first = worker(master, master._now)
        master._decide(Told(first, Changed("x.py")))
        begun = coming(master)
        starting = worker(master, begun, State.STARTING)
        master._decide(Told(starting, Changed("x.py")))
        assert coming(master).number > begun.number
        assert starting.state is State.LEAVING
        again = coming(master)
        master._decide(Told(first, Changed("x.py")))
        master._decide(Told(starting, Changed("x.py")))
        assert coming(master) is again, "once for all who tell of it"

    def test_who_writes_what_it_watches_is_no_endless_reload(self, master: Master) -> None:
        """A file that is made while the application is imported changes each time."""
        first = worker(master, master._now)
        master._decide(Told(first, Changed("app.py")))
        for _ in range(3):
            begun = coming(master)
            master._decide(Told(worker(master, begun, State.STARTING), Changed("made.py")))
        assert coming(master) is begun
        a_while_ago(begun)
        master._decide(Told(first, Changed("app.py")))
        assert coming(master) is not begun, "those who serve tell of what is new"

    def test_who_leaves_has_no_say(self, master: Master) -> None:
        old = worker(master, Generation(0, Job()), State.LEAVING)
        master._decide(Told(old, Changed("x.py")))
        assert master._next is None


class TestHowManyWorkers:
    def test_there_are_bounds(self, master: Master, caplog: pytest.LogCaptureFixture) -> None:
        """Rows for those that start and leave, too."""
        most = ROWS // 4
        for wanted, granted in [(most, most), (most + 1, most), (1, 1), (0, 1)]:
            caplog.clear()
            master._want(wanted)
            assert master._wanted == granted
            assert ("there are" in caplog.text) == (wanted != granted)

    def test_one_is_tried_while_births_fail_and_nobody_serves(self, master: Master) -> None:
        master._wanted = 4
        assert master._missing(master._now) == 4
        master._failed(master._now)
        assert master._missing(master._now) == 1
        worker(master, master._now)
        assert master._missing(master._now) == 3


def test_a_reload_that_is_given_up_does_not_say_that_others_serve_where_nobody_does(
    master: Master, caplog: pytest.LogCaptureFixture
) -> None:
    master._abandon(Generation(2, Job()), "Error: no such module.", "")
    assert "the reload is given up, generation 1 stays. Error: no such module." in caplog.text


class TestALimitOfMemoryThatLeavesNoRoom:
    """A replacement would hold as much."""

    WISH = Retire("it holds 34 MiB of memory", cramped=True)

    def test_who_has_reached_it_serves_for_a_minute(self, master: Master) -> None:
        child = worker(master, master._now)
        child.since = time.monotonic()
        master._decide(Told(child, self.WISH))
        master._replace()
        assert master._retirement.chosen is None
        child.since -= 60
        master._decide(Told(child, self.WISH))
        master._replace()
        assert master._retirement.chosen is child

    def test_others_do_not_wait_for_it(self, master: Master) -> None:
        master._wanted = 2
        first, second = worker(master, master._now), worker(master, master._now)
        first.since = time.monotonic()
        master._decide(Told(first, self.WISH))
        master._decide(Told(second, Retire("it has served 5 requests")))
        master._replace()
        assert master._retirement.chosen is second

    def test_one_warning_says_what_to_do(self, master: Master, caplog: pytest.LogCaptureFixture) -> None:
        for _ in range(3):
            child = worker(master, master._now)
            child.since = time.monotonic()
            master._decide(Told(child, self.WISH))
        assert caplog.text.count("Raise --max-worker-memory") == 1

    def test_who_reaches_it_late_is_replaced_as_any_other(
        self, master: Master, caplog: pytest.LogCaptureFixture
    ) -> None:
        child = worker(master, master._now)
        child.since = time.monotonic() - 60
        master._decide(Told(child, self.WISH))
        master._replace()
        assert master._retirement.chosen is child
        assert "Raise" not in caplog.text


def test_a_generation_has_settled_a_moment_after_it_began() -> None:
    generation = Generation(1, SimpleNamespace())  # type: ignore[arg-type]
    assert not generation.settled()
    a_while_ago(generation)
    assert generation.settled() and time.monotonic() > generation.began
