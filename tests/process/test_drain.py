"""The end of the whole server."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from tests.process.harness import HURRIED, Server, eventually, running, said, site, started
from tests.process.load import Load
from tests.serving import Client, head

IDLE = 0.5
"""Seconds; promised on a quiet machine: 0.05."""


def begin(server: Server, target: str, stack: ExitStack) -> Client:
    client = stack.enter_context(server.connect())
    client.send(head("GET", target))
    return client


def test_term_answers_what_is_in_flight_and_what_is_in_the_accept_queue() -> None:
    with running(site("1"), "--workers", "2", "--threads", "4") as server, ExitStack() as stack:
        workers = server.wait_for_workers(2)
        clients = [begin(server, "/sleep?0.1", stack) for _ in range(50)]
        eventually(lambda: server.get("/sleep?0.1").status == 200, "they are at it")
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        clients += [begin(server, "/sleep?0.01", stack) for _ in range(40)]
        server.signal(signal.SIGTERM)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        for client in clients:
            said(client.read_answer())
            client.close()
        assert server.wait_exit() == 0
        assert server.survivors() == []
        assert server.warnings() == []


@pytest.mark.parametrize("workers", [1, 4])
def test_term_under_load_fails_no_request(workers: int) -> None:
    with (
        running(site("1"), "--workers", str(workers)) as server,
        Load(server.port, until_refused=True, kept=20, fresh=20) as load,
    ):
        eventually(lambda: load.answered > 500, "answers")
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        load.join()
    print(load.summary())
    assert load.failures == []
    assert load.refused == 40


@pytest.mark.parametrize("workers", [1, 4])
def test_term_of_an_idle_server_is_quick(workers: int) -> None:
    with running(site("1"), "--workers", str(workers)) as server:
        server.wait_for_workers(workers)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        took = time.monotonic() - began
        print(f"{took * 1000:.0f} ms")
        assert took < IDLE
        assert server.survivors() == []


def test_the_graceful_timeout_says_what_it_cuts() -> None:
    with running(site("1"), "--graceful-timeout", "0.5", "--workers", "2") as server, ExitStack() as stack:
        begin(server, "/sleep?60", stack)
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it is at it")
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 1
        assert 0.4 < time.monotonic() - began < 3
        assert "GET /sleep" in server.log()
        assert server.survivors() == []


@pytest.mark.parametrize("everybody", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_int_and_quit_end_at_once(number: signal.Signals, everybody: bool) -> None:
    """Ctrl+C is for the whole process group of the terminal."""
    with running(site("1"), "--workers", "2") as server, ExitStack() as stack:
        begin(server, "/sleep?60", stack)
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it is at it")
        began = time.monotonic()
        os.killpg(server.master_pid, number) if everybody else server.signal(number)
        assert server.wait_exit() == 1
        assert time.monotonic() - began < 2
        assert server.survivors() == []
        assert "Traceback" not in server.log()


def test_int_of_an_idle_server_is_clean() -> None:
    with running(site("1"), "--workers", "2") as server:
        server.wait_for_workers(2)
        os.killpg(server.master_pid, signal.SIGINT)
        assert server.wait_exit() == 0
        assert server.warnings() == []


def test_term_for_the_whole_group_is_one_term() -> None:
    """systemd's KillMode=control-group, and init systems of containers, tell every process."""
    with running(site("1"), "--workers", "2") as server, ExitStack() as stack:
        clients = [begin(server, "/sleep?0.5", stack) for _ in range(6)]
        eventually(lambda: server.get("/sleep?0.1").status == 200, "they are at it")
        os.killpg(server.master_pid, signal.SIGTERM)
        for client in clients:
            said(client.read_answer())
            client.close()
        assert server.wait_exit() == 0


def test_a_second_term_ends_at_once() -> None:
    with running(site("1"), "--workers", "2") as server, ExitStack() as stack:
        begin(server, "/sleep?60", stack)
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it is at it")
        server.signal(signal.SIGTERM)
        eventually(lambda: len(server.worker_pids()) == 1, "the idle one has gone")
        server.signal(signal.SIGTERM)
        assert server.wait_exit(3) == 1
        assert server.survivors() == []


def test_term_during_the_start_ends_it() -> None:
    with started(site("1", prelude="open('importing', 'w').close(); time.sleep(30)")) as server:
        eventually((server.path / "importing").exists, "the import")
        server.signal(signal.SIGTERM)
        server.wait_exit(5)
        assert server.survivors() == []


def test_the_drain_delay_fails_readiness_first() -> None:
    flags = ("--workers", "2", "--drain-delay", "1", "--health", "/-/health")
    with (
        running(site("1"), *flags, command=HURRIED) as server,
        Load(server.port, until_refused=True) as load,
    ):
        assert server.get("/-/health").status == 200
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        eventually(lambda: server.get("/-/health").status == 503, "it is not ready any more", patience=0.5)
        for _ in range(20):
            assert server.get("/").status == 200
            assert server.get("/-/health").status == 503
        assert server.wait_exit() == 0
        assert time.monotonic() - began >= 1.0
        load.join()
    assert load.failures == []
