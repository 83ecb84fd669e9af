"""--request-timeout ends a request, its worker only if the thread will not; --timeout ends a frozen worker."""

import os
import signal
import threading
import time
from contextlib import ExitStack

import pytest

from tests.process.harness import HURRIED, LONG, Server, eventually, running, said, site
from tests.process.load import Load
from tests.serving import Answer, CutOff, head

DEADLINE = 2.0 if LONG else 0.5
"""Seconds."""

VIEWS = """
def the_slow_view(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)

def the_computing_view(seconds):
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        number += 1

def the_tidy_view(seconds):
    try:
        the_slow_view(seconds)
    finally:
        open("tidied", "w").close()

def the_view_stuck_in_c(seconds):
    time.sleep(seconds)

LOCK = threading.Lock()
LOCK.acquire()

def the_view_behind_a_lock(seconds):
    LOCK.acquire()

def the_view_that_holds_the_gil(seconds):
    import ctypes
    ctypes.PyDLL(None).sleep(int(seconds))

def stream(start_response, seconds):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"begun"
    the_slow_view(seconds)
    yield b"done"

VIEWS = {"/slow": the_slow_view, "/compute": the_computing_view, "/tidy": the_tidy_view,
         "/stuck": the_view_stuck_in_c, "/lock": the_view_behind_a_lock, "/gil": the_view_that_holds_the_gil}
"""
ROUTES = """
    elif path in VIEWS:
        VIEWS[path](float(query))
    elif path == "/extended":
        environ["pronghorn.extend_deadline"](float(query) * 2)
        the_slow_view(float(query))
    elif path == "/stream":
        return stream(start_response, float(query))"""
SITE = site("1", prelude=VIEWS, routes=ROUTES)


class Question(threading.Thread):
    """A request on a connection of its own, asked at once and answered whenever."""

    def __init__(self, server: Server, target: str) -> None:
        super().__init__()
        self._server = server
        self._target = target
        self.answer: Answer | None = None
        self._error: Exception | None = None
        self.took = 0.0
        self.start()

    def run(self) -> None:
        began = time.monotonic()
        try:
            self.answer = self._server.get(self._target)
        except (OSError, CutOff) as error:
            self._error = error
        self.took = time.monotonic() - began

    def result(self) -> Answer:
        self.join()
        assert self.answer is not None, f"no answer to {self._target}: {self._error}"
        return self.answer


def deadline(seconds: float = DEADLINE) -> tuple[str, str]:
    return "--request-timeout", str(seconds)


@pytest.mark.parametrize("view", ["/slow", "/compute"])
def test_a_request_past_its_deadline_costs_only_itself(view: str) -> None:
    with running(SITE, *deadline()) as server:
        (worker,) = server.wait_for_workers(1)
        late = Question(server, f"{view}?8")
        first = server.get(f"/sleep?{DEADLINE * 0.6}")
        siblings = [Question(server, f"/sleep?{DEADLINE * 0.7}") for _ in range(3)]
        assert late.result().status == 504
        assert DEADLINE * 0.95 < late.took < DEADLINE + 0.5
        for answer in [first, *(sibling.result() for sibling in siblings)]:
            assert said(answer) == ("1", worker)
        assert server.worker_pids() == {worker}
        log = server.log()
        assert f"{view}?8" in log or f"{view} " in log, "the URL"
        assert {"/slow": "the_slow_view", "/compute": "the_computing_view"}[view] in log, "the stack"
        assert f"{DEADLINE:.1f}" in log, "the age"
        assert said(server.get()) == ("1", worker)


def test_what_the_application_has_to_tidy_is_tidied() -> None:
    with running(SITE, *deadline()) as server:
        assert server.get("/tidy?8").status == 504
        eventually((server.path / "tidied").exists, "the finally clause ran")


def test_with_one_thread() -> None:
    with running(SITE, *deadline(), "--threads", "1") as server:
        (worker,) = server.wait_for_workers(1)
        assert server.get("/slow?8").status == 504
        assert said(server.get()) == ("1", worker)


def test_again_and_again_in_one_worker() -> None:
    with running(SITE, *deadline(0.2), "--threads", "4") as server, Load(server.port) as load:
        (worker,) = server.wait_for_workers(1)
        for _ in range(5):
            questions = [Question(server, "/slow?8") for _ in range(3)]
            assert [question.result().status for question in questions] == [504] * 3
    assert set(load.pids) == {worker}
    assert load.failures == []


def test_an_answer_that_has_begun_is_cut_where_it_is() -> None:
    with running(SITE, *deadline()) as server, server.connect() as client:
        client.send(head("GET", "/stream?8"))
        with pytest.raises((CutOff, ConnectionResetError)):
            client.read_answer()
        assert said(server.get())[0] == "1"


def test_a_quick_request_is_left_alone() -> None:
    """The exception must not hit whatever the thread does next."""
    with running(SITE, *deadline(0.1)) as server, ExitStack() as stack:
        assert server.get("/slow?8").status == 504
        load = stack.enter_context(Load(server.port, target="/sleep?0.095", kept=8, fresh=0))
        eventually(lambda: load.answered + len(load.failures) > 60, "answers")
        load.stop()
        assert all(" 504 " in failure.why or "504" in failure.why for failure in load.failures)
        assert said(server.get())[0] == "1"
        assert "Traceback" not in server.log().replace("RequestTimeout", "")


