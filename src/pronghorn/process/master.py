"""The master: it has the sockets, makes workers, watches them, and obeys the operator.

It never imports the application and never parses HTTP, so hardly anything can hurt it. Whatever happens
comes through one inbox and is decided in one match (`_decide`); what is to be done about it follows from
what there is (`_plans`, `_replace`, `_take_over`), after each event anew.
"""

import logging
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from pronghorn.errors import StartupError
from pronghorn.observe.scoreboard import State
from pronghorn.process import birth
from pronghorn.process.birth import Birth
from pronghorn.process.children import NEVER, Child, Children, Generation, Job, Plan, Role
from pronghorn.process.herald import Herald
from pronghorn.process.inbox import STACKS, Called, Event, HungUp, Inbox, Signalled, Told
from pronghorn.process.messages import (
    Born,
    Changed,
    Failed,
    Fork,
    Leave,
    Promote,
    Quit,
    Ready,
    Reopen,
    Retire,
    Stacks,
    channels,
)
from pronghorn.process.patience import AFTERMATH, INTERRUPTED, QUICK, TICK, YOUNG
from pronghorn.process.retirement import Retirement
from pronghorn.process.surroundings import Surroundings
from pronghorn.process.upgrade import Handover
from pronghorn.process.vitals import Vitals


