"""What a review of the process manager found, each as it was found: a test that failed before it was mended."""

import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pronghorn.observe.scoreboard import State
from pronghorn.process.children import Child, Generation, Role
from pronghorn.process.inbox import STACKS
from pronghorn.process.messages import channels
from tests.process.harness import (
    BROKEN,
    HURRIED,
    Server,
    eventually,
    running,
    said,
    site,
    started,
    stop,
)
from tests.process.test_systemd_live import manager
from tests.serving import Client, head

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")

HOLD = """
    elif path == "/hold":
        open("held", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)"""
"""A route that is answered when there is a file `go`."""

WAIT = "while not os.path.exists('go'): time.sleep(0.01)\n"
IMPORTING = "open('importing', 'w').close()\n"

BURST = 40
"""Connections with a request on them: more than the workers take at once."""

LOGS = ("--access-logfile", "access.log", "--error-logfile", "error.log")


def in_a_directory(commands: str) -> tuple[str, ...]:
    """A wrapper that runs these before the server starts, in the shell that it starts from."""
    return ("sh", "-c", f'set -e; {commands}; export PWD; exec "$@"', "sh")


def serves(server: Server, version: str) -> None:
    """On its Unix socket, until it answers so."""
    path = str(server.path / "server.sock")

    def listens() -> bool:
        with socket.socket(socket.AF_UNIX) as end:
            return end.connect_ex(path) == 0

    def answers() -> bool:
        with Client(path, socket.AF_UNIX) as client:
            return said(client.ask(head("GET", "/", "Connection: close")))[0] == version

    eventually(listens, f"somebody listens (exit code {server.child.poll()})")
    eventually(answers, f"version {version}")


def rotate(server: Server) -> None:
    """Move the logs away and tell the master."""
    for name in ("access.log", "error.log"):
        (server.path / name).rename(server.path / f"{name}.1")
    server.signal(signal.SIGUSR1)
    eventually((server.path / "access.log").exists, "a new access log")


