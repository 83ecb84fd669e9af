"""USR2: a new master, of whatever is installed by then, on the same sockets."""

import os
import signal
from pathlib import Path

from tests.process.harness import BROKEN, Server, eventually, running, site
from tests.process.load import Load


def pid_in(path: Path) -> int:
    """0 while there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def only_master(server: Server, file: Path, old: int) -> int:
    """The pid of the one master, once it is not the old one, and it is the one in the file."""

    def replaced() -> bool:
        server.child.poll()
        masters = server.masters()
        return len(masters) == 1 and masters != [old]

    eventually(replaced, "one new master")
    (pid,) = server.masters()
    eventually(lambda: pid_in(file) == pid, f"{pid} in the pid file")
    return pid


def test_a_new_master_takes_over_under_load() -> None:
    with running(site("1"), "--workers", "2", "--pid", "server.pid") as server, Load(server.port) as load:
        file = server.path / "server.pid"
        assert pid_in(file) == server.master_pid
        before = server.wait_for_workers(2)
        server.write(site("2"))
        server.signal(signal.SIGUSR2)
        load.wait_for_version("2")
        new = only_master(server, file, server.child.pid)
        assert server.wait_exit() == 0
        server.wait_until_gone(before)
        load.wait_for_more()
        server.master_pid = new
        assert len(server.wait_for_workers(2)) == 2
        assert sorted(server.survivors()) == sorted({new} | server.worker_pids())
    print(load.summary())
    assert load.failures == []


def test_the_new_master_obeys() -> None:
    with running(site("1"), "--workers", "2", "--pid", "server.pid") as server, Load(server.port) as load:
        file = server.path / "server.pid"
        for version in "234":
            server.write(site(version))
            server.signal(signal.SIGUSR2)
            old = server.master_pid
            load.wait_for_version(version)
            server.master_pid = only_master(server, file, old)
        server.write(site("5"))
        server.signal(signal.SIGHUP)
        load.wait_for_version("5")
        load.stop()
        os.kill(server.master_pid, signal.SIGTERM)
        eventually(lambda: server.survivors() == [], "its end")
        assert not file.exists()
    assert load.failures == []


def test_a_new_master_that_does_not_get_ready_changes_nothing() -> None:
    with running(site("1"), "--workers", "2", "--pid", "server.pid") as server, Load(server.port) as load:
        ours = server.survivors()
        assert len(ours) == 3
        server.write(BROKEN)
        server.signal(signal.SIGUSR2)
        server.wait_for_log("no_such_module_anywhere")
        eventually(lambda: server.survivors() == ours, "the new one has gone")
        assert pid_in(server.path / "server.pid") == server.master_pid
        load.wait_for_more()
        assert set(load.versions) == {"1"}
        server.write(site("2"))
        server.signal(signal.SIGUSR2)
        load.wait_for_version("2")
        only_master(server, server.path / "server.pid", server.child.pid)
    assert load.failures == []


def test_a_new_master_that_hangs_is_given_up() -> None:
    flags = ("--workers", "2", "--boot-timeout", "1")
    with running(site("1"), *flags) as server, Load(server.port) as load:
        ours = server.survivors()
        server.write(site("2", prelude="open('importing', 'w').close(); threading.Event().wait()"))
        server.signal(signal.SIGUSR2)
        eventually((server.path / "importing").exists, "its import")
        eventually(lambda: server.survivors() == ours, "the new one has gone")
    assert load.failures == []
    assert set(load.versions) == {"1"}