class Master:
    """One for each server; the main thread's."""

    def __init__(self, job: Job, around: Surroundings) -> None:
        self._around = around
        self._log = around.log
        self._inbox = Inbox()
        self._children = Children(around.board.rows)
        self._now = Generation(1, job)
        """What serves."""
        self._next: Generation | None = None
        """What is to serve when it is ready."""
        self._wanted = job.options.workers
        self._retirement = Retirement(self._children, around.log)
        self._served = False  # somebody has been ready
        self._ending = False
        self._relieved = False  # the old master was told to go
        self._herald = Herald(around)
        self._exit_code = 0
        self._tick_at = 0.0
        self._vitals = Vitals(around.log)
        self._handover = Handover(
            self._inbox, around.listeners, around.systemd, around.directory, around.log, self._end
        )

    def run(self) -> int | Birth:
        """Until stopped: the exit code. In a child: what it is to be."""
        with ExitStack() as leaving:
            self._inbox.catch_signals()
            leaving.callback(self._inbox.release_signals)
            self._around.adopt_orphans()
            if self._around.predecessor is not None:
                self._inbox.watch(self._around.predecessor.fileno(), self._predecessor_left)
            while True:
                for plan in self._plans():
                    born = self._make(plan)
                    if born is not None:
                        leaving.pop_all()
                        self._inbox.close()
                        return born
                for event in self._inbox.wait(self._until_next()):
                    try:
                        self._decide(event)
                    except Exception:  # a defect of ours must not cost the service its master
                        self._log.critical("a defect in the server; please report it", exc_info=True)
                self._look()
                self._take_over()
                self._relieve()
                self._replace()
                if self._ending and not len(self._children):
                    self._herald.hook("on_exit", self._now)
                    return self._exit_code

    # What has happened

    def _decide(self, event: Event) -> None:  # noqa: C901 (one match, by design)
        match event:
            case Signalled(signal.SIGTERM):
                self._end(quick=self._ending and not self._handover.done)
            case Signalled(signal.SIGINT | signal.SIGQUIT):
                if not self._served:
                    self._exit_code = INTERRUPTED
                self._end(quick=True)
            case Signalled(signal.SIGHUP):
                self._reload("HUP")
            case Signalled(signal.SIGTTIN):
                self._want(self._wanted + 1)
            case Signalled(signal.SIGTTOU):
                self._want(self._wanted - 1)
            case Signalled(signal.SIGUSR1):
                self._around.reopen()
                self._tell_all(Reopen())
            case Signalled(signal.SIGUSR2):
                if not self._ending:
                    self._handover.start()
            case Signalled(signal.SIGCHLD):
                self._reap()
            case Signalled(number) if number == STACKS:
                self._tell_all(Stacks())
            case Told(child, Born(pid)):
                child.is_born(pid)
            case Told(child, Ready()):
                self._ready(child)
            case Told(child, Failed() as failure):
                child.failure = failure
                self._birth_failed(child, failure.text)
            case Told(child, Retire() as wish):
                self._retirement.heed(child, wish)
            case Told(child, Changed(path)):
                # Each worker tells; one reload is enough. One that is to come has watched before it imported.
                itself = child.generation is self._next and not child.generation.again
                if itself or (child.generation is self._now and (self._next is None or self._next.settled())):
                    self._reload(f"{path} has changed", itself)
            case HungUp(child):
                child.gone = True
                self._reap()
            case Called(action):
                action()

    def _ready(self, child: Child) -> None:
        now = time.monotonic()
        if child.promoted:
            self._promoted(child)
            return
        if child.state is not State.STARTING:
            # It was told to end just when it began to serve, and drains now.
            child.tell(
                Quit() if child.role is Role.MOLD else self._leave(self._ending and not self._handover.begun)
            )
            child.until = now + child.generation.job.patience + AFTERMATH
            return
        child.become(State.SERVING, now)
        child.until = NEVER
        if child.role is Role.WORKER:
            self._around.ring()
            level = logging.INFO if self._served else logging.DEBUG  # the first has the banner
            self._log.log(level, "%s serves (generation %d)", child, child.generation.number)
            if not self._served:
                self._served = True
                with suppress(OSError):  # the terminal is gone
                    self._around.began()
                self._herald.ready(self._wanted, self._now)
                self._herald.hook("when_ready", self._now)

    def _relieve(self) -> None:
        """Once all serve, the old master may go."""
        if self._around.predecessor is None or self._relieved or self._ending:
            return
        self._relieved = len(self._children.serving(self._now)) >= self._wanted
        if self._relieved:
            self._around.relieve()

    # What is to be made

    def _plans(self) -> Iterator[Plan]:
        """What is missing now."""
        if self._ending:
            return
        now = time.monotonic()
        for generation in (self._now, self._next):
            if generation is None or now < generation.retry_at:
                continue
            if generation.job.options.preload and generation.mold is None:
                yield Plan(Role.MOLD, generation)
            elif generation.mold is None or generation.mold.state is State.SERVING:
                for _ in range(self._missing(generation)):
                    yield Plan(Role.WORKER, generation)

    def _missing(self, generation: Generation) -> int:
        """How many workers to start."""
        there = self._children.workers(generation, State.STARTING, State.SERVING)
        wanted = self._wanted
        unproven = generation is self._next or generation.failures
        if unproven and not self._children.serving(generation):
            wanted = 1  # first one: if it fails, it fails once
        if generation is self._now and self._retirement.chosen is not None:
            wanted += 1
        return max(0, wanted - len(there))

    def _make(self, plan: Plan) -> Birth | None:
        role, generation = plan
        number = self._children.free_row() if role is Role.WORKER else -1
        if number is None:
            self._log.error("there are more workers than the scoreboard has rows")
            self._failed(generation)
            return None
        row = self._around.board.row(number) if number >= 0 else None
        pid = 0
        try:
            order = Fork(number, generation.number, shares=self._wanted > 1)
            if generation.mold is not None:
                ours, theirs = channels()
                generation.mold.channel.send(order, theirs.fileno())
                theirs.close()
            else:
                made = birth.fork(role, generation.job, order)
                if isinstance(made, Birth):
                    self._forget_all()
                    return made
                pid, ours = made
        except OSError as error:  # no memory, no processes, no descriptors
            delay = self._failed(generation)
            self._log.error("a %s cannot be made: %s; next attempt in %.1f s", role.value, error, delay)
            return None
        self._enrol(Child(role, generation, ours, row), pid)
        return None

    def _enrol(self, child: Child, pid: int) -> None:
        now = time.monotonic()
        child.pid = pid
        child.since = now
        child.until = now + child.generation.job.options.boot_timeout
        if child.row is not None:
            child.row.open(pid, child.generation.number, now)
        if child.role is Role.MOLD:
            child.generation.mold = child
        self._children.add(child)
        self._inbox.watch(child.channel.fileno(), child)

    def _forget_all(self) -> None:
        """In a child: the others' channels are not its own."""
        for child in self._children:
            child.channel.close()
        self._handover.close()
        if self._around.predecessor is not None:
            self._around.predecessor.close()

    # Who takes over from whom

    def _reload(self, why: str, again: bool = False) -> None:
        if self._ending:
            return
        try:
            job = self._around.reread()
        except (StartupError, OSError, ImportError) as error:
            self._log.error("%s: the settings cannot be used, the old ones stay: %s", why, error)
            self._herald.reloading()
            self._herald.ready(self._wanted, self._now)
            return
        self._log.info("reload: %s", why)
        self._herald.reloading()
        self._herald.hook("on_reload", self._now)
        if self._next is not None:
            self._drop(self._next)
        if job.options.workers != self._now.job.options.workers:
            self._wanted = job.options.workers
        self._next = Generation(self._newest() + 1, job, again)

    def _newest(self) -> int:
        return max([self._now.number, *(child.generation.number for child in self._children)])

    def _take_over(self) -> None:
        """The next generation serves once enough of it are ready; the older ones drain."""
        coming = self._next
        if coming is None or self._ending or len(self._children.serving(coming)) < self._wanted:
            return
        self._log.info("generation %d takes over", coming.number)
        self._now, self._next = coming, None
        self._retirement.chosen = None
        for child in self._children:
            if child.generation is not coming:
                self._send_away(child)
        self._herald.ready(self._wanted, self._now)

    def _promoted(self, child: Child) -> None:
        """A warmed-up worker has drained and is a mold now: workers of its kind replace the others."""
        if self._next is not None or self._ending or child.generation is not self._now:
            self._send_away(child, quick=True)
            return
        coming = Generation(self._newest() + 1, child.generation.job)
        coming.reforked = True
        coming.mold = child
        child.turn_into_mold(coming)
        child.become(State.SERVING, time.monotonic())
        self._next = coming

    def _abandon(self, generation: Generation, why: str, trace: str) -> None:
        """What was to come did not get ready."""
        self._next = None
        self._drop(generation)
        self._log.error(
            "the reload is given up, generation %d stays. %s%s",
            self._now.number,
            why,
            f"\n{trace}" if trace else "",
        )
        self._herald.ready(self._wanted, self._now)

    def _drop(self, generation: Generation) -> None:
        """It is not to take over; those of it that serve already finish what they have begun."""
        for child in self._children:
            if child.generation is generation:
                self._send_away(child)

    def _replace(self) -> None:
        if self._ending or self._next is not None:
            return
        leaver = self._retirement.who_goes(self._now, self._wanted)
        if leaver is not None:
            self._send_away(leaver)

    def _want(self, workers: int) -> None:
        if workers < 1 or workers > self._around.board.rows // 4:
            self._log.warning("there are %d workers already", self._wanted)
            return
        if self._wanted == 1:  # it does not know how to share
            self._retirement.ask(*self._children.serving(self._now))
        self._wanted = workers
        self._log.info("%d workers are wanted", workers)

    # Ends

    def _send_away(self, child: Child, quick: bool = False) -> None:
        """It leaves, in its own time or at once."""
        if child.state is State.LEAVING and not quick:
            return
        if child.state is State.STARTING:
            child.unready = True
            child.kill(signal.SIGTERM)  # it reads no messages yet
            child.until = time.monotonic() + QUICK
        elif quick or child.role is Role.MOLD:
            child.tell(Quit())
            child.until = time.monotonic() + QUICK
        else:
            final = self._ending and not self._handover.begun
            warm = child.promoted and child.generation is self._now and not self._ending
            child.tell(Promote() if warm else self._leave(final))
            child.until = time.monotonic() + child.generation.job.patience + AFTERMATH
        child.become(State.LEAVING, time.monotonic())

    def _leave(self, final: bool) -> Leave:
        return Leave(final, sole=any(listener.sole for listener in self._around.listeners))

    def _end(self, quick: bool = False) -> None:
        if not self._ending:
            level = logging.INFO if self._served else logging.DEBUG
            self._log.log(level, "the server ends%s", " at once" if quick else "")
            if self._handover.begun:
                self._handover.renounce()
            elif self._around.predecessor is None or self._relieved:
                self._herald.stopping()
        self._ending = True
        for child in self._children:
            self._send_away(child, quick)

    def _tell_all(self, message: Reopen | Stacks) -> None:
        for child in self._children:  # those that start read it when they serve
            child.tell(message)

    def _reap(self) -> None:
        for pid, code in birth.reap():
            child = self._children.with_pid(pid)
            if child is not None:
                self._ended(child, code)
        for child in self._children:
            if child.gone and not (child.pid and birth.alive(child.pid)):
                self._ended(child, None)

    def _ended(self, child: Child, code: int | None) -> None:
        self._inbox.ignore(child.channel.fileno())
        for message in child.channel.receive()[0]:  # its last words
            self._decide(Told(child, message))
        self._children.remove(child)
        self._around.ring()  # it may have been woken for a connection
        if child.state is State.LEAVING:
            if code and not child.unready and child.role is Role.WORKER:
                self._exit_code = 1 if self._ending else 0
                self._log.warning("%s, which was leaving, %s", child, birth.how(code))
        elif child.state is State.STARTING:
            self._birth_failed(child, birth.too_early(child, code, "it was ready"))
        elif child.generation is self._next and child.role is Role.WORKER and not self._ending:
            self._abandon(self._next, birth.too_early(child, code, "it was to take over"), "")
        else:
            now, delay = time.monotonic(), 0.0
            if now - child.since < YOUNG:
                delay = child.generation.failed(now, child.since, served=True)
            if not self._children.serving():
                child.generation.hurry(now)
            level = logging.ERROR if code else logging.INFO  # an operator may have told it to leave
            when = f" in {delay:.1f} s" if delay else ""
            self._log.log(level, "%s %s; it is replaced%s", child, birth.how(code), when)

    def _failed(self, generation: Generation, since: float = NEVER) -> float:
        """A birth, which began at `since`: the seconds to wait before the next."""
        return generation.failed(time.monotonic(), since, alone=not self._children.serving())

    def _birth_failed(self, child: Child, why: str, end: signal.Signals = signal.SIGTERM) -> None:
        """It will not get ready: what that means depends on who else serves."""
        if child.state is not State.STARTING:
            return
        since = child.since
        child.become(State.LEAVING, time.monotonic())
        child.until = time.monotonic() + QUICK
        child.unready = True
        child.kill(end)
        generation = child.generation
        failure = child.failure
        trace = failure.trace if failure else ""
        if self._ending:
            return
        if not self._served:
            self._exit_code = failure.code if failure else 3
            self._around.say(why if failure else f"Error: {why}", trace)
            self._end(quick=True)
        elif generation is self._next:
            self._abandon(generation, why, trace)
        else:
            delay = self._failed(generation, since)
            others = "The others go on" if self._children.serving() else "Nobody serves, new requests wait"
            after = f"\n{trace}" if trace else ""
            self._log.error("%s\n  %s; the next attempt is in %.1f s.%s", why, others, delay, after)

    # The time

    def _until_next(self) -> float:
        """Seconds until something has to be looked at."""
        now = time.monotonic()
        times = [self._tick_at] + [child.until for child in self._children]
        times += [one.retry_at for one in (self._now, self._next) if one is not None and one.retry_at > now]
        return min(times) - now

    def _look(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if now >= child.until:
                self._too_late(child, now)
        if now < self._tick_at:
            return
        self._tick_at = now + min(TICK, self._around.systemd.watchdog_interval or TICK)
        self._reap()
        alive = False
        for child in self._children.workers(None, State.SERVING, State.LEAVING):
            alive = self._vitals.look_at(child, now) or alive
            if now - child.since > YOUNG:
                child.generation.thrives(child.since)
            if self._vitals.is_warm(child, self._now):
                self._now.reforked = child.promoted = True
                self._log.info("%s is to become the mold", child)
                self._retirement.ask_first(child)
        if alive:
            self._herald.alive()
        self._herald.again()

    def _too_late(self, child: Child, now: float) -> None:
        if child.state is State.STARTING:
            limit = child.generation.job.options.boot_timeout
            # faulthandler writes where it hangs
            why = f"{child} was not ready within {limit:g} s.".capitalize()
            self._birth_failed(child, why, signal.SIGABRT)
            if not child.pid:  # nobody was ever born
                self._ended(child, None)
                if child.generation.mold is not None:
                    child.generation.mold.kill(signal.SIGKILL)
        else:
            child.kill(signal.SIGKILL)
            child.until = now + 1.0

    def _predecessor_left(self) -> None:
        assert self._around.predecessor is not None
        self._inbox.ignore(self._around.predecessor.fileno())
        self._around.alone()
