"""Whoever dies costs what it was doing, and nothing else."""

import itertools
import os
import signal
import time

import pytest

from tests.process.harness import BROKEN, LONG, Server, eventually, running, said, site, started, stop
from tests.process.load import Load
from tests.serving import head

KILLS = 50 if LONG else 5
REPLACED = 1.0
"""Seconds."""
MESSAGE_LINES = 6


def kill_one(server: Server) -> tuple[int, float]:
    """The pid of the worker that was killed, and when."""
    pid = min(server.worker_pids())
    os.kill(pid, signal.SIGKILL)
    return pid, time.monotonic()


def assert_only_its_own_failed(load: Load, kills: list[tuple[int, float]]) -> None:
    """Each failure is at the moment of a death; where it is known who had the connection, it was the one."""
    for failure in load.failures:
        near = [pid for pid, at in kills if at - 0.1 < failure.at < at + 0.3]
        assert near, f"a failure at another time than {kills}: {failure}"
        assert failure.pid is None or failure.pid in near, (failure, kills)


def test_killed_again_and_again_under_load() -> None:
    with running(site("1"), "--workers", "3") as server, Load(server.port) as load:
        kills = []
        for _ in range(KILLS):
            before = server.wait_for_workers(3)
            load.wait_for_all_of(before)
            pid, at = kill_one(server)
            kills.append((pid, at))
            server.wait_until_gone({pid})
            new = server.wait_for_workers(3) - before
            assert len(new) == 1
            load.wait_for_all_of(new)
            took = time.monotonic() - at
            print(f"replaced after {took * 1000:.0f} ms")
            assert took < REPLACED
    print(load.summary())
    assert_only_its_own_failed(load, kills)
    assert len(load.failures) <= 3 * KILLS


def test_killed_while_the_module_on_disk_is_broken() -> None:
    with running(site("1"), "--workers", "3") as server, Load(server.port) as load:
        before = server.wait_for_workers(3)
        server.write(BROKEN)
        killed = kill_one(server)
        server.wait_for_log("No module named 'no_such_module_anywhere'")
        load.wait_for_more(300)
        assert before - {killed[0]} <= server.worker_pids()
        server.write(site("2"))
        load.wait_for_version("2")
        server.wait_for_workers(3)
    assert_only_its_own_failed(load, [killed])
    assert {item.pid for item in load.served if item.version == "1"} <= before


BIRTHS = "open('births', 'a').write('%f\\n' % time.monotonic())\n"


@pytest.mark.parametrize(
    "death",
    ["raise SystemError('no')", "os.kill(os.getpid(), 9)"],
    ids=["raise", "kill"],
)
def test_one_that_dies_at_birth_is_retried_ever_more_slowly(death: str) -> None:
    with running(site("1"), "--workers", "2") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        server.write(site("2", prelude=BIRTHS + death))
        killed = kill_one(server)
        births = server.path / "births"
        eventually(lambda: births.exists() and births.read_text().count("\n") >= 3, "attempts", patience=20)
        times = [float(line) for line in births.read_text().split()]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        print(gaps)
        assert gaps[1] > gaps[0] > 0.05, "it waits longer each time"
        assert before - {killed[0]} <= server.worker_pids()
        server.write(site("3"))
        load.wait_for_version("3", patience=20)
    assert_only_its_own_failed(load, [killed])


def test_all_are_killed_while_the_module_on_disk_is_broken() -> None:
    """Soon after it is mended, all serve again; until then, the log does not say that others go on."""
    with running(site("1"), "--workers", "4") as server:
        eventually(lambda: len(server.answering()) == 4, "all serve")
        workers = server.worker_pids()
        server.write(BROKEN)
        stop({server.master_pid})
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        server.wait_until_gone(workers)
        server.signal(signal.SIGCONT)
        server.wait_for_log("next attempt is in 0.2 s")
        server.write(site("3"))
        server.wait_for_version("3")
        server.wait_for_workers(4)
        assert "Nobody serves" in server.log()
        assert "The others go on" not in server.log()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (BROKEN, "no_such_module_anywhere"),
        ("def app(:\n", "served.py"),
        ("application = 1\n", "app"),
        ("raise RuntimeError('the database is away')\n", "the database is away"),
    ],
    ids=["import", "syntax", "name", "raise"],
)
@pytest.mark.parametrize("workers", ["1", "4"])
def test_a_start_that_fails_says_so_and_ends(source: str, expected: str, workers: str) -> None:
    began = time.monotonic()
    with started(source, "--workers", workers) as server:
        assert server.wait_exit() == 3
        assert time.monotonic() - began < 5
        message = server.log()
        assert expected in message
        assert len(message.splitlines()) <= MESSAGE_LINES, message
        assert server.survivors() == []


def test_a_start_where_the_workers_die_without_a_word_ends() -> None:
    with started(site("1", prelude="os._exit(9)"), "--workers", "2") as server:
        assert server.wait_exit() == 3
        assert server.survivors() == []


def test_a_killed_master_leaves_nobody() -> None:
    """The workers finish what they are at, and go."""
    with running(site("1"), "--workers", "3") as server, server.connect() as client:
        client.send(head("GET", "/sleep?0.5"))
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it works on it")
        os.kill(server.master_pid, signal.SIGKILL)
        said(client.read_answer())
        client.close()
        eventually(lambda: server.survivors() == [], "nobody is left", patience=5)


def test_a_killed_master_leaves_nobody_who_is_stuck() -> None:
    with (
        running(site("1"), "--workers", "2", "--graceful-timeout", "0.5") as server,
        server.connect() as client,
    ):
        client.send(head("GET", "/sleep?60"))
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it works on it")
        os.kill(server.master_pid, signal.SIGKILL)
        eventually(lambda: server.survivors() == [], "nobody is left", patience=5)


@pytest.mark.parametrize("flags", [(), ("--preload",)], ids=["worker", "mold"])
def test_a_killed_master_during_a_boot_leaves_nobody(flags: tuple[str, ...]) -> None:
    """However long that would take: whoever imports has the port."""
    with running(site("1"), "--workers", "2", *flags) as server:
        before = server.wait_for_workers(2 + len(flags))
        server.write(site("2", prelude="open('importing', 'w').close(); time.sleep(600)"))
        server.signal(signal.SIGHUP)
        eventually((server.path / "importing").exists, "the import")
        eventually(lambda: server.worker_pids() > before, "new ones")
        os.kill(server.master_pid, signal.SIGKILL)
        eventually(lambda: server.survivors() == [], "nobody is left", patience=6)


def test_a_killed_master_during_the_warm_up_of_a_molds_worker_leaves_nobody() -> None:
    """Its parent is neither the master nor the mold."""
    hooks = (
        "def post_fork(info):\n    if os.path.exists('wait'): open('held', 'w').close(); time.sleep(600)\n"
    )
    with running(site("1", prelude=hooks), "--workers", "2", "--preload", "--hooks", "served") as server:
        server.wait_for_workers(3)
        (server.path / "wait").touch()
        os.kill(min(server.answering()), signal.SIGKILL)
        eventually((server.path / "held").exists, "the hook of the new one")
        os.kill(server.master_pid, signal.SIGKILL)
        eventually(lambda: server.survivors() == [], "nobody is left", patience=6)


def test_a_worker_that_an_operator_ends_is_replaced_without_a_failure() -> None:
    with running(site("1"), "--workers", "2") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        load.wait_for_all_of(before)
        os.kill(min(before), signal.SIGTERM)
        load.wait_for_other_than(before)
        server.wait_until_gone({min(before)})
        server.wait_for_workers(2)
    assert load.failures == []
