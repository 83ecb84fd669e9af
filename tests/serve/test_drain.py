"""The end of a worker process: what signals mean, and that no client pays for it."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from pronghorn.serve.drain import Drain, End
from pronghorn.serve.worker import Worker
from tests.serve.apps import site
from tests.serve.process import ServerProcess, process
from tests.serving import PATIENCE, Client, CutOff, head, serving, until

QUICKLY = 3.0
"""Seconds; a drain without work takes 1."""


def begin(server: ServerProcess, target: str, stack: ExitStack) -> Client:
    client = stack.enter_context(server.connect())
    client.send(head("GET", target))
    return client


def until_refused(server: ServerProcess) -> None:
    def refused() -> bool:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
        return False

    until(refused, "the listener is closed")


# TERM


@pytest.mark.parametrize("threads", [1, 8])
def test_term_answers_what_is_in_progress(threads: int) -> None:
    with process(threads=threads) as server, ExitStack() as stack:
        kept = stack.enter_context(server.connect())
        assert not kept.ask(head("GET", "/quick")).closes
        download = begin(server, f"/generator?{20 << 20}", stack)
        upload = stack.enter_context(server.connect())
        upload.send(head("POST", "/digest", length=3) + b"a")
        assert server.get("/quick") == b"quick"
        clients = [begin(server, "/slow?0.4", stack) for _ in range(2)]
        server.signal(signal.SIGTERM)
        for client in clients:
            answer = client.read_answer()
            assert (answer.body, answer.closes) == (b"slow", True)
            client.assert_end()
            client.close()
        upload.send(b"bc")
        answer = upload.read_answer("POST")
        assert (answer.status, answer.closes) == (200, True)
        upload.close()
        assert len(download.read_answer().body) == 20 << 20
        download.close()
        kept.assert_end()
        until_refused(server)
        assert server.wait() == 0
        assert server.complaints == []


def test_term_tells_a_kept_connection() -> None:
    with process() as server, server.connect() as kept:
        server.signal(signal.SIGTERM)
        until(lambda: kept.ask(head("GET", "/quick")).closes, "an answer that says close")
        kept.assert_end()
        kept.close()
        assert server.wait() == 0


@pytest.mark.parametrize("threads", [1, 8])
def test_term_of_an_idle_server_is_quick(threads: int) -> None:
    with process(threads=threads) as server, ExitStack() as stack:
        kept = stack.enter_context(server.connect())
        assert kept.ask(head("GET", "/quick")).status == 200
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - began < QUICKLY
        kept.assert_end()


def test_term_does_not_wait_for_a_connection_that_says_nothing() -> None:
    with process() as server, ExitStack() as stack:
        assert server.get("/quick") == b"quick"
        silent = [stack.enter_context(server.connect()) for _ in range(3)]
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert time.monotonic() - began < QUICKLY
        for client in silent:
            client.assert_end()


def test_term_waits_for_a_head_that_is_arriving() -> None:
    with process() as server, server.connect() as client:
        client.send(b"GET /quick HTT")
        assert server.get("/quick") == b"quick"
        server.signal(signal.SIGTERM)
        until_refused(server)
        answer = client.ask(b"P/1.1\r\nHost: x\r\n\r\n", method="GET")
        assert (answer.body, answer.closes) == (b"quick", True)
        client.close()
        assert server.wait() == 0


class Crowd:
    """Clients that never stop asking, until nobody is there."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._lock = threading.Lock()
        self.answered = 0
        self.refused = 0
        self.failures: list[BaseException] = []
        customers = [self._keep_alive] * 20 + [self._connecting] * 20
        self._threads = [threading.Thread(target=self._run, args=(customer,)) for customer in customers]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, customer: object) -> None:
        assert callable(customer)
        try:
            while True:
                customer()
        except ConnectionRefusedError:
            with self._lock:
                self.refused += 1
        except BaseException as error:
            self.failures.append(error)

    def _count(self) -> None:
        with self._lock:
            self.answered += 1

    def _keep_alive(self) -> None:
        with self._server.connect() as client:
            while True:
                answer = client.ask(head("GET", "/quick"))
                assert answer.body == b"quick"
                self._count()
                if answer.closes:
                    client.assert_end()
                    return

    def _connecting(self) -> None:
        with self._server.connect() as client:
            assert client.ask(head("GET", "/quick", "Connection: close")).body == b"quick"
            client.assert_end()
            self._count()


