"""serve/streams.py: blocks that follow each other at once leave together, and none waits for the next."""

import logging
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from pronghorn.errors import ClientDisconnected
from pronghorn.serve.streams import Streams
from tests.serve.desk import ENDLESS, Desk
from tests.serving import PATIENCE, Server, head, serving, until


@pytest.fixture
def desk() -> Desk:
    desk = Desk(ENDLESS)
    desk.outbox._streams.ticking = True
    return desk


# An outbox and what the lookout does


def test_blocks_wait_for_the_lookout_and_leave_together(desk: Desk) -> None:
    for number in range(20):
        desk.outbox.hold(b"%d," % number)
    assert desk.wire.sends == 0
    desk.outbox._streams.flush()
    assert desk.wire.sends == 1
    assert desk.wire.taken == b"".join(b"%d," % number for number in range(20))


def test_the_end_of_an_answer_does_not_wait(desk: Desk) -> None:
    desk.outbox.hold(b"block")
    desk.outbox.put(b"end")
    assert (desk.wire.sends, desk.wire.taken) == (1, b"blockend")


def test_a_large_block_takes_those_before_it_along(desk: Desk) -> None:
    desk.outbox.hold(b"small,")
    desk.outbox.put_large(b"head,", b"x" * 100_000)
    assert desk.wire.taken == b"small,head," + b"x" * 100_000


def test_not_more_than_a_batch_is_held_back(desk: Desk) -> None:
    for _ in range(9):
        desk.outbox.hold(b"x" * 8192)
    assert desk.wire.taken


def test_without_a_lookout_nothing_is_held_back(desk: Desk) -> None:
    streams = desk.outbox._streams
    streams.ticking = False
    desk.outbox.hold(b"block")
    assert desk.wire.taken == b"block"
    assert streams.wanted, "the next lookout knows that it is wanted"


def test_who_comes_when_the_lookout_has_just_left_sends_itself() -> None:
    class Leaving(Streams):
        def hold(self, outbox: Any) -> None:
            self.stop()
            super().hold(outbox)

    leaving = Leaving(logging.getLogger("tests"))
    leaving.ticking = True
    desk = Desk(ENDLESS, streams=leaving)
    desk.outbox.hold(b"block")
    assert desk.wire.taken == b"block"


def test_for_a_client_that_is_gone_nothing_is_held_back(desk: Desk) -> None:
    """Its producer hears of it at once, and not at the end."""
    for _ in range(2):
        desk.outbox.hold(b"block,")
    desk.wire.gone = True
    desk.outbox._streams.flush()
    with pytest.raises(ClientDisconnected):
        desk.outbox.hold(b"block,")


def test_slow_blocks_are_sent_one_by_one(desk: Desk) -> None:
    """Who was waited for in vain once is not held back again: until the next answer."""
    desk.outbox.hold(b"one,")
    desk.outbox._streams.flush()
    desk.outbox.hold(b"two,")
    assert desk.wire.taken == b"one,two,"


def test_a_client_that_is_gone_is_noticed(desk: Desk) -> None:
    desk.wire.gone = True
    desk.outbox.hold(b"block")
    desk.outbox._streams.flush()
    assert desk.outbox.broken


def test_a_defect_costs_one_answer_and_not_the_lookout(caplog: pytest.LogCaptureFixture) -> None:
    class Defect:
        broken = False

        def let_go(self) -> None:
            raise ZeroDivisionError

    defect: Any = Defect()
    streams = Streams(logging.getLogger("tests"))
    streams.hold(defect)
    assert defect.broken
    assert "defect in the server" in caplog.text


def test_the_lookout_does_what_is_there_and_goes_on() -> None:
    """A call that goes on yielding meanwhile must wait for the next tick."""

    class Greedy:
        sent = 0

        def let_go(self) -> None:
            self.sent += 1
            if self.sent < 1000:
                streams.hold(greedy)

    greedy: Any = Greedy()
    streams = Streams(logging.getLogger("tests"))
    streams.ticking = True
    streams.hold(greedy)
    assert streams.flush()
    assert greedy.sent == 1


# A server


class Site:
    """/20: blocks that follow at once. /wait: a block, and the next when the client has it."""

    def __init__(self) -> None:
        self.arrived = threading.Semaphore(0)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        if environ["PATH_INFO"] == "/wait":
            return self.slow()
        return (b"%d," % number for number in range(20))

    def slow(self) -> Iterator[bytes]:
        for number in range(3):
            yield b"block %d." % number
            assert self.arrived.acquire(timeout=PATIENCE), "the client has not got it"


def tick(server: Server) -> None:
    """Ask for streams until the lookout looks each millisecond."""

    def ticks() -> bool:
        assert server.get("/20").body == b"".join(b"%d," % number for number in range(20))
        return server.worker.streams.ticking

    until(ticks, "the lookout ticks")


@pytest.mark.parametrize("threads", [1, 4])
def test_no_block_waits_for_the_next(threads: int) -> None:
    """PEP 3333, "Buffering and Streaming", while blocks are held back."""
    site = Site()
    with serving(site, threads=threads) as server:
        for _ in range(5):
            tick(server)
            with server.connect() as client:
                client.send(head("GET", "/wait"))
                client.read_until(b"\r\n\r\n")
                for number in range(3):
                    assert client.read_until(b".").endswith(b"block %d." % number)
                    site.arrived.release()
                assert client.read_until(b"0\r\n\r\n")
        assert "defect" not in server.log


@pytest.mark.parametrize("threads", [1, 4])
def test_an_endless_stream_holds_up_nobody(threads: int) -> None:
    """A call that yields faster than the lookout sends must not keep it from its other work."""
    over = threading.Event()

    def endless(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        while not over.is_set():
            yield b"x" * 20

    site = Site()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        which = endless if environ["PATH_INFO"] == "/endless" else site
        return which(environ, start_response)

    with serving(app, threads=threads) as server, server.connect() as client:
        tick(server)
        client.send(head("GET", "/endless"))
        client.read_until(b"\r\n\r\n")
        reader = threading.Thread(target=client.read_to_end)
        reader.start()
        # With one thread requests wait for it, but connections are taken and nonsense is answered.
        asked = b"nonsense\r\n\r\n" if threads == 1 else head("GET", "/20")
        with server.connect() as other:
            other.send(asked)
            assert other.read_answer().status == (400 if threads == 1 else 200)
        over.set()
        server.worker.stop(graceful=False)
        reader.join(PATIENCE)
        assert not reader.is_alive()


def test_what_waits_for_a_slow_client_is_not_held_back() -> None:
    desk = Desk(3)
    desk.outbox.put(b"waits")
    desk.outbox._streams.ticking = True
    desk.outbox.hold(b"block")
    assert desk.outbox.batch is None


def test_pipelined_streams_keep_their_order() -> None:
    """RFC 9112 section 9.3.2."""
    with serving(Site(), threads=2) as server:
        tick(server)
        with server.connect() as client:
            client.send(head("GET", "/20") * 8)
            for _ in range(8):
                answer = client.read_answer()
                assert answer.body == b"".join(b"%d," % number for number in range(20))
