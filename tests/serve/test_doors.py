"""How many connections a worker accepts, where others accept from the same queue (docs/processes.md)."""

import errno
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from pronghorn.net.address import Address
from pronghorn.net.listen import Listener
from pronghorn.observe.scoreboard import CONNECTIONS, FREE, Row, Scoreboard, State
from pronghorn.serve.acceptor import Acceptor
from pronghorn.serve.clock import Clock
from pronghorn.serve.doors import _OWED_MOST, Doors, Siblings
from pronghorn.serve.poller import READ, make_poller
from tests.serving import until

WAITING = 12


class House:
    """Doors, a queue in which WAITING clients wait, and the row of another worker."""

    def __init__(self, stack: ExitStack) -> None:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        for _ in range(WAITING):
            stack.enter_context(socket.create_connection(server.getsockname()))
        board = Scoreboard(2, threads=1)
        self.other = self._row(board, 1)
        self.accepted: list[socket.SocketType] = []
        self.clock = Clock()
        self.clock.tick()
        self._targets: dict[int, Acceptor | Doors] = {}
        self._poller = poller = make_poller()
        stack.callback(poller.close)
        self.changes: list[str] = []
        self.without_memory = False
        self.doors = Doors(
            [Listener(server, Address("tcp", "127.0.0.1"))],
            self,  # type: ignore[arg-type]
            lambda sock, _, __: self.accepted.append(sock),
            self.clock,
            logging.getLogger("doors"),
            Siblings(self._row(board, 0), -1),
            lambda: len(self.accepted),
        )
        self.doors.open(lambda fd, target: self._targets.update({fd: target}))
        (self._acceptor,) = self._targets.values()
        stack.callback(lambda: [sock.close() for sock in self.accepted])

    def _row(self, board: Scoreboard, number: int) -> Row:
        row = board.row(number)
        row.open(os.getpid() + number, 1, time.monotonic())
        row.state(State.SERVING)
        row.put(CONNECTIONS, 100)
        return row

    def change(self, fd: int, before: int, after: int) -> None:
        """The poller's."""
        if after and self.without_memory:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        self.changes.append("waits" if after else "leaves")
        self._poller.change(fd, before, after)

    def waits(self) -> bool:
        return self.changes[-1] == "waits"

    def led(self, crowded: bool = False, took: float = 0.01) -> None:
        """After a request that took so long to get its thread."""
        self.doors.led(crowded, self.clock.now - took)

    def look(self) -> bool:
        """The alarm, whenever it wants to."""
        self.clock.tick()
        self.doors.look()
        return True

    def round(self) -> int:
        """The poller says that somebody waits. How many were accepted."""
        before = len(self.accepted)
        self._acceptor.ready(READ)
        return len(self.accepted) - before


@pytest.fixture
def house() -> Iterator[House]:
    with ExitStack() as stack:
        yield House(stack)


def test_one_in_a_round(house: House) -> None:
    house.doors.gate(crowded=False)
    assert [house.round() for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("crowded", [False, True])
def test_one_more_for_each_request_that_was_taken_in_a_long_round(house: House, crowded: bool) -> None:
    """Each gets the lead handed on; new connections had to wait until all of them had their turn."""
    for _ in range(4):
        house.led(crowded)
    assert house.round() == 5
    assert house.round() == 1, "they have had theirs"


def test_no_more_than_there_are(house: House) -> None:
    for _ in range(1000):
        house.led()
    assert house.doors._owed == _OWED_MOST
    assert house.round() == WAITING
    assert house.round() == 0


def test_no_more_than_the_others_have(house: House) -> None:
    house.other.put(CONNECTIONS, 3)
    for _ in range(10):
        house.led()
    assert house.round() == 5, "two more than the other"
    assert house.round() == 1, "it is idle, and was woken"


def test_a_busy_worker_steps_back(house: House) -> None:
    house.other.put(CONNECTIONS, 3)
    for _ in range(10):
        house.led(crowded=True)
    assert house.round() == 5
    assert not house.waits()
    until(lambda: house.look() and house.waits(), "it accepts again in a moment")


def test_requests_that_are_handed_on_at_once_keep_nobody_waiting(house: House) -> None:
    """They wait for something, and another worker may have a thread to spare."""
    for _ in range(10):
        house.led(crowded=True, took=0.0005)
    assert house.round() == 1


def test_nothing_is_owed_for_requests_of_long_ago(house: House) -> None:
    for _ in range(10):
        house.led()
    house.doors._led_at -= 1.0
    assert house.round() == 1
    assert house.round() == 1


@pytest.mark.parametrize("owed", [0, 5, 1000])
def test_who_has_accepted_goes_to_the_end_of_the_line(house: House, owed: int) -> None:
    """Or the kernel would wake it for the next one, too (Acceptor.rejoin)."""
    for _ in range(owed):
        house.led()
    house.changes.clear()
    house.round()
    assert house.changes == ["leaves", "waits"]


@pytest.mark.parametrize("when", ["it has accepted", "it has a thread again"])
def test_no_memory_to_wait_for_the_queue(house: House, when: str, caplog: pytest.LogCaptureFixture) -> None:
    """The leader goes on, and tries again in a moment."""
    if when == "it has accepted":
        house.without_memory = True
        assert house.round() == 1
    else:
        house.other.put(FREE, 1)
        house.doors.gate(crowded=True)
        house.without_memory = True
        house.doors.gate(crowded=False)
    assert not house.waits()
    assert "new connections wait: [Errno 12] Cannot allocate memory" in caplog.text
    house.without_memory = False
    until(lambda: house.look() and house.waits(), "it waits again")
    assert house.round() == 1