@pytest.mark.parametrize("attempt", range(5))
def test_term_under_load_fails_no_request(attempt: int) -> None:
    """20 clients on connections they keep, 20 that open new ones; some threads, or one."""
    with process(threads=(8, 1)[attempt % 2]) as server:
        crowd = Crowd(server)
        until(lambda: crowd.answered > 500 * (attempt + 1), "they are well under way")
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        crowd.join()
        assert crowd.failures == []
        assert crowd.refused == 40


# Ends that do not wait


@pytest.mark.parametrize("target", ["/stuck", "/stuck-in-c"])
@pytest.mark.parametrize("threads", [1, 4])
def test_the_graceful_timeout_ends_what_is_stuck(threads: int, target: str) -> None:
    with process(threads=threads, graceful_timeout=0.5) as server, ExitStack() as stack:
        stuck = begin(server, target, stack)
        assert_others_are_served(server, threads)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        assert 0.4 < time.monotonic() - began < 0.5 + QUICKLY
        assert "1 request was cut off" in server.log
        with pytest.raises((CutOff, ConnectionResetError)):
            stuck.read_answer()


def assert_others_are_served(server: ServerProcess, threads: int) -> None:
    """The stuck call has begun: with one thread no other can, but a refusal needs none."""
    if threads > 1:
        assert server.get("/quick") == b"quick"
    with server.connect() as client:
        assert client.ask(b"nonsense\r\n\r\n").status == 400


@pytest.mark.parametrize("threads", [1, 4])
def test_a_second_term_ends_at_once(threads: int) -> None:
    with process(threads=threads) as server, ExitStack() as stack:
        begin(server, "/slow?60", stack)
        assert_others_are_served(server, threads)
        server.signal(signal.SIGTERM)
        until_refused(server)
        assert server.child.poll() is None, "the request is waited for"
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait() == 1
        assert time.monotonic() - began < QUICKLY
        assert "1 request was cut off" in server.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("threads", [1, 8])
def test_int_and_quit_end_at_once(threads: int, number: signal.Signals) -> None:
    """However many calls are stuck."""
    with process(threads=threads) as server, ExitStack() as stack:
        for _ in range(threads):
            begin(server, "/stuck", stack)
        assert_others_are_served(server, 1)
        began = time.monotonic()
        server.signal(number)
        assert server.wait() == 1
        assert time.monotonic() - began < 2.0


def test_int_of_an_idle_server_is_clean() -> None:
    with process() as server, server.connect() as kept:
        assert kept.ask(head("GET", "/quick")).status == 200
        server.signal(signal.SIGINT)
        assert server.wait() == 0
        kept.assert_end()
        assert server.complaints == []


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_call_that_is_cut_off_cleans_up(threads: int, number: signal.Signals) -> None:
    """CHECKLIST P-10: close() is called at a shutdown, too."""
    with process(threads=threads, graceful_timeout=0.2) as server, server.connect() as client:
        client.send(head("GET", "/ticks"))
        client.read_until(b"tick")
        server.signal(number)
        assert server.wait() == 1
        assert "the ticks have been cleaned up" in server.log


def test_the_one_thread_that_ends_its_call_in_time_is_not_abandoned() -> None:
    abandoned = threading.Event()

    def prepare(worker: Worker) -> None:
        worker.abandon = abandoned.set

    with serving(site, threads=1, prepare=prepare) as server, server.connect() as client:
        client.send(head("GET", "/ticks"))
        client.read_until(b"tick")
        server.worker.stop(graceful=False)
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
    assert not abandoned.is_set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_answer_without_a_length_that_is_cut_off_does_not_look_complete(number: signal.Signals) -> None:
    """RFC 9112 section 8: it ends with the connection, so a reset says that it was not all."""
    with process(graceful_timeout=0.2) as server, server.connect() as client:
        client.send(head("GET", "/ticks", version="1.0"))
        client.read_until(b"tick")
        server.signal(number)
        with pytest.raises(ConnectionResetError):
            client.read_to_end()


def test_a_slower_end_does_not_take_the_place_of_a_quicker_one() -> None:
    """Each of many threads may ask for one (`Server.shutdown`, signals)."""
    drain = Drain(SimpleNamespace())  # type: ignore[arg-type]
    with ThreadPoolExecutor() as threads:
        for _ in threads.map(drain.ask, [End.FINAL, End.AT_ONCE, End.HANDED_OVER, End.FINAL] * 50):
            pass
    drain.ask(End.FINAL)
    assert drain.asked is End.AT_ONCE