def open_files(pid: int) -> list[str]:
    """Of what kind, or their names."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(os.readlink(link))
        except FileNotFoundError:
            pass
    return found


def wait_for_new_logs(server: Server, pid: int) -> None:
    """A process writes into those that came after `rotate`."""
    names = [str(server.path / name) for name in ("access.log", "error.log")]

    def are_new() -> bool:
        files = open_files(pid)
        return all(name in files and f"{name}.1" not in files for name in names)

    eventually(are_new, f"{pid} has the new logs")


@contextmanager
def burst(server: Server, target: str) -> Iterator[list[Client]]:
    with ExitStack() as stack:
        clients = []
        for _ in range(BURST):
            client = stack.enter_context(server.connect())
            client.send(head("GET", target, "Connection: close"))
            clients.append(client)
        yield clients


# 1: the old code came back


def test_a_worker_that_drains_to_become_the_mold_is_too_late_after_a_reload() -> None:
    flags = ("--preload", "--refork-after", "20")
    with running(site("1", routes=HOLD), *flags, command=HURRIED) as server, server.connect() as client:
        first = said(server.get())[1]
        client.send(head("GET", "/hold"))
        eventually((server.path / "held").exists, "the request that keeps it from draining")
        server.answering(25)
        server.wait_for_log(f"worker {first} is to become the mold")
        eventually(lambda: first not in server.answering(5), "it drains")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        (server.path / "go").touch()
        assert said(client.read_answer()) == ("1", first)
        client.close()
        server.wait_until_gone({first})
        server.wait_for_version("2")
        assert "generation 3 takes over" not in server.log()


# 2: what killed the master


@as_root
@pytest.mark.parametrize("mode", ["777", "755"])
def test_rotated_logs_of_another_user(mode: str) -> None:
    make = in_a_directory(f"mkdir -m {mode} logs")
    flags = ("--access-logfile", "logs/access.log", "--error-logfile", "logs/error.log", "--user", "nobody")
    with running(site("1"), *flags, wrapper=make) as server:
        logs = server.path / "logs"
        for name in ("access.log", "error.log"):
            (logs / name).rename(logs / f"{name}.1")
        server.signal(signal.SIGUSR1)
        eventually((logs / "access.log").exists, "a new access log")
        # The master makes it, and then tells the worker.
        eventually(lambda: server.get("/a") and "/a" in (logs / "access.log").read_text(), "a line in it")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        assert "Traceback" not in server.log() + (logs / "error.log").read_text()


def test_the_start_directory_is_deleted() -> None:
    make = in_a_directory("mkdir -p r1/src; mv served.py r1/src; ln -s r1 current; cd current")
    with running(site("1"), "--chdir", "src", wrapper=make) as server:
        shutil.rmtree(server.path / "r1")
        server.signal(signal.SIGHUP)
        server.wait_for_log("the settings cannot be used")
        assert said(server.get())[0] == "1"
        (server.path / "r2/src").mkdir(parents=True)
        (server.path / "r2/src/served.py").write_text(site("2"))
        (server.path / "new").symlink_to("r2")
        (server.path / "new").rename(server.path / "current")
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")


def test_garbage_in_the_channel() -> None:
    garbage = r"""
    elif path == "/garbage":
        for name in os.listdir("/proc/self/fd"):
            try:
                end = socket.socket(fileno=os.dup(int(name)))
            except OSError:
                continue
            with end:
                if end.family == socket.AF_UNIX:
                    for text in b"hello", b"5", b"[1]", b"\xff", b'["No", {}]', b'[[], {}]', b'["Ready", {"a": 1}]':
                        end.send(text + b"\n")"""
    with running(site("1", prelude="import socket", routes=garbage)) as server:
        worker = said(server.get("/garbage"))[1]
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone({worker})


def test_a_child_that_may_not_be_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CAP_KILL, the workers of another user are out of a master's reach."""

    def refuse(pid: int, number: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    ours, theirs = channels()
    with theirs:
        child = Child(Role.WORKER, Generation(1, None), ours, None)  # type: ignore[arg-type]
        child.pid = 12345
        child.state = State.SERVING
        monkeypatch.setattr(os, "kill", refuse)
        child.kill(signal.SIGTERM)
        ours.close()


NOBODY_READS = """
import os, sys
reader, writer = os.pipe()
os.dup2(writer, 2)
os.close(reader)
os.close(writer)
os.execvp(sys.argv[1], sys.argv[1:])
"""

IT_IS_FULL = """
import os, sys
reader, writer = os.pipe()
os.set_inheritable(reader, True)
os.set_blocking(writer, False)
try:
    while True: os.write(writer, bytes(4096))
except BlockingIOError:
    os.set_blocking(writer, True)
os.dup2(writer, 2)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("flags", [(), ("--preload",)])
@pytest.mark.parametrize(
    "wrapper",
    [
        pytest.param((sys.executable, "-c", IT_IS_FULL), id="it is full"),
        pytest.param((sys.executable, "-c", NOBODY_READS), id="nobody reads it"),
        pytest.param(("sh", "-c", 'exec "$@" 2>&-', "sh"), id="it is closed"),
        pytest.param(("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"), id="all three are closed"),
    ],
)
def test_stderr_is_of_no_use(wrapper: tuple[str, ...], flags: tuple[str, ...]) -> None:
    with started(site("1"), "--workers", "2", *flags, bind="unix:server.sock", wrapper=wrapper) as server:
        serves(server, "1")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        serves(server, "2")
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert server.survivors() == []


@pytest.mark.parametrize("flags", [(), ("--no-master",)])
@pytest.mark.parametrize(("closed", "descriptors"), [("<&- >&- 2>&-", "012"), ("<&-", "0"), ("2>&-", "2")])
def test_no_socket_takes_the_place_of_stderr(closed: str, descriptors: str, flags: tuple[str, ...]) -> None:
    wrapper = ("sh", "-c", f'exec "$@" {closed}', "sh")
    with started(site("1"), *flags, bind="unix:server.sock", wrapper=wrapper) as server:
        serves(server, "1")
        for pid in server.survivors():
            for fd in descriptors:
                assert os.readlink(f"/proc/{pid}/fd/{fd}") == os.devnull
                (mode,) = re.findall(r"flags:\s+(\d+)", Path(f"/proc/{pid}/fdinfo/{fd}").read_text())
                assert not int(mode, 8) & os.O_CLOEXEC, "for programs that it starts, too"


# 3, 8, 11, 12: upgrades


@pytest.mark.parametrize("unix", [False, True])
def test_term_to_the_old_master_before_the_new_one_is_ready(unix: bool) -> None:
    """What it had is the new one's, who serves when it can."""
    binds = ("--bind", "unix:server.sock") if unix else ()
    with running(site("1"), "--workers", "2", *binds) as server, ExitStack() as stack:
        server.write(site("2", prelude=IMPORTING + WAIT))
        server.signal(signal.SIGUSR2)
        eventually((server.path / "importing").exists, "its import")
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        path = str(server.path / "server.sock")
        client = stack.enter_context(Client(path, socket.AF_UNIX) if unix else server.connect())
        client.send(head("GET", "/", "Connection: close"))
        (server.path / "go").touch()
        assert said(client.read_answer())[0] == "2"
        server.wait_for_version("2")
        (server.master_pid,) = server.masters()
        server.signal(signal.SIGTERM)
        eventually(lambda: server.survivors() == [], "the end of the new one")
        assert not Path(path).exists()


def test_term_after_an_upgrade_is_no_second_term() -> None:
    with running(site("1", routes=HOLD)) as server, server.connect() as client:
        old = said(server.get())[1]
        client.send(head("GET", "/hold"))
        eventually((server.path / "held").exists, "a long request")
        server.write(site("2"))
        server.signal(signal.SIGUSR2)
        server.wait_for_log("is ready; this one leaves")
        server.signal(signal.SIGTERM)
        server.signal(STACKS)
        server.wait_for_log("all threads:")  # its worker was told after whatever TERM had it told
        (server.path / "go").touch()
        assert said(client.read_answer()) == ("1", old)
        client.close()
        assert server.wait_exit() == 0
        server.wait_for_version("2")


def test_hup_to_a_new_master_before_all_its_workers_serve() -> None:
    """Those of its next generation count, too: the old master may go."""
    staggered = (
        "count = os.open('imports', os.O_CREAT | os.O_APPEND | os.O_WRONLY)\n"
        "os.write(count, b'%8d' % os.getppid())\n"
        "if os.fstat(count).st_size == 16: threading.Event().wait()\n"  # the second worker
    )
    with running(site("1"), "--workers", "2") as server:
        server.write(site("2", prelude=staggered))
        server.signal(signal.SIGUSR2)
        imports = server.path / "imports"
        eventually(lambda: imports.exists() and imports.stat().st_size == 16, "its second import")
        new = int(imports.read_text()[:8])
        os.kill(new, signal.SIGHUP)
        assert server.wait_exit() == 0
        assert server.masters() == [new]
        server.wait_for_version("2")


def test_a_failed_upgrade_is_not_the_end_of_the_service() -> None:
    """systemd would take STOPPING=1 at its word."""
    with manager() as systemd, running(site("1"), env={"NOTIFY_SOCKET": systemd.path}) as server:
        server.write(BROKEN)
        server.signal(signal.SIGUSR2)
        server.wait_for_log("the new master did not get ready")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        systemd.wait_for("READY", "1", times=2)
        assert systemd.all("STOPPING") == []


# 4, 5: connections in the accept queue


def test_term_for_the_whole_group_loses_nobody_in_the_accept_queue() -> None:
    """Workers that hear of it before the master does must not leave the queue to nobody."""
    with running(site("1"), "--workers", "2", "--threads", "1") as server:
        stop({server.master_pid})
        with burst(server, "/sleep?0.02") as clients:
            os.killpg(server.master_pid, signal.SIGTERM)
            said(clients[0].read_answer())
            said(clients[1].read_answer())
            server.signal(signal.SIGCONT)
            for client in clients[2:]:
                said(client.read_answer())
            assert server.wait_exit() == 0


def test_a_killed_master_loses_nobody_in_the_accept_queue() -> None:
    with running(site("1"), "--workers", "2", "--threads", "1") as server:
        workers = server.wait_for_workers(2)
        stop(workers)
        with burst(server, "/sleep?0.01") as clients:
            server.signal(signal.SIGKILL)
            server.wait_exit()
            for pid in workers:
                os.kill(pid, signal.SIGCONT)
            for client in clients:
                said(client.read_answer())
        server.wait_until_gone(workers)


# 6, 7: reloads


def test_a_worker_that_was_sent_away_and_gets_ready_all_the_same() -> None:
    deaf = (
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)\n"
        "open('importing', 'w').write(str(os.getpid()))\n"
    )
    with running(site("1")) as server:
        server.write(site("2", prelude=deaf + WAIT + "open('imported', 'w').close()"))
        server.signal(signal.SIGHUP)
        importing = server.path / "importing"
        eventually(lambda: importing.exists() and importing.read_text(), "the import")
        pid = int(importing.read_text())
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        eventually(lambda: server.log().count("reload: HUP") == 2, "the second reload")
        (server.path / "go").touch()
        eventually((server.path / "imported").exists, "it gets ready")
        server.wait_for_version("3")
        server.wait_until_gone({pid})


