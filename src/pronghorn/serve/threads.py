"""Who runs what: one thread leads, the others rest until they are needed.

The leader alone waits in the poller and runs quick application calls itself, so a quick request costs
no switch between threads. Before each call it puts the lead up for grabs (`slot`). One resting thread,
the lookout, looks every few milliseconds whether the same call is still running; if so it takes the lead,
and the old leader finds the slot empty when its call returns: it finishes its request and rests.

    leader:   calls += 1;  slot = token = [connection];  call;  token.pop()    IndexError: the lead is gone
    lookout:  the same call as at the last look?        slot.pop()            IndexError: it has returned

`list.pop` is atomic, so exactly one of the two gets the lead. Each call has a list of its own: the old
leader must not take back the lead that the new one offers during a call of its own. Where calls are
usually slow, the leader hands the lead to a resting thread before the call instead.

There is one thread more than calls may run at once, so somebody can always lead. With `--threads 1` the
calls all run on the first thread; the second leads only while the first is in a slow call.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from pronghorn.serve.effort import NO_GAUGE, Gauge, own_clock, spent
from pronghorn.serve.habit import BUSY, STARVED, TURNS, Habit
from pronghorn.serve.streams import Streams
from pronghorn.serve.turn import Turn
from pronghorn.serve.vigil import Orders, Vigil

Task = TypeVar("Task")

TICK = 0.001
"""Seconds between two looks: a call that waits keeps the lead for two at most, or beside calls that compute
briefly, which it may be waiting for, for TURNS."""

CALM_TICK = 0.005
REST_TICK = 0.01
ALERT = 5.0
"""Where the leader computes, or would if it had the processor, the lookout looks less often, and where no
call has been slow for ALERT seconds; least, where both is so. Each look costs the leader a fight for the
interpreter, at TICK 2 % of small requests' time, 8 % of pages' (compiled, a switch between threads: `vigil`).
"""

_STARVES = 0.3
"""Of the time, in which the leader was ready and did not run: calls that make no progress do not wait."""

DROWSY = 20
"""Ticks without a call after which the lookout rests: waking it costs a system call, ticking does too."""


class Order(Enum):
    """What a resting thread is woken for."""

    LEAD = "lead"
    WATCH = "watch"
    CALL = "run a waiting request"
    STOP = "end"


class Member:
    """One thread of the crew."""

    __slots__ = ("_began", "clock", "gauge", "ident", "may_call", "number", "orders", "thread")

    def __init__(self, number: int, may_call: bool) -> None:
        self.number = number
        self.may_call = may_call
        self.ident = 0
        """threading.get_ident(), once it lives."""
        self.clock = 0
        """Of the processor time that it has spent (`effort`), once it lives; 0 for none."""
        self.gauge = Gauge()
        """What else the system says of it."""
        self.thread: threading.Thread | None = None
        self.orders = Orders()
        self._began = 0.0

    def begin(self) -> None:
        """Its call runs without the lead from now on. Its own thread, or who takes the lead."""
        self._began = spent(self.clock)

    def computed(self) -> float:
        """Processor seconds that it has spent since. Any thread."""
        return spent(self.clock) - self._began

    def give(self, order: Order) -> None:
        """Wake it. Only for a thread that rests or watches."""
        self.orders.put(order)


class Taken(NamedTuple, Generic[Task]):
    """A call that was running when its leader lost the lead. since: time.monotonic() when the lookout first
    saw it, at most a tick late."""

    task: Task
    member: Member
    since: float


class Crew(Generic[Task]):
    """The threads of one worker. The hot path has `turn`; the rest is locked."""

    def __init__(
        self,
        threads: int,
        lead: Callable[[Member], None],
        run: Callable[[Task, Member], None],
        nudge: Callable[[], None],
        streams: Streams,
    ) -> None:
        """lead: the leader's loop, until the lead is lost or the work is over. run: a call of a waiting task,
        by this member. nudge: make the leader look around. streams: what the lookout sends on."""
        self.turn = Turn()
        self._streams = streams
        self.habit = Habit(self.turn, lambda: self.busy, self._delayed)
        self._vigil = Vigil(self.turn, streams)
        self._alert_until = 0.0  # a call was slow not long ago
        self._streams_until = 0.0  # blocks were to be held back not long ago
        self._asked = NO_GAUGE, 0.0, 0.0  # of whom, when, and what it said
        self._lock = threading.Lock()
        self._idle: list[Member] = []  # last in, first out: the warmest cache
        self._lookout: Member | None = None
        self._waiting: deque[Task] = deque()
        self._leader: Member | None = None
        self._taken: Taken[Task] | None = None
        self._wanted: Member | None = None  # rests, and is to have the lead again
        self._give_back = False  # there is one; read without the lock
        self._over = threading.Event()
        self.first_ended = threading.Event()
        """With one thread: the calling thread of `work` runs no call any more."""
        self._waiter = 0  # the thread that only waits
        self._lead = lead
        self._run = run
        self._nudge = nudge
        self._alone = threads == 1
        self._members = [Member(at, may_call=at == 0 or not self._alone) for at in range(threads + 1)]

    # Any thread

    def work(self) -> None:
        """Until `stop`. One call at a time runs on the calling thread; otherwise the calling thread only
        waits, so that signals reach it and nothing that is stuck can hold it."""
        first, *others = self._members
        self._idle = list(others)
        for at, member in enumerate(self._members):
            if member is first and self._alone:
                continue
            thread = threading.Thread(
                target=self._member, args=(member,), name=f"pronghorn-{at}", daemon=True
            )
            member.thread = thread
            thread.start()
        first.give(Order.LEAD)
        if self._alone:
            self._member(first)
            self.first_ended.set()
        self._waiter = threading.get_ident()
        self._over.wait()

    def stop(self) -> None:
        """The work is over: every resting thread ends, the others when their calls end."""
        with self._lock:
            self._over.set()
            resting = self._idle
            self._idle = []
            for member in (self._lookout, self._wanted):
                if member is not None:
                    resting.append(member)
            self._lookout = self._wanted = None
            self.turn.watched = False
        for member in resting:
            member.give(Order.STOP)

    def join(self, timeout: float) -> None:
        """Wait for the threads to end, for at most `timeout` seconds."""
        until = time.monotonic() + timeout
        for member in self._members:
            if member.thread is not None and member.thread is not threading.current_thread():
                member.thread.join(max(0.0, until - time.monotonic()))
        for member in self._members:
            member.gauge.close()

    @property
    def crowded(self) -> bool:
        """Every thread that may call is in a call."""
        return not self._idle and not self.turn.watched

    @property
    def queued(self) -> int:
        """Requests that wait for a thread."""
        return len(self._waiting)

    @property
    def busy(self) -> int:
        """Threads in calls, about."""
        return len(self._members) - 1 - len(self._idle) - self.turn.watched

    def roles(self) -> dict[int, str]:
        """What those threads do that are in no call, by identifier."""
        with self._lock:
            roles = {member.ident: "rests" for member in self._idle}
            for member, role in (
                (self._leader, "leads"),
                (self._lookout, "looks out"),
                (self._wanted, "waits for the lead"),
            ):
                if member is not None:
                    roles[member.ident] = role
        if self._waiter:
            roles[self._waiter] = "waits for signals"
        return roles

    def keeps_lead(self) -> bool:
        """Whether the calling thread leads, after an exception; its call is over."""
        with self._lock:
            leader = self._leader
            leads = leader is not None and leader.ident == threading.get_ident()
            if leads:
                self.turn.slot.clear()
        return leads

    # Leader only

    @property
    def leader(self) -> Member:
        assert self._leader is not None
        return self._leader

    def post_lookout(self, task: Task) -> bool:
        """Somebody must watch before a call is run inline. False: nobody is free, the task waits instead."""
        with self._lock:
            if self.turn.watched:
                return True
            leader = self._leader
            if not self._idle or (leader is not None and not leader.may_call):
                self._waiting.append(task)
                return False
            self._lookout = lookout = self._idle.pop()
            self.turn.watched = True
        lookout.give(Order.WATCH)
        return True

    def hand_on(self) -> None:
        """Give the lead to a resting thread. The slot must be empty; somebody rests or watches."""
        self.leader.begin()
        with self._lock:
            if self._idle:
                member = self._idle.pop()
            else:
                assert self._lookout is not None
                member = self._lookout
                self._lookout = None
                self.turn.watched = False
            self._appoint(member)
        member.give(Order.LEAD)

    def next_waiting(self) -> Task | None:
        """A request that waited, if the leader may run it."""
        with self._lock:
            leader = self._leader
            if self._waiting and leader is not None and leader.may_call and (self._idle or self._lookout):
                return self._waiting.popleft()
        return None

    def withdraw(self, task: Task) -> bool:
        """Take it out of those that wait for a thread. False: it does not, or somebody has just taken it."""
        with self._lock:
            try:
                self._waiting.remove(task)
            except ValueError:
                return False
        return True

    def gave_lead_back(self) -> bool:
        """Whether the lead has just gone back to the thread that runs the calls."""
        if not self._give_back:
            return False
        with self._lock:
            self._give_back = False
            member, self._wanted = self._wanted, None
            if member is not None:
                self._appoint(member)
        if member is not None:
            member.give(Order.LEAD)
        return member is not None

    def taken_over(self) -> Taken[Task] | None:
        """The call from which the new leader has taken the lead. It may have ended since."""
        taken = self._taken
        self._taken = None
        if taken is not None:
            self.habit.taken_over()
        return taken

    # Members

    def _member(self, me: Member) -> None:
        """A thread's life: rest, obey, rest."""
        me.ident = threading.get_ident()
        me.clock = own_clock() or 0
        if me.clock:
            me.gauge.open()
        while True:
            order = me.orders.get()
            if order is Order.WATCH:
                order = self._watch(me)
            if order is Order.STOP:
                return
            if order is Order.LEAD:
                with self._lock:
                    self._appoint(me)
                self._lead(me)
            if not self._rest(me):
                return

    def _rest(self, me: Member) -> bool:
        """Run what waits, then be ready for an order. False: the work is over."""
        while True:
            with self._lock:
                if self._over.is_set():
                    return False
                if not self._waiting or not me.may_call or self.habit.settles(time.monotonic()):
                    break
                task = self._waiting.popleft()
            me.begin()
            self._run(task, me)
        return self._lie_down(me)

    def _lie_down(self, me: Member) -> bool:
        with self._lock:
            if self._over.is_set():
                return False
            if self._waiting and me.may_call and not self.habit.settles(time.monotonic()):
                me.give(Order.CALL)  # it came between the locks
                return True
            back = me.may_call and self._leader is not None and not self._leader.may_call
            if back:
                self._wanted = me
                self._give_back = True
            else:
                self._idle.append(me)
            if not back and not self._waiting:
                return True
        self._nudge()  # the leader gives the lead back, or may run what waits now that somebody rests
        return True

    def _watch(self, me: Member) -> Order:
        """The lookout, until it is given another order or takes the lead; when nothing happens, it rests."""
        try:
            return self._look_out(me)
        finally:
            self._streams.stop()

    def _look_out(self, me: Member) -> Order:
        vigil = self._vigil
        vigil.begin()
        idle, tick = 0, self._tick()
        while True:
            order: Order | None = vigil.keep(me.orders, tick)
            if order is None:
                sent = self._streams.flush()
                if vigil.moved or vigil.outrun():
                    idle, tick = 0, self._tick()
                elif self.turn.slot:
                    if not self._may_stay(me, vigil) and self._take_lead(me, max(tick, vigil.age)):
                        return Order.LEAD
                elif sent:
                    idle = 0
                elif (idle := idle + 1) > DROWSY:
                    if self._doze_off(me):
                        order = me.orders.get()
                    else:
                        tick = self._tick()
            if order is Order.WATCH:  # it had dozed off
                vigil.begin()
                idle, tick = 0, self._tick()
            elif order is not None:
                return order

    def _tick(self) -> float:
        """Seconds until the next look. The lookout."""
        streams, now = self._streams, time.monotonic()
        if streams.wanted:
            streams.wanted = False
            self._streams_until = now + ALERT
        streams.ticking = now < self._streams_until
        alert = now < self._alert_until
        computes = self._vigil.computes
        if streams.ticking or (alert and not computes and not self._starves(now)):
            return TICK
        return REST_TICK if computes and not alert else CALM_TICK

    def _starves(self, now: float) -> bool:
        """Other processes have had the processor since we last asked. The lookout, of the leader."""
        gauge = self.turn.gauge
        delayed = gauge.delayed()
        of, at, before = self._asked
        self._asked = gauge, now, delayed
        return of is gauge and delayed - before > _STARVES * (now - at)

    def _appoint(self, member: Member) -> None:
        """It has the lead from now on. Under the lock."""
        self._leader = member
        self.turn.clock, self.turn.gauge = member.clock, member.gauge

    def _take_lead(self, me: Member, age: float) -> bool:
        """age: seconds since the lookout first saw the call, if it was this one."""
        with self._lock:
            if self._lookout is not me:
                return False  # an order is on its way
            try:
                task = self.turn.slot.pop()
            except IndexError:
                return False  # the call has just returned
            now = time.monotonic()
            self.leader.begin()
            self._taken = Taken(task, self.leader, now if self._vigil.outrun() else now - age)
            self._alert_until = now + ALERT
            self._lookout = None
            self.turn.watched = False
            self._appoint(me)
        return True

    def _may_stay(self, me: Member, vigil: Vigil) -> bool:
        """The lead, where it is: its call computes, or would if it had the interpreter, or the processor that
        other processes have; or it has ended meanwhile. The lookout."""
        if vigil.own < BUSY:
            resting = {me, self._wanted, *self._idle}
            callers = [member for member in self._members if member not in resting]
            if len(callers) == 1:
                limit = STARVED
            elif vigil.computes:
                limit = BUSY
            else:  # who computes for long does not let go of the interpreter soon
                limit = TURNS if all(m.computed() < BUSY for m in callers if m is not self._leader) else 0.0
            if vigil.age < limit and (vigil.computes or any(member.gauge.ready() for member in callers)):
                return True
        return self.habit.competes(vigil.age) or vigil.outrun()

    def _delayed(self) -> float:
        """Seconds that the threads were ready, and others had the processor."""
        return sum(member.gauge.delayed() for member in self._members)

    def _doze_off(self, me: Member) -> bool:
        """Rest until the next call. The leader counts its call before it looks at `watched`, and we the
        other way round: one of us sees the other."""
        self._streams.stop()
        with self._lock:
            if self._lookout is not me:
                return False
            self.turn.watched = False
            if self._vigil.outrun():
                self.turn.watched = True
                return False
            self._lookout = None
            self._idle.append(me)
        return True
