"""serve/deadlines.py: the client's 504, the log, the exception in the thread, and what no other request notices."""

import contextlib
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pronghorn.errors import ClientDisconnected
from pronghorn.observe.access import AccessLog
from pronghorn.serve import deadlines
from pronghorn.serve.deadlines import Deadlines
from pronghorn.serve.drain import Stage
from pronghorn.serve.h1_exchange import Progress, SeizableExchange
from pronghorn.serve.worker import Worker
from tests.serve.overtime import SOON, THREADS, TIMEOUT, Site, assert_504, gone, spin, timed
from tests.serving import PATIENCE, CutOff, head, serving, until


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.released.set()


# The client


@THREADS
def test_a_loop_is_answered_at_the_deadline_and_its_thread_goes_on(site: Site, threads: int) -> None:
    with timed(site, threads) as server:
        assert_504(server, "/spin")
        until(lambda: gone(server), "the call has ended")
        assert site.said == ["finally"], "`except Exception` does not swallow it, `finally` runs"
        spun = site.threads[0]
        # Every thread is called again, the interrupted one among them; nothing reaches any of them.
        for _ in range(3):
            clients = [server.connect() for _ in range(threads)]
            for client in clients:
                client.send(head("GET", "/quick"))
            for client in clients:
                assert client.read_answer().body == b"quick"
                client.close()
        if threads == 1:
            assert set(site.threads) == {spun}
        assert server.worker.crew.queued == 0
        assert "failed" not in server.log
        assert "defect" not in server.log


@THREADS
def test_a_call_that_is_stuck_in_c_is_answered_at_the_deadline(
    site: Site, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.2)
    reasons: list[str] = []

    def prepare(worker: Worker) -> None:
        worker.stuck = reasons.append

    with timed(site, threads, prepare=prepare) as server:
        assert_504(server, "/held")
        assert reasons == []
        until(lambda: bool(reasons), "stuck() is called")
        if threads > 1:
            assert server.get("/quick").body == b"quick"
        site.released.set()
        until(lambda: gone(server), "the call has ended")
        assert site.said == [], "it is interrupted when it comes out of C"
        assert server.get("/quick").body == b"quick"
        assert reasons == ["a call of GET /held does not end"]
        assert "this process should be replaced" in server.log


def test_sleep_is_interrupted_when_it_ends(site: Site) -> None:
    def nap(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        time.sleep(TIMEOUT * 4)
        site.said.append("awake")
        return site.quick(environ, start_response)

    with serving(nap, threads=2, request_timeout=TIMEOUT) as server:
        assert_504(server, "/")
        until(lambda: gone(server), "the call has ended")
        assert site.said == []


def test_others_are_served_while_calls_are_stuck(site: Site) -> None:
    with timed(site, threads=8) as server:
        stuck = [server.connect() for _ in range(7)]
        for client in stuck:
            client.send(head("GET", "/held"))
        for client in stuck:
            assert client.read_answer().status == 504
            client.close()
        for _ in range(20):
            assert server.get("/quick").body == b"quick"


@THREADS
def test_head_is_answered_without_content(site: Site, threads: int) -> None:
    with timed(site, threads) as server:
        assert_504(server, "/spin", method="HEAD")


def test_the_client_sees_the_end_at_once_and_what_it_sends_costs_nothing(site: Site) -> None:
    with timed(site) as server, server.connect() as client:
        client.send(head("GET", "/held") + head("GET", "/quick"))
        assert client.read_answer().status == 504
        client.assert_end()
        with contextlib.suppress(OSError):
            client.send(b"x" * 100_000)
        client.close()
        until(lambda: not server.worker.connections, "the connection is gone")


def test_pipelined_answers_before_it_arrive(site: Site) -> None:
    with timed(site) as server, server.connect() as client:
        client.send(head("GET", "/quick") * 3 + head("GET", "/held") + head("GET", "/quick"))
        assert [client.read_answer().status for _ in range(4)] == [200, 200, 200, 504]
        client.assert_end()


def test_a_body_is_still_the_applications(site: Site) -> None:
    read: list[bytes] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            spin()
        finally:
            read.append(environ["wsgi.input"].read())
        return []

    with serving(app, threads=2, request_timeout=TIMEOUT) as server:
        assert server.get("/", method="POST", body=b"b" * 200_000).status == 504
        until(lambda: bool(read), "it has unwound")
        assert read == [b"b" * 200_000]


def test_early_hints_are_no_answer(site: Site) -> None:
    with timed(site) as server, server.connect() as client:
        answer = client.ask(head("GET", "/hints"))
        assert (answer.status, [one.status for one in answer.interim]) == (504, [103])


@pytest.mark.parametrize("target", ["/stream", "/stream-with-length"])
@THREADS
def test_an_answer_that_was_begun_is_cut_off(site: Site, threads: int, target: str) -> None:
    with timed(site, threads) as server, server.connect() as client:
        with pytest.raises(CutOff) as cut:
            client.ask(head("GET", target))
        assert cut.value.partial == b"first"
        until(lambda: gone(server), "the call has ended")
        assert server.get("/quick").body == b"quick"
        assert "its answer is cut off" in server.log


def test_an_answer_that_ends_with_the_connection_is_reset(site: Site) -> None:
    with timed(site) as server, server.connect() as client:
        client.send(head("GET", "/stream", version="1.0"))
        with pytest.raises(ConnectionResetError):
            client.read_to_end()


def test_a_complete_answer_stays_complete(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.3)
    with timed(site) as server, server.connect() as client:
        assert client.ask(head("GET", "/slow-close")).body == b"whole"
        client.assert_end()
        until(lambda: gone(server), "the call has ended")
        assert "failed" not in server.log


def test_a_call_that_has_answered_is_spared_once() -> None:
    nothing: Any = None
    exchange = SeizableExchange(nothing, nothing, nothing, nothing, None, None)
    exchange.progress = Progress.ENDED
    assert not exchange.seize(even_ended=False)
    assert exchange.seize(even_ended=True)
    with pytest.raises(ClientDisconnected):
        exchange.send(b"too late")


def test_a_slow_client_is_not_the_applications_fault(site: Site) -> None:
    with timed(site, threads=2) as server, server.connect() as client:
        client.send(head("GET", "/large"))
        started = client.read_until(b"\r\n\r\n")
        until(lambda: len(server.worker.calls.running()) == 1, "the call waits for its client")
        time.sleep(TIMEOUT * 3)
        client.buffer = started + client.buffer
        assert len(client.read_answer().body) == 64 << 18
        assert "request-timeout" not in server.log


# The thread


def test_close_of_the_result_is_called(site: Site) -> None:
    with timed(site) as server:
        assert_504(server, "/closing")
        until(lambda: site.said == ["close"], "close() was called")


def test_what_the_application_raises_instead_is_logged(site: Site) -> None:
    with timed(site) as server:
        assert_504(server, "/raises")
        assert "while it was unwound" in server.wait_for_log("GET /raises failed")


def test_the_exception_is_raised_once_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.2)
    with timed(site, threads=2) as server:
        assert_504(server, "/stubborn")
        server.wait_for_log("does not end")
        site.released.set()
        until(lambda: gone(server), "the call has ended")
        assert server.get("/quick").body == b"quick"
        assert "too late" not in server.log


