"""Workers that end of age or of size: replaced before they leave, one at a time, and nobody notices."""

import signal

import pytest

from tests.process.harness import BROKEN, HURRIED, LONG, Server, eventually, running, site
from tests.process.load import Load

RECYCLES = 1000 if LONG else 8
MIB = 1 << 20

LEAK = """
    elif path == "/leak":
        app.__dict__.setdefault("leaked", []).append(b"x" * (1 << 20))
    elif path == "/eat":
        eaten = b"x" * (300 << 20)
        time.sleep(60)"""


class Census:
    """The fewest and the most that lived, as often as anybody looked."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.fewest = self.most = len(server.worker_pids())

    def take(self) -> bool:
        count = len(self._server.worker_pids())
        if count < self.fewest:  # /proc changes while it is read; a gap would last
            count = len(self._server.worker_pids())
        self.fewest, self.most = min(self.fewest, count), max(self.most, count)
        return True


@pytest.mark.parametrize("workers", [1, 3])
def test_max_requests(workers: int) -> None:
    flags = ("--workers", str(workers), "--max-requests", "50", "--max-requests-jitter", "20")
    with running(site("1"), *flags) as server, Load(server.port, pause=0.005) as load:
        server.wait_for_workers(workers)
        census = Census(server)
        eventually(
            lambda: census.take() and len(load.pids) > RECYCLES + workers,
            "other workers",
            patience=10 + RECYCLES,
        )
    print(load.summary(), f"{census.fewest} to {census.most} workers")
    assert load.failures == []
    assert census.fewest == workers, "each was replaced before it left"
    assert census.most == workers + 1, "one after the other"
    assert max(load.pids.values()) < 1000


def test_max_worker_lifetime() -> None:
    flags = ("--workers", "2", "--max-worker-lifetime", "0.4", "--max-worker-lifetime-jitter", "0.2")
    with running(site("1"), *flags, command=HURRIED) as server, Load(server.port) as load:
        census = Census(server)
        eventually(lambda: census.take() and len(load.pids) >= 6, "other workers", patience=20)
    print(load.summary(), f"{census.fewest} to {census.most} workers")
    assert load.failures == []
    assert census.fewest == 2 and census.most <= 3


def test_a_leak_is_mended_by_replacing() -> None:
    limit = 100 * MIB
    flags = ("--workers", "2", "--max-worker-memory", str(limit), "--max-worker-memory-hard", str(400 * MIB))
    with (
        running(site("1", routes=LEAK), *flags) as server,
        Load(server.port, target="/leak", pause=0.02) as load,
    ):
        eventually(lambda: len(load.pids) >= 5, "other workers", patience=30)
    print(load.summary(), sorted(load.pids.values()))
    assert load.failures == []
    assert max(load.pids.values()) < 300, "it was replaced in time"


def test_the_hard_limit_kills() -> None:
    flags = ("--workers", "2", "--max-worker-memory-hard", str(200 * MIB))
    with running(site("1", routes=LEAK), *flags, command=HURRIED) as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        with server.connect() as client:
            client.send(b"GET /eat HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda: len(before & server.worker_pids()) == 1, "its end")
        eventually(lambda: len(set(load.pids) & server.worker_pids()) == 2, "the replacement")
    assert "memory" in server.log()
    killed = before - set(server.worker_pids())
    assert {failure.pid for failure in load.failures} <= killed | {None}


def test_a_limit_below_what_a_new_worker_holds_is_no_storm() -> None:
    with running(site("1"), "--workers", "2", "--max-worker-memory", str(5 * MIB)) as server:
        eventually(lambda: server.log().count("is to be replaced") == 2, "both ask")
        before = server.worker_pids()
        server.answering()
        assert server.worker_pids() == before
        assert [
            line for line in server.warnings() if "Raise --max-worker-memory" in line
        ] == server.warnings()
        assert len(server.warnings()) == 1


def test_who_cannot_be_replaced_serves_on() -> None:
    """The module on disk is broken: an old worker is better than none."""
    with running(site("1"), "--workers", "2", "--max-requests", "50") as server, Load(server.port) as load:
        server.write(BROKEN)
        server.wait_for_log("no_such_module_anywhere")
        load.wait_for_more(500)
        server.write(site("2"))
        load.wait_for_version("2", patience=30)
    assert load.failures == []


def test_a_retiring_worker_and_a_reload_do_not_meet_badly() -> None:
    flags = ("--workers", "2", "--max-requests", "30")
    with running(site("0"), *flags) as server, Load(server.port) as load:
        for version in "1234":
            server.write(site(version))
            server.signal(signal.SIGHUP)
            load.wait_for_version(version)
        server.wait_for_version("4")
    assert load.failures == []