def test_new_code_that_dies_before_it_was_to_take_over() -> None:
    """The first dies when the second is on its way, which is after it was ready."""
    dies = """
def die():
    while not os.path.exists("second"):
        time.sleep(0.01)
    os._exit(7)
try:
    open("first", "x").close()
except FileExistsError:
    open("second", "w").close()
    threading.Event().wait()
threading.Thread(target=die, daemon=True).start()
"""
    with running(site("1"), "--workers", "2") as server:
        before = server.wait_for_workers(2)
        server.write(site("2", prelude=dies))
        server.signal(signal.SIGHUP)
        server.wait_for_log("the reload is given up")
        eventually(lambda: server.worker_pids() == before, "only the old workers")
        server.wait_for_version("1")
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")


# 9, 13: logs


def test_workers_of_a_mold_write_into_the_new_logs() -> None:
    with running(site("1"), "--preload", *LOGS) as server:
        worker = said(server.get())[1]
        rotate(server)
        os.kill(worker, signal.SIGKILL)
        server.wait_until_gone({worker})
        new = said(server.get())[1]
        wait_for_new_logs(server, new)


def test_a_worker_that_was_starting_writes_into_the_new_logs() -> None:
    with running(site("1"), *LOGS) as server:
        server.write(site("2", prelude=IMPORTING + WAIT))
        server.signal(signal.SIGHUP)
        eventually((server.path / "importing").exists, "the import")
        rotate(server)
        (server.path / "go").touch()
        server.wait_for_version("2")
        wait_for_new_logs(server, said(server.get())[1])


