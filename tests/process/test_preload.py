"""--preload: the application is imported once, in a mold that forks the workers."""

import os
import signal
import socket
from collections.abc import Iterable
from pathlib import Path

from tests.process.harness import BROKEN, HURRIED, Server, eventually, running, said, site
from tests.process.load import Load

NOTE_IMPORT = "open('imports', 'a').write('%d\\n' % os.getpid())\n"
STRUCTURE = "STRUCTURE = [(number, str(number)) for number in range(250_000)]\n"
"""About 30 MB of small objects."""
SMALLER = 0.55


def imports(server: Server) -> int:
    return (server.path / "imports").read_text().count("\n")


def pss(pids: Iterable[int]) -> int:
    """KiB, proportional set size: shared pages divided by how many share them."""
    return sum(
        int(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )


def workers_of(server: Server, count: int) -> set[int]:
    """Those that answer; the mold never does."""
    seen: list[set[int]] = []

    def all_answer() -> bool:
        seen.append(server.answering() & server.worker_pids())
        return len(seen[-1]) == count

    eventually(all_answer, f"{count} workers answer")
    return seen[-1]


def test_the_application_is_imported_once() -> None:
    with running(site("1", prelude=NOTE_IMPORT), "--preload", "--workers", "3") as server:
        workers = workers_of(server, 3)
        assert imports(server) == 1
        importer = int((server.path / "imports").read_text())
        assert importer not in workers | {server.master_pid}, "neither a worker nor the master"


def test_reload_shows_new_code() -> None:
    with (
        running(site("1", prelude=NOTE_IMPORT), "--preload", "--workers", "2") as server,
        Load(server.port) as load,
    ):
        before = server.worker_pids()
        server.write(site("2", prelude=NOTE_IMPORT))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone(before)
        assert imports(server) == 2
        workers_of(server, 2)
    assert load.failures == []


def test_a_broken_reload_changes_nothing() -> None:
    with running(site("1"), "--preload", "--workers", "2") as server, Load(server.port) as load:
        workers = workers_of(server, 2)
        before = server.worker_pids()
        server.write(BROKEN)
        server.signal(signal.SIGHUP)
        server.wait_for_log("No module named 'no_such_module_anywhere'")
        eventually(lambda: server.worker_pids() == before, "only the old ones")
        load.wait_for_more()
        os.kill(min(workers), signal.SIGKILL)
        load.wait_for_other_than(workers)
        assert set(load.versions) == {"1"}
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")
    assert {failure.pid for failure in load.failures} <= {min(workers), None}


def test_what_the_import_leaves_running_is_named() -> None:
    left = (
        "threading.Thread(target=threading.Event().wait, name='left-behind', daemon=True).start()\n"
        "import socket\nDATABASE = socket.create_connection(('127.0.0.1', int(os.environ['DATABASE'])))\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]
        env = {"DATABASE": str(port)}
        with running(site("1", prelude=left), "--preload", "--workers", "2", env=env) as server:
            warnings = "\n".join(server.warnings())
            assert "left-behind" in warnings
            assert f"127.0.0.1:{port}" in warnings or "socket" in warnings
            assert server.log().count("left-behind") == 1, "once, not for each worker"
    with running(site("1"), "--preload", "--workers", "2") as server:
        assert server.warnings() == [], "and nothing is said where there is nothing"


def test_memory_is_shared() -> None:
    flags = ("--workers", "4")
    with running(site("1", prelude=STRUCTURE), *flags) as server:
        workers_of(server, 4)
        without = pss(server.worker_pids() | {server.master_pid})
    with running(site("1", prelude=STRUCTURE), *flags, "--preload") as server:
        workers_of(server, 4)
        shared = pss(server.worker_pids() | {server.master_pid})
    print(f"{shared} KiB of {without} KiB: {shared / without:.0%}")
    assert shared < SMALLER * without


def test_a_killed_worker_is_replaced_from_the_mold() -> None:
    with running(site("1", prelude=NOTE_IMPORT), "--preload", "--workers", "2") as server:
        before = workers_of(server, 2)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: server.answering() - before, "a new worker's answer")
        workers_of(server, 2)
        assert imports(server) == 1


def test_a_killed_mold_stops_nobody() -> None:
    with (
        running(site("1", prelude=NOTE_IMPORT), "--preload", "--workers", "2") as server,
        Load(server.port) as load,
    ):
        workers = workers_of(server, 2)
        (mold,) = server.worker_pids() - workers
        os.kill(mold, signal.SIGKILL)
        server.wait_until_gone({mold})
        load.wait_for_more()
        assert load.failures == []
        os.kill(min(workers), signal.SIGKILL)
        server.wait_until_gone({min(workers)})
        eventually(lambda: len(set(load.pids) & server.worker_pids()) == 2, "a replacement all the same")
    assert {failure.pid for failure in load.failures} <= {min(workers), None}


def test_a_mold_that_is_killed_with_an_order_in_hand() -> None:
    """The worker that was ordered will never be born: it must be missed, and not waited for at the end."""
    with running(site("1"), "--preload", "--workers", "2") as server, Load(server.port) as load:
        workers = workers_of(server, 2)
        (mold,) = server.worker_pids() - workers
        os.kill(mold, signal.SIGSTOP)
        os.kill(min(workers), signal.SIGKILL)
        server.wait_until_gone({min(workers)})
        server.wait_for_log("it is replaced")
        os.kill(mold, signal.SIGKILL)
        eventually(lambda: len(set(load.pids) & server.worker_pids()) == 2, "a replacement all the same")
        load.stop()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert server.survivors() == []


def test_a_mold_that_hangs_is_replaced() -> None:
    flags = ("--preload", "--workers", "2", "--boot-timeout", "1")
    with running(site("1"), *flags) as server, Load(server.port) as load:
        workers = workers_of(server, 2)
        (mold,) = server.worker_pids() - workers
        os.kill(mold, signal.SIGSTOP)
        os.kill(min(workers), signal.SIGKILL)
        server.wait_until_gone({min(workers)})
        eventually(lambda: len(set(load.pids) & server.worker_pids()) == 2, "a replacement all the same")
        assert mold not in server.worker_pids(), "it was killed"


def test_reload_after_reload() -> None:
    with running(site("0"), "--preload", "--workers", "2") as server, Load(server.port) as load:
        for version in "1234567":
            server.write(site(version))
            server.signal(signal.SIGHUP)
            if int(version) % 2:
                load.wait_for_version(version)
        server.wait_for_version("7")
        eventually(lambda: len(server.worker_pids()) == 3, "a mold and two workers")
    assert load.failures == []


def test_a_killed_master_leaves_nobody() -> None:
    with running(site("1"), "--preload", "--workers", "2") as server:
        workers_of(server, 2)
        os.kill(server.master_pid, signal.SIGKILL)
        eventually(lambda: server.survivors() == [], "nobody is left", patience=5)


def test_nothing_is_left_open() -> None:
    """Neither by a mold that is told to end nor by one that fails: Python tells of sockets in such a mode."""
    env = {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "error"}
    with running(site("1"), "--preload", env=env) as server:
        before = server.worker_pids()
        server.write(BROKEN)
        server.signal(signal.SIGHUP)
        server.wait_for_log("given up")
        eventually(lambda: server.worker_pids() == before, "the end of the one that failed")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone(before)
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert "ResourceWarning" not in server.log()


def test_term() -> None:
    with running(site("1"), "--preload", "--workers", "2") as server, server.connect() as client:
        client.send(b"GET /sleep?0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(lambda: server.get("/sleep?0.1").status == 200, "it is at it")
        server.signal(signal.SIGTERM)
        said(client.read_answer())
        client.close()
        assert server.wait_exit() == 0
        assert server.survivors() == []


def test_a_warmed_up_worker_becomes_the_mold() -> None:
    cache = """
    elif path == "/cached":
        CACHE.setdefault("by", os.getpid())
        body = "inherited" if CACHE["by"] != os.getpid() else "own\""""
    source = site("1", prelude=NOTE_IMPORT + "CACHE = {}\n", routes=cache)
    flags = ("--preload", "--workers", "2", "--refork-after", "50")
    with (
        running(source, *flags, command=HURRIED) as server,
        Load(server.port) as load,
    ):
        eventually(lambda: server.get("/cached").body == b"inherited", "a worker with the cache of another")
        eventually(lambda: {server.get("/cached").body for _ in range(10)} == {b"inherited"}, "all of them")
        assert imports(server) == 1
    print(load.summary())
    assert load.failures == []


def test_preload_with_max_requests() -> None:
    flags = ("--preload", "--workers", "2", "--max-requests", "50")
    with running(site("1", prelude=NOTE_IMPORT), *flags) as server, Load(server.port) as load:
        eventually(lambda: len(load.pids) > 7, "other workers", patience=20)
        assert imports(server) == 1
    assert load.failures == []
