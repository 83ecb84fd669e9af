"""The PID file, beside real processes, living and dead."""

import errno
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pronghorn.errors import ConfigError
from pronghorn.process.pidfile import PidFile
from tests.process.test_privileges import become_nobody, in_child

SLEEP = shutil.which("sleep") or "/bin/sleep"


def sleeping(name: str) -> Iterator[int]:
    """A process whose command line begins with `name`."""
    process = subprocess.Popen([name, "600"], executable=SLEEP)
    command, deadline = Path(f"/proc/{process.pid}/cmdline"), time.monotonic() + 10
    # The kernel lets go of the parent a moment before the new command line can be read.
    while name not in command.read_text() and time.monotonic() < deadline:
        time.sleep(0.001)
    yield process.pid
    process.kill()
    process.wait()


@pytest.fixture(params=["pronghorn: master [/srv/site]", "/srv/bin/pronghorn", "pronghorn"])
def running(request: pytest.FixtureRequest) -> Iterator[int]:
    """A living process that is called as Pronghorn's master may be."""
    yield from sleeping(request.param)


@pytest.fixture(params=["sleep", "/srv/pronghorn/bin/celery"])
def stranger(request: pytest.FixtureRequest) -> Iterator[int]:
    """A living process of another program."""
    yield from sleeping(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site.pid"


@pytest.fixture
def closed() -> Iterator[Path]:
    """A directory that anyone may enter, and only root may write in."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        yield Path(name)
        os.chmod(name, 0o755)


def refusal(path: Path, replace: bool = False) -> str:
    with pytest.raises(ConfigError) as caught:
        PidFile(path).write(replace)
    text = str(caught.value)
    assert len(text.splitlines()) <= 6
    return text


class TestWrite:
    def test_our_number_and_a_line_feed(self, path: Path) -> None:
        PidFile(str(path)).write()
        assert path.read_bytes() == b"%d\n" % os.getpid()

    def test_nothing_else_is_left(self, path: Path) -> None:
        PidFile(path).write()
        assert os.listdir(path.parent) == ["site.pid"]

    def test_whoever_reads_sees_the_old_file_or_the_new_one(self, path: Path) -> None:
        path.write_text("1\n")
        with path.open() as old:
            PidFile(path).write(replace=True)
            assert old.read() == "1\n"
        assert path.read_text() == f"{os.getpid()}\n"

    def test_others_may_read_it_whatever_the_umask(self, path: Path) -> None:
        before = os.umask(0o077)
        try:
            PidFile(path).write()
        finally:
            os.umask(before)
        assert path.stat().st_mode & 0o777 == 0o644

    def test_again(self, path: Path) -> None:
        PidFile(path).write()
        PidFile(path).write()
        assert path.read_text() == f"{os.getpid()}\n"

    def test_a_later_change_of_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        pid_file = PidFile("site.pid")
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir("elsewhere")
        pid_file.write()
        assert (tmp_path / "site.pid").exists()


class TestAFileThatIsThere:
    def test_of_a_running_server(self, path: Path, running: int) -> None:
        path.write_text(f"{running}\n")
        text = refusal(path)
        assert f"{path} belongs to a Pronghorn that is running, process {running}." in text
        assert path.read_text() == f"{running}\n"

    def test_of_a_running_server_that_is_succeeded(self, path: Path, running: int) -> None:
        path.write_text(f"{running}\n")
        PidFile(path).write(replace=True)
        assert path.read_text() == f"{os.getpid()}\n"

    def test_of_a_dead_server(self, path: Path) -> None:
        process = subprocess.Popen(["pronghorn", "0"], executable=SLEEP)
        process.wait()
        path.write_text(f"{process.pid}\n")
        PidFile(path).write()
        assert path.read_text() == f"{os.getpid()}\n"

    def test_of_a_server_that_died_and_was_not_waited_for(self, path: Path) -> None:
        process = subprocess.Popen(["pronghorn", "600"], executable=SLEEP)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        path.write_text(f"{process.pid}\n")
        try:
            PidFile(path).write()
        finally:
            process.wait()
        assert path.read_text() == f"{os.getpid()}\n"

    def test_whose_number_another_program_has_by_now(self, path: Path, stranger: int) -> None:
        path.write_text(f"{stranger}\n")
        PidFile(path).write()
        assert path.read_text() == f"{os.getpid()}\n"

    def test_whose_number_is_ours_by_now(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A container starts again, and the server is process 1 each time."""
        monkeypatch.setattr("pronghorn.process.pidfile._is_pronghorn", lambda pid: True)
        path.write_text(f"{os.getpid()}\n")
        PidFile(path).write()

    @pytest.mark.parametrize("text", [b"", b"\n", b"\0\0\0\0", b"0\n", b"9999999999", b"00000\r\n"])
    def test_that_names_nobody(self, path: Path, text: bytes) -> None:
        path.write_bytes(text)
        PidFile(path).write()
        assert path.read_text() == f"{os.getpid()}\n"

    @pytest.mark.parametrize("text", [b"[server]\nbind = 1\n", b"-1\n", b"1 2\n", b"\xff", b"1" * 5000])
    @pytest.mark.parametrize("replace", [False, True])
    def test_that_is_something_else_is_not_overwritten(self, path: Path, text: bytes, replace: bool) -> None:
        path.write_bytes(text)
        assert "is not a PID file" in refusal(path, replace)
        assert path.read_bytes() == text


class TestAPlaceThatCannotBeUsed:
    def test_no_such_directory(self, tmp_path: Path) -> None:
        path = tmp_path / "run" / "site.pid"
        assert f"there is no directory {path.parent}." in refusal(path)

    def test_a_file_in_place_of_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "run").touch()
        assert f"there is no directory {tmp_path / 'run'}." in refusal(tmp_path / "run" / "site.pid")

    def test_a_directory_in_place_of_the_file(self, tmp_path: Path) -> None:
        assert f"{tmp_path} is a directory.\n  Name a file in it." in refusal(tmp_path)
        assert os.listdir(tmp_path) == []

    def test_a_directory_that_is_not_writable(self, closed: Path) -> None:
        def act() -> None:
            become_nobody()
            PidFile(closed / "site.pid").write()

        text = in_child(act)
        assert f"{closed / 'site.pid'} cannot be written: Permission denied." in text
        assert f"Let it write in {closed}, or choose another file." in text
        assert len(text.splitlines()) <= 6

    def test_a_disk_that_is_full(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(fd: int, data: bytes) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        path.write_text("\n")
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", fail)
            assert "cannot be written: No space left on device." in refusal(path)
        assert os.listdir(path.parent) == ["site.pid"]
        assert path.read_text() == "\n"


class TestRemove:
    def test_ours(self, path: Path) -> None:
        pid_file = PidFile(path)
        pid_file.write()
        pid_file.remove()
        pid_file.remove()
        assert os.listdir(path.parent) == []

    def test_the_successors_stays(self, path: Path, running: int) -> None:
        pid_file = PidFile(path)
        pid_file.write()
        path.write_text(f"{running}\n")
        pid_file.remove()
        assert path.read_text() == f"{running}\n"

    def test_what_is_no_pid_file_stays(self, path: Path) -> None:
        path.write_text("something else")
        PidFile(path).remove()
        assert path.exists()

    def test_a_forked_child_does_not_take_the_masters(self, path: Path) -> None:
        pid_file = PidFile(path)
        pid_file.write()
        assert in_child(pid_file.remove) == "None"
        assert path.read_text() == f"{os.getpid()}\n"

    def test_without_the_right_to(self, closed: Path) -> None:
        """A master that has dropped root's rights leaves a stale file, and ends well."""
        path = closed / "site.pid"

        def act() -> None:
            closed.chmod(0o755)
            path.write_text(f"{os.getpid()}\n")
            closed.chmod(0o555)
            become_nobody()
            PidFile(path).remove()

        assert in_child(act) == "None"
        assert os.listdir(closed) == ["site.pid"]