@pytest.mark.parametrize("flags", [(), ("--preload",), ("--no-master",)])
def test_paths_of_logs_count_from_the_start_directory(flags: tuple[str, ...]) -> None:
    make = in_a_directory("mkdir src; mv served.py src")
    flags = (*flags, "--chdir", "src", "--pid", "server.pid", *LOGS)
    with running(site("1"), *flags, wrapper=make) as server:
        assert sorted(path.name for path in server.path.iterdir()) == sorted(
            ["access.log", "error.log", "server.pid", "src", "stderr.log"]
        )
        assert [path.name for path in (server.path / "src").iterdir()] == ["served.py"]
        eventually(lambda: (server.path / "access.log").read_text(), "a line of the request")


# 10, 14: what an application starts


def test_programs_that_an_application_starts_have_none_of_our_descriptors() -> None:
    program = """
    elif path == "/program":
        os.system("ls -l /proc/self/fd > files")"""
    with running(site("1", routes=program), "--preload", "--workers", "4") as server:
        eventually(lambda: len(server.answering()) == 4, "four workers")
        workers = server.answering(100)
        server.get("/program")
        assert "socket:" not in (server.path / "files").read_text()

        def sockets() -> set[int]:
            return {sum(name.startswith("socket:") for name in open_files(pid)) for pid in workers}

        eventually(lambda: len(sockets()) == 1, "none has the channels of others")


@pytest.mark.parametrize("flags", [(), ("--preload",)])
def test_a_thread_of_the_application_that_does_not_end(flags: tuple[str, ...]) -> None:
    thread = "threading.Thread(target=threading.Event().wait).start()"
    with running(site("1", prelude=thread), "--workers", "2", *flags, command=HURRIED) as server:
        server.answering()
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert time.monotonic() - began < 3
        assert server.survivors() == []
        assert not re.search("killed|exit code", server.log())