def test_without_interrupts_only_the_client_is_helped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.2)
    reasons: list[str] = []

    def prepare(worker: Worker) -> None:
        worker.deadlines = Deadlines(worker, None)
        worker.stuck = reasons.append

    with timed(site, prepare=prepare) as server:
        assert_504(server, "/held")
        until(lambda: bool(reasons), "stuck() is called")
        site.released.set()
        until(lambda: gone(server), "the call has ended")
        assert site.said == ["survived"]


# extend_deadline


@THREADS
def test_a_request_may_extend_its_deadline(site: Site, threads: int) -> None:
    with timed(site, threads) as server:
        assert server.get(f"/extended?{5 if threads == 1 else 'inf'}").body == b"quick"
        assert "request-timeout" not in server.log


def test_an_extension_ends_too(site: Site) -> None:
    with timed(site) as server:
        began = time.monotonic()
        assert server.get(f"/extend-and-spin?{TIMEOUT * 3}").status == 504
        assert TIMEOUT * 3 <= time.monotonic() - began < TIMEOUT * 3 + 1


def test_an_extension_never_brings_the_deadline_nearer(site: Site) -> None:
    with timed(site) as server:
        assert_504(server, "/extend-and-spin?0")


def test_an_extension_is_the_requests_not_the_connections(site: Site) -> None:
    with timed(site) as server, server.connect() as client:
        request = head("GET", "/extended?5")
        assert client.ask(request).body == b"quick"
        began = time.monotonic()
        assert client.ask(head("GET", "/spin")).status == 504
        assert time.monotonic() - began < SOON


def test_a_wrong_extension_is_refused(site: Site) -> None:
    with timed(site) as server:
        assert server.get("/wrongly-extended").body == b"quick"


def test_without_a_deadline_there_is_no_key() -> None:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [str("pronghorn.extend_deadline" in environ).encode()]

    with serving(app) as server:
        assert server.get("/").body == b"False"


def test_ctypes_is_not_loaded_where_nothing_needs_it() -> None:
    code = "import sys, pronghorn.serve.worker; sys.exit('ctypes' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=PATIENCE).returncode == 0


# The logs


def test_the_log_names_the_request_and_shows_all_stacks_the_stuck_one_first(site: Site) -> None:
    with timed(site, threads=3) as server, server.connect() as other:
        other.send(head("GET", "/held"))
        assert site.entered.acquire(timeout=PATIENCE)
        assert other.read_answer().status == 504
        log = server.wait_for_log("GET /held has run for 0.")
        assert "--request-timeout is 0.1 s: answered with 504" in log
        assert log.index("self.released.wait()") < log.index("MainThread")
        assert re.search("pronghorn-[0-9] leads", log)


