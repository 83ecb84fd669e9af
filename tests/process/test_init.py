"""As PID 1 of a container, the master is the parent of every orphan: it waits for them, or they stay for ever."""

import os
import shutil
import signal
import subprocess

import pytest

from tests.process.harness import eventually, running, said, site

NEW_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def can_unshare() -> bool:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run([*NEW_NAMESPACE, "true"], stderr=subprocess.DEVNULL).returncode == 0


pytestmark = pytest.mark.skipif(not can_unshare(), reason="no new PID namespace here")

ORPHAN = """
    elif path == "/orphan":
        if not os.fork():
            if not os.fork():
                time.sleep(0.1)
                os._exit(7)
            os._exit(0)
        os.wait()
    elif path == "/zombies":
        states = []
        for name in filter(str.isdecimal, os.listdir("/proc")):
            try:
                states.append(open(f"/proc/{name}/stat").read().rpartition(")")[2].split()[0])
            except OSError:
                pass
        body = "%d zombies of %d" % (states.count("Z"), len(states))"""


def test_orphans_are_waited_for() -> None:
    with running(site("1", routes=ORPHAN), "--threads", "1", wrapper=NEW_NAMESPACE) as server:
        assert "pid 1;" in server.log()
        for _ in range(5):
            assert server.get("/orphan").status == 200
        eventually(lambda: server.get("/zombies").body == b"0 zombies of 2", "nobody but us")
        assert "WARNING" not in server.log().replace("--user", "")
        assert said(server.get())[0] == "1"


def test_signals_of_the_container_are_obeyed() -> None:
    """PID 1 has no default actions: what is not handled is ignored, so `docker stop` would wait and kill."""
    with running(site("1"), wrapper=NEW_NAMESPACE) as server:
        inside = min(server.worker_pids())
        os.kill(inside, signal.SIGTERM)
        assert server.wait_exit() == 0
        assert server.survivors() == []