def test_more_time_for_who_asks() -> None:
    with running(SITE, *deadline()) as server:
        assert said(server.get(f"/extended?{DEADLINE * 1.6}"))[0] == "1"
        assert server.warnings() == []


@pytest.mark.parametrize(("view", "workers"), [("/stuck", 1), ("/lock", 2)])
def test_a_thread_that_cannot_be_ended_costs_its_process_and_nothing_else(view: str, workers: int) -> None:
    flags = (*deadline(), "--workers", str(workers))
    with running(SITE, *flags, command=HURRIED) as server, Load(server.port) as load:
        before = server.wait_for_workers(workers)
        load.wait_for_all_of(before)
        late = Question(server, f"{view}?60")
        first = server.get(f"/sleep?{DEADLINE * 0.6}")
        siblings = [Question(server, f"/sleep?{DEADLINE * 0.8}") for _ in range(3)]
        assert late.result().status == 504
        assert late.took < DEADLINE + 0.5
        for answer in [first, *(sibling.result() for sibling in siblings)]:
            assert said(answer)[1] in before
        load.wait_for_other_than(before)
        eventually(
            lambda: len(server.worker_pids() & before) == workers - 1, "the end of the stuck one", patience=40
        )
        eventually(lambda: len(server.worker_pids()) == workers, "as many as before")
        assert {"/stuck": "the_view_stuck_in_c", "/lock": "the_view_behind_a_lock"}[view] in server.log()
    print(load.summary())
    assert load.failures == []
    assert load.worst < 1.0


def test_all_threads_stuck_at_once() -> None:
    """What waits behind them is told so in time; nobody is reset."""
    flags = (*deadline(), "--threads", "2", "--workers", "2")
    with running(SITE, *flags, command=HURRIED) as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        questions = [Question(server, "/stuck?60") for _ in range(4)]
        statuses = [question.result().status for question in questions]
        # One or two may have come to a worker where two others had both threads: those waited.
        assert set(statuses) <= {503, 504} and statuses.count(504) >= 2, statuses
        load.wait_for_other_than(before)
        eventually(lambda: not server.worker_pids() & before, "the end of both", patience=40)
        server.wait_for_workers(2)
        mended = time.monotonic()
        load.wait_for_more()
    print(load.summary())
    assert [failure for failure in load.failures if "HTTP/1.1 503 " not in failure.why] == []
    assert [failure for failure in load.failures if failure.at - failure.took > mended] == []
    assert load.worst < 3 * DEADLINE


def test_a_frozen_worker_is_killed_and_its_stack_is_known() -> None:
    flags = ("--workers", "2", "--timeout", "1")
    with running(SITE, *flags, command=HURRIED) as server, Load(server.port, patience=5) as load:
        before = server.wait_for_workers(2)
        load.wait_for_all_of(before)
        with server.connect() as client:
            client.send(head("GET", "/gil?60"))
            eventually(lambda: len(server.worker_pids() & before) == 1, "its end")
            with pytest.raises((CutOff, ConnectionResetError)):
                client.read_answer()
        (frozen,) = before - server.worker_pids()
        eventually(lambda: len(set(load.pids) & server.worker_pids()) == 2, "the replacement")
        server.wait_for_log("the_view_that_holds_the_gil")
        assert str(frozen) in server.log()
    print(load.summary())
    assert {failure.pid for failure in load.failures} <= {frozen, None}


def test_a_stopped_worker_is_killed() -> None:
    with running(SITE, "--workers", "2", "--timeout", "1", command=HURRIED) as server:
        before = server.wait_for_workers(2)
        os.kill(min(before), signal.SIGSTOP)
        server.wait_until_gone({min(before)})
        server.wait_for_workers(2)
        assert server.answering() <= server.worker_pids()


def test_a_busy_worker_is_not_a_frozen_one() -> None:
    """Eight threads that compute are slow, not stuck; and so is one request that lasts."""
    with running(SITE, "--timeout", "1", command=HURRIED) as server:
        (worker,) = server.wait_for_workers(1)
        questions = [Question(server, "/compute?1.6") for _ in range(8)]
        for question in questions:
            assert said(question.result()) == ("1", worker)


def test_all_stacks_of_all_workers_on_request() -> None:
    number = getattr(signal, "SIGINFO", None) or signal.SIGRTMIN
    with running(SITE, "--workers", "2") as server, ExitStack() as stack:
        for _ in range(6):
            client = stack.enter_context(server.connect())
            client.send(head("GET", "/slow?20"))
        eventually(lambda: server.get("/sleep?0.1").status == 200, "they are at it")
        before = server.worker_pids()
        server.signal(number)
        server.wait_for_log("the_slow_view")
        for pid in before:
            server.wait_for_log(str(pid))
        assert said(server.get())[0] == "1"
        assert server.worker_pids() == before