def test_where_many_are_late_all_stacks_are_shown_once(site: Site) -> None:
    """Of the others, only the one that is meant."""
    with timed(site, threads=4) as server:
        clients = [server.connect() for _ in range(3)]
        for client in clients:
            client.send(head("GET", "/held"))
        for client in clients:
            assert client.read_answer().status == 504
            client.close()
        until(lambda: server.log.count("has run for") == 3, "three entries")
        assert server.log.count("MainThread") == 1
        assert server.log.count("self.released.wait()") >= 3


@pytest.mark.parametrize(
    ("module", "name", "expected"),
    [
        ("shop.views", "view", False),
        ("pronghorn.apps.static.app", "__call__", False),
        ("pronghorn.serve.outbox", "send", True),
        ("logging", "handle", True),
        ("threading", "acquire", True),
        ("queue", "get", False),
    ],
)
def test_where_a_thread_is_not_interrupted(module: str, name: str, expected: bool) -> None:
    """A lock of the log, taken and never given back, would stop every thread that logs."""
    frame: Any = SimpleNamespace(f_globals={"__name__": module}, f_code=SimpleNamespace(co_name=name))
    assert deadlines._is_delicate(frame) is expected
    assert deadlines._is_delicate(None), "a thread that has ended"


def test_the_access_log_has_one_record_of_each(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.3)
    path = tmp_path / "access.log"
    access = AccessLog(str(path), "%(m)s %(U)s %(s)s %(B)s")
    with timed(site, access=access) as server:
        for target in ("/spin", "/quick", "/slow-close"):
            with server.connect() as client:
                client.ask(head("GET", target))
        with server.connect() as client, pytest.raises(CutOff):
            client.ask(head("GET", "/stream"))
        until(lambda: gone(server), "all calls have ended")
    access.flush()
    lines = sorted(line for line in path.read_text().splitlines())
    size = len(b"504 Gateway Timeout\n\nThe application did not answer in time.\n")
    assert lines == [
        "GET /quick 200 5",
        "GET /slow-close 200 5",
        f"GET /spin 504 {size}",
        "GET /stream 200 5",
    ]
    access.close()


# Requests that wait for a thread


@THREADS
def test_a_request_that_waits_too_long_is_declined_and_never_run(site: Site, threads: int) -> None:
    with timed(site, threads) as server:
        # Their threads stay stuck, whatever becomes of their clients.
        stuck = [server.connect() for _ in range(threads)]
        for client in stuck:
            client.send(head("GET", "/held"))
        for _ in stuck:
            assert site.entered.acquire(timeout=PATIENCE)
        for client in stuck:
            assert client.read_answer().status == 504
        calls = len(site.threads)
        with server.connect() as client:
            client.send(head("POST", "/quick", length=4) + b"body")
            answer = client.read_answer("POST")
            assert (answer.status, answer.one("Retry-After"), answer.closes) == (503, "1", True)
            client.assert_end()
        assert "POST /quick waited 0." in server.log
        assert server.worker.crew.queued == 0
        site.released.set()
        until(lambda: gone(server), "the threads are free")
        assert server.get("/quick").body == b"quick"
        assert len(site.threads) == calls + 1
        for client in stuck:
            client.close()


def test_a_request_that_gets_its_thread_in_time_is_run(site: Site) -> None:
    with timed(site, threads=1, timeout=0.4) as server, server.connect() as first, server.connect() as second:
        first.send(head("GET", "/held"))
        assert site.entered.acquire(timeout=PATIENCE)
        second.send(head("GET", "/spin"))
        until(lambda: server.worker.crew.queued == 1, "it waits")
        site.released.set()
        assert first.read_answer().body == b"quick"
        # Its time begins with its call, of which nothing but its place in the queue has told the leader.
        assert second.read_answer().status == 504


# The end


def test_a_drain_lets_late_calls_tidy_up(site: Site) -> None:
    """Their clients have gone with a 504, but `finally` and `with` have not ended."""
    tidying, tidied = threading.Event(), threading.Event()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            spin()
        finally:
            tidying.set()
            site.released.wait(PATIENCE)
            tidied.set()
        return []

    with serving(app, threads=2, request_timeout=TIMEOUT, graceful_timeout=8.0) as server:
        assert_504(server, "/")
        assert tidying.wait(PATIENCE)
        server.worker.stop()
        until(lambda: server.worker.drain.stage >= Stage.ANSWERING, "nothing else is waited for")
        server.thread.join(0.2)
        assert server.worker.drain.stage is Stage.ANSWERING
        site.released.set()
        server.thread.join(PATIENCE)
        assert tidied.is_set() and not server.thread.is_alive()


@THREADS
def test_a_drain_does_not_wait_for_calls_without_clients(
    site: Site, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "GRACE", 0.3)
    abandoned = threading.Event()

    def abandon() -> None:
        abandoned.set()
        site.released.set()

    def prepare(worker: Worker) -> None:
        worker.abandon = abandon

    with timed(site, threads, prepare=prepare, graceful_timeout=8.0) as server:
        assert_504(server, "/held")
        began = time.monotonic()
        server.worker.stop()
        server.thread.join(PATIENCE)
        assert not server.thread.is_alive()
        assert time.monotonic() - began < 3.0
        assert abandoned.is_set() is (threads == 1)
        assert server.worker.clean
