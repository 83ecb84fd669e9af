"""Which worker takes a connection: one that has a thread free; and in turn, if all have."""

from collections import Counter
from contextlib import ExitStack

import pytest

from tests.process.harness import LONG, eventually, running, said, site
from tests.process.load import Load
from tests.serving import head

HELD = 10 if LONG else 1.5
WORKERS = 8 if LONG else 4
REQUESTS = 1600
EVEN = 1.3
P99 = 0.1
STUCK = 0.3
"""Seconds."""

HOLD = """
    elif path == "/hold":
        open("held", "w").close()
        time.sleep(float(query))"""


def unevenness(pids: Counter[int]) -> float:
    """Busiest to least busy."""
    return max(pids.values()) / min(pids.values())


def test_a_worker_whose_only_thread_is_held_takes_no_connection() -> None:
    with (
        running(site("1", routes=HOLD), "--workers", "2", "--threads", "1") as server,
        server.connect() as client,
    ):
        server.wait_for_workers(2)
        eventually(lambda: len(server.answering()) == 2, "both are ready")
        client.send(head("GET", f"/hold?{HELD}"))
        eventually((server.path / "held").exists, "it is held")
        with Load(server.port, kept=0, fresh=4) as load:
            _, holder = said(client.read_answer())
        print(load.summary())
        assert load.failures == []
        assert load.percentile(0.99) < P99
        # A client that waits asks nothing else: four of them would hardly show in a percentile.
        stuck = [item for item in load.served if item.pid == holder and item.took > STUCK]
        assert stuck == [], "they went to the other"
        assert load.answered > 100 * HELD


def test_when_all_are_held_nobody_is_lost() -> None:
    flags = ("--workers", "2", "--threads", "1")
    with running(site("1"), *flags) as server, ExitStack() as stack:
        eventually(lambda: len(server.answering()) == 2, "both are ready")
        clients = [stack.enter_context(server.connect()) for _ in range(12)]
        for client in clients:
            client.send(head("GET", "/sleep?0.1"))
        pids = Counter(said(client.read_answer())[1] for client in clients)
        # Which takes how many is left to chance: who wakes first may have taken all before the other is awake.
        assert set(pids) <= server.worker_pids()
        assert pids.total() == len(clients)


@pytest.mark.parametrize("kind", ["fresh", "kept"])
def test_idle_workers_share_evenly(kind: str) -> None:
    kept, fresh = (40, 0) if kind == "kept" else (0, 8)
    with running(site("1"), "--workers", str(WORKERS)) as server:
        server.wait_for_workers(WORKERS)
        eventually(lambda: len(server.answering()) == WORKERS, "all are ready")
        pause = 0.02 if kind == "kept" else 0.005
        with Load(server.port, pause=pause, kept=kept, fresh=fresh, spread=0.5) as load:
            eventually(lambda: load.answered >= REQUESTS, "requests", patience=30)
        print(load.summary(), dict(load.pids))
        assert load.failures == []
        assert len(load.pids) == WORKERS
        assert unevenness(load.pids) < EVEN
