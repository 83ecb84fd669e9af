"""--user, --group, --umask, --hooks, --pid: what they come to in real processes."""

import os
import pwd
import signal
from pathlib import Path

import pytest

from tests.process.harness import eventually, running, said, site, started
from tests.serving import head

WHO = """
    elif path == "/who":
        old = os.umask(0)
        os.umask(old)
        body = "%d %d %s %o %s" % (os.getuid(), os.getgid(), os.getgroups(), old, os.environ.get("HOME"))"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@as_root
@pytest.mark.parametrize("flags", [(), ("--preload",)])
def test_workers_run_as_the_user(flags: tuple[str, ...]) -> None:
    nobody = pwd.getpwnam("nobody")
    identity = ("--user", "nobody", "--group", "nogroup", "--umask", "027")
    with running(site("1", routes=WHO), "--workers", "2", *identity, *flags) as server:
        uid, gid, rest = server.get("/who").body.decode().split(" ", 2)
        assert (int(uid), int(gid)) == (nobody.pw_uid, nobody.pw_gid)
        assert "[0" not in rest, "none of root's groups"
        assert " 27 " in rest
        assert {owner(pid) for pid in server.worker_pids()} == {nobody.pw_uid}
        assert owner(server.master_pid) == 0
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        assert "root" not in "".join(server.warnings())


@as_root
def test_the_master_can_reload_and_kill_who_is_no_longer_its_equal() -> None:
    with running(site("1"), "--workers", "2", "--user", "nobody") as server:
        before = server.wait_for_workers(2)
        os.kill(min(before), signal.SIGKILL)
        eventually(lambda: len(server.worker_pids() - before) == 1, "a replacement")
        nobody = pwd.getpwnam("nobody").pw_uid
        eventually(lambda: {owner(pid) for pid in server.worker_pids()} == {nobody}, "nobody's workers")
        server.wait_for_workers(2)
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert server.survivors() == []


@as_root
def test_root_without_a_user_is_told_once() -> None:
    with running(site("1"), "--workers", "2") as server:
        said(server.get())
        assert server.log().count("--user") == 1, server.log()


def test_an_unknown_user_ends_the_start() -> None:
    with started(site("1"), "--user", "no-such-user") as server:
        assert server.wait_exit() == 5
        assert "no-such-user" in server.log()


def test_the_pid_file_comes_and_goes() -> None:
    with running(site("1"), "--pid", "server.pid") as server:
        file = server.path / "server.pid"
        assert int(file.read_text()) == server.master_pid
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert not file.exists()


def test_the_pid_file_of_a_living_server_is_respected() -> None:
    with running(site("1"), "--pid", "/dev/shm/pronghorn-test.pid") as server:
        with started(site("1"), "--pid", "/dev/shm/pronghorn-test.pid") as second:
            assert second.wait_exit() == 5
            assert str(server.master_pid) in second.log()
        assert Path("/dev/shm/pronghorn-test.pid").exists()
        said(server.get())


REFUSER = """
class Refuser:
    def find_spec(self, name, *_):
        os.write(2, b"imports " + name.encode() + bytes([10]))
        raise ImportError(name)
"""
REFUSE = """
    elif path == "/refuse":
        sys.meta_path.insert(0, Refuser())
    elif path == "/fail":
        environ["wsgi.errors"].write("caf\\xe9")
        raise ValueError("caf\\xe9")"""


@pytest.mark.parametrize("flags", [(), ("--request-timeout", "5", "--metrics", "/-/metrics")])
def test_a_worker_that_serves_imports_nothing(flags: tuple[str, ...]) -> None:
    """Its user may not be able to read Python's library; a codec is an import, too."""
    logs = ("--access-logfile", "access.log", "--pid", "server.pid")
    with running(site("1", prelude=REFUSER, routes=REFUSE), *logs, *flags) as server:
        (worker,) = server.wait_for_workers(1)
        assert server.get("/refuse").status == 200
        assert server.get("/fail").status == 500
        with server.connect() as client:
            assert client.ask(b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", method="GET").status == 400
        with server.connect() as client:
            body = bytes(2 << 20)  # onto the disk
            assert client.ask(head("POST", "/", length=len(body)) + body).status == 200
        os.kill(worker, signal.SIGUSR1)
        server.signal(signal.SIGUSR1)
        server.get()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert "imports " not in server.log()
