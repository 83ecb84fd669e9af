"""serve/outbox.py: answers that the leader keeps for their group are sent once, in order, by one thread."""

import threading
from typing import Any

import pytest

from pronghorn.errors import ClientDisconnected
from pronghorn.serve import outbox as outbox_module
from pronghorn.serve.poll_round import PollRound
from tests.serve.desk import ENDLESS, Desk, Wire, in_thread
from tests.serving import PATIENCE


def kept(room: int = ENDLESS) -> Desk:
    """With an answer that its leader keeps."""
    desk = Desk(room)
    desk.outbox.lead = token = ["call"]
    desk.outbox.keep(b"answer")
    token.pop()
    return desk


# An outbox's answer


def test_the_leader_keeps_it_until_the_others_leave() -> None:
    desk = kept()
    assert not desk.wire.sends
    desk.outbox.depart()
    assert desk.wire.taken == b"answer"
    desk.outbox.depart()
    assert desk.wire.sends == 1


def test_who_has_lost_the_lead_sends_at_once() -> None:
    desk = Desk(ENDLESS)
    desk.outbox.lead = []
    desk.outbox.keep(b"answer")
    assert desk.wire.taken == b"answer"


@pytest.mark.parametrize("end", ["release", "end_batch"])
def test_what_is_sent_next_comes_behind_it(end: str) -> None:
    desk = kept()
    getattr(desk.outbox, end)()
    desk.outbox.put(b", next")
    assert desk.wire.taken == b"answer, next"


def test_what_the_socket_does_not_take_waits_and_the_leader_hears_of_it() -> None:
    desk = kept(room=3)
    desk.outbox.depart()
    assert (desk.wire.taken, desk.outbox.waiting, desk.asked) == (b"ans", True, 1)
    desk.make_room(10)
    assert desk.wire.taken == b"answer"


def test_the_leader_hears_of_a_client_that_is_gone() -> None:
    desk = kept()
    desk.wire.gone = True
    desk.outbox.depart()
    assert (desk.outbox.broken, desk.asked) == (True, 1)
    desk.outbox.lead = []
    with pytest.raises(ClientDisconnected):
        desk.outbox.keep(b"answer")


def test_a_defect_costs_the_connection_and_not_the_others() -> None:
    answered = [(broken := kept()).outbox, (other := kept()).outbox]
    broken.wire.defect = True
    poll_round = PollRound(answered)
    with pytest.raises(MemoryError):
        poll_round.depart()
    assert (broken.outbox.broken, broken.asked) == (True, 1)
    poll_round.depart()
    assert other.wire.taken == b"answer"
    assert not answered


@pytest.mark.parametrize("before", ["waits", "batch"])
def test_what_was_to_be_sent_before_it_is(before: str) -> None:
    desk = Desk(3 if before == "waits" else ENDLESS)
    desk.outbox.put(b"first", more=before == "batch")
    desk.outbox.lead = ["call"]
    desk.outbox.keep(b", second")
    assert desk.outbox.kept is None
    desk.make_room(ENDLESS)
    desk.outbox.end_batch()
    assert desk.wire.taken == b"first, second"


def test_the_lookout_does_not_send_it() -> None:
    """It looks for held blocks, and those of the answer before may have left meanwhile."""
    desk = Desk(ENDLESS)
    streams = desk.outbox._streams
    streams.ticking = True
    desk.outbox.hold(b"block")
    desk.outbox.end_batch()
    desk.outbox.lead = token = ["call"]
    desk.outbox.keep(b", answer")
    token.pop()
    streams.flush()
    assert desk.wire.taken == b"block"
    desk.outbox.depart()
    assert desk.wire.taken == b"block, answer"


def test_nothing_is_sent_behind_the_end() -> None:
    desk = kept()
    desk.outbox.close()
    desk.outbox.depart()
    assert not desk.wire.sends


class Watched(Wire):
    """Notes whether each send has the lock, so that nobody sends behind it before it has ended."""

    def __init__(self) -> None:
        super().__init__(ENDLESS)
        self.locked: list[bool] = []

    def send(self, data: Any) -> int:
        self.locked.append(outbox_module._taking.locked())
        return super().send(data)


@pytest.mark.parametrize("sender", ["the call's thread", "who took its lead"])
def test_when_the_lead_is_lost_only_one_of_both_sends(sender: str) -> None:
    wire = Watched()
    outbox = Desk(ENDLESS, wire=wire).outbox
    outbox.lead = [] if sender == "the call's thread" else ["call"]
    outbox.keep(b"answer")
    outbox.release()
    assert (wire.taken, wire.locked) == (b"answer", [True])


def test_a_call_and_who_takes_its_lead_send_its_answer_once() -> None:
    """Both look for it, in every order that two threads find."""
    desk = Desk(ENDLESS)
    outbox, rounds = desk.outbox, 3000
    tokens: list[list[int]] = [[1] for _ in range(rounds)]
    start = threading.Barrier(2)

    def lookout() -> None:
        for token in tokens:
            start.wait(PATIENCE)
            token.pop()
            outbox.release()
            start.wait(PATIENCE)

    thread, ends = in_thread(lookout)
    for token in tokens:
        outbox.lead = token
        start.wait(PATIENCE)
        outbox.keep(b".")
        start.wait(PATIENCE)
    thread.join(PATIENCE)
    assert ends == [None]
    assert len(desk.wire.taken) == rounds
