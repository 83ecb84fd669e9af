"""--hooks: each function runs in the process that the table says, as often as it says."""

import os
import signal
from pathlib import Path

from tests.process.harness import Server, eventually, running, said, site

HOOKS = """
import os

def _note(name, info):
    open(os.environ["NOTES"], "a").write(f"{name} {os.getpid()} {info.pid} {info.worker} {info.generation}\\n")

def on_starting(info): _note("on_starting", info)
def when_ready(info): _note("when_ready", info)
def on_reload(info): _note("on_reload", info)
def on_exit(info): _note("on_exit", info)
def post_fork(info): _note("post_fork", info)
def worker_ready(info): _note("worker_ready", info)
def pre_exit(info): _note("pre_exit", info)
"""


def notes(server: Server, name: str) -> list[tuple[int, str, int]]:
    """Pid, worker's number, generation."""
    found = []
    for line in (server.path / "notes").read_text().splitlines():
        hook, pid, told, worker, generation = line.split()
        if hook == name:
            assert pid == told
            found.append((int(pid), worker, int(generation)))
    return found


def hooked(tmp_path: Path, *flags: str) -> tuple[tuple[str, ...], dict[str, str]]:
    (tmp_path / "my_hooks.py").write_text(HOOKS)
    return ("--hooks", "my_hooks", "--pythonpath", str(tmp_path), *flags), {"NOTES": "notes"}


def test_in_the_life_of_a_server(tmp_path: Path) -> None:
    flags, env = hooked(tmp_path, "--workers", "2")
    with running(site("1"), *flags, env=env) as server:
        before = server.wait_for_workers(2)
        eventually(lambda: len(notes(server, "worker_ready")) == 2, "two workers ready")
        assert [pid for pid, *_ in notes(server, "on_starting")] == [server.master_pid]
        assert [pid for pid, *_ in notes(server, "when_ready")] == [server.master_pid]
        assert {pid for pid, *_ in notes(server, "post_fork")} == before
        assert {number for _, number, _ in notes(server, "post_fork")} == {"1", "2"}
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone(before)
        assert [pid for pid, *_ in notes(server, "on_reload")] == [server.master_pid]
        assert sorted(generation for *_, generation in notes(server, "worker_ready")) == [1, 1, 2, 2]
        assert {pid for pid, *_ in notes(server, "pre_exit")} == before
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert len(notes(server, "pre_exit")) == 4
        assert [pid for pid, *_ in notes(server, "on_exit")] == [server.master_pid]


def test_with_preload(tmp_path: Path) -> None:
    flags, env = hooked(tmp_path, "--workers", "2", "--preload")
    with running(site("1"), *flags, env=env) as server:
        workers: set[int] = set()

        def both() -> bool:
            workers.update(server.answering())
            return len(workers) == 2

        eventually(both, "two workers")
        eventually(lambda: {pid for pid, *_ in notes(server, "worker_ready")} == workers, "each was told")
        assert workers <= {pid for pid, *_ in notes(server, "post_fork")}


def test_one_that_fails_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "my_hooks.py").write_text("def post_fork(info):\n    raise KeyError('my fault')\n")
    flags = ("--hooks", "my_hooks", "--pythonpath", str(tmp_path))
    with running(site("1"), *flags) as server:
        assert "my fault" in server.log()
        assert said(server.get()) == ("1", *server.wait_for_workers(1))


def test_usr1_reopens_the_logs_of_all(tmp_path: Path) -> None:
    access, errors = tmp_path / "access.log", tmp_path / "error.log"
    flags = ("--access-logfile", str(access), "--error-logfile", str(errors), "--workers", "2")
    with running(site("1"), *flags) as server:
        server.wait_for_workers(2)
        eventually(lambda: len(server.answering(10)) == 2, "both")
        access.rename(tmp_path / "access.1")
        errors.rename(tmp_path / "error.1")
        server.signal(signal.SIGUSR1)
        eventually(lambda: access.exists() and errors.exists(), "new files")

        def all_write_there() -> bool:
            """The old file grows no more, whoever answers."""
            before = (tmp_path / "access.1").stat().st_size
            return len(server.answering(20)) == 2 and (tmp_path / "access.1").stat().st_size == before

        eventually(all_write_there, "lines in the new file only")
        goal = access.read_text().count("\n")
        server.get()
        eventually(lambda: access.read_text().count("\n") > goal, "a line in the new file")
        os.kill(min(server.worker_pids()), signal.SIGKILL)
        eventually(lambda: errors.read_text() != "", "the master writes there, too")
