"""The service manager's two protocols, on real sockets and real descriptors."""

import fcntl
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pronghorn.errors import ConfigError
from pronghorn.process.systemd import Notifier, passed_sockets


class Manager:
    """The end of NOTIFY_SOCKET that systemd has."""

    def __init__(self, address: str | bytes) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(5)

    def received(self) -> list[str]:
        return self.socket.recv(65536).decode().split("\n")


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(manager: Manager) -> Iterator[Notifier]:
    notifier = Notifier({"NOTIFY_SOCKET": manager.socket.getsockname()})
    yield notifier
    notifier.close()


class TestMessages:
    """sd_notify(3), "Well-known assignments"."""

    def test_ready(self, manager: Manager, notifier: Notifier) -> None:
        assert notifier.ready("3 workers")
        assert manager.received() == ["READY=1", "STATUS=3 workers"]

    def test_ready_without_a_status_leaves_the_last_one(self, manager: Manager, notifier: Notifier) -> None:
        notifier.ready()
        assert manager.received() == ["READY=1"]

    def test_reloading_says_when_by_the_monotonic_clock(self, manager: Manager, notifier: Notifier) -> None:
        """systemd.service(5), Type=notify-reload: in the same datagram, not before the signal."""
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        notifier.reloading()
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        first, stamp = manager.received()
        assert first == "RELOADING=1"
        name, _, usec = stamp.partition("=")
        assert name == "MONOTONIC_USEC"
        assert before <= int(usec) <= after

    def test_stopping(self, manager: Manager, notifier: Notifier) -> None:
        notifier.stopping("2 requests to go")
        assert manager.received() == ["STOPPING=1", "STATUS=2 requests to go"]

    def test_main_pid(self, manager: Manager, notifier: Notifier) -> None:
        notifier.main_pid(4711)
        assert manager.received() == ["MAINPID=4711"]

    def test_watchdog(self, manager: Manager, notifier: Notifier) -> None:
        notifier.watchdog()
        assert manager.received() == ["WATCHDOG=1"]

    def test_a_status_cannot_smuggle_an_assignment(self, manager: Manager, notifier: Notifier) -> None:
        notifier.status("cannot import\nMAINPID=1\r\nok")
        assert manager.received() == ["STATUS=cannot import MAINPID=1 ok"]

    def test_a_long_status_is_cut_between_characters(self, manager: Manager, notifier: Notifier) -> None:
        """More than 4096 bytes, and systemd would ignore all of it."""
        notifier.ready("-" + "é" * 10000)
        first, status = manager.received()
        assert first == "READY=1"
        assert status == "STATUS=-" + "é" * 499

    def test_a_status_that_is_no_text_is_escaped(self, manager: Manager, notifier: Notifier) -> None:
        notifier.status("path \udcff")
        assert manager.received() == [r"STATUS=path \udcff"]


class TestNotifySocket:
    def test_an_abstract_name(self) -> None:
        name = f"pronghorn-test-{os.getpid()}"
        manager = Manager(b"\0" + name.encode())
        notifier = Notifier({"NOTIFY_SOCKET": f"@{name}"})
        try:
            assert notifier.ready()
            assert manager.received() == ["READY=1"]
        finally:
            manager.socket.close()
            notifier.close()

    @pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:9999"}])
    def test_nobody_to_tell(self, environ: dict[str, str]) -> None:
        notifier = Notifier(environ)
        assert all([notifier.ready("x"), notifier.reloading(), notifier.stopping(), notifier.watchdog()])

    @pytest.mark.parametrize("path", ["not-there", "x" * 200])
    def test_a_message_that_does_not_get_through(self, tmp_path: Path, path: str) -> None:
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / path)})
        assert not notifier.ready()
        notifier.close()

    def test_a_manager_that_does_not_read_holds_nobody_up(self, manager: Manager, notifier: Notifier) -> None:
        sent = 0
        while notifier.status("busy"):
            sent += 1
            assert sent < 100_000
        for _ in range(sent):
            assert manager.received() == ["STATUS=busy"]
        assert notifier.ready()
        assert manager.received() == ["READY=1"]

    def test_a_manager_that_starts_again(self, tmp_path: Path, manager: Manager, notifier: Notifier) -> None:
        """systemd re-executes itself at each of its own updates."""
        notifier.ready()
        manager.socket.close()
        os.unlink(tmp_path / "notify")
        assert not notifier.watchdog()
        again = Manager(str(tmp_path / "notify"))
        assert notifier.watchdog()
        assert again.received() == ["WATCHDOG=1"]
        again.socket.close()

    def test_without_a_free_descriptor(self, manager: Manager, notifier: Notifier) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            with pytest.raises(OSError):
                os.dup(manager.socket.fileno())
            assert notifier.watchdog()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert manager.received() == ["WATCHDOG=1"]

    def test_after_close(self, manager: Manager, notifier: Notifier) -> None:
        notifier.close()
        assert notifier.ready()
        manager.socket.setblocking(False)
        with pytest.raises(BlockingIOError):
            manager.received()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "71"}, 15.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": "71"}, 0.25),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "72"}, None),
        ({"WATCHDOG_PID": "71"}, None),
        ({}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "18446744073709551615"}, None),
        ({"WATCHDOG_USEC": "9" * 5000}, None),
    ],
)
def test_watchdog_interval(environ: dict[str, str], seconds: float | None) -> None:
    """sd_watchdog_enabled(3): half of what is allowed."""
    assert Notifier(environ, pid=71).watchdog_interval == seconds


def test_the_watchdogs_process_is_this_one_unless_said() -> None:
    environ = {"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(environ).watchdog_interval == 1.0


# The activated service: prints what it was passed, and what it leaves behind.
SERVICE = """
import os, socket
from pronghorn.process.systemd import passed_sockets
for fd, name in passed_sockets(os.environ, os.getpid()):
    with socket.socket(fileno=fd) as passed:
        print(fd, name, passed.getsockname()[1], os.get_inheritable(fd))
print(*sorted(name for name in os.environ if name.startswith("LISTEN_")), "end")
"""

# What systemd does: descriptors from 3 on, the variables, exec.
ACTIVATE = """
import os, sys
script, fds, names = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
for to, fd in enumerate(fds, 3):
    os.dup2(int(fd), to)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds))}
if names:
    os.environ["LISTEN_FDNAMES"] = names[0]
os.execv(sys.executable, [sys.executable, "-c", script])
"""


def activate(*names: str) -> tuple[list[int], list[str]]:
    """Start a service with two listening sockets: their ports, and the lines it prints."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    # Above those that are to be filled.
    fds = [fcntl.fcntl(listening, fcntl.F_DUPFD, 50) for listening in sockets]
    try:
        done = subprocess.run(
            [sys.executable, "-c", ACTIVATE, SERVICE, ",".join(map(str, fds)), *names],
            pass_fds=fds,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        return [listening.getsockname()[1] for listening in sockets], done.stdout.splitlines()
    finally:
        for fd in fds:
            os.close(fd)
        for listening in sockets:
            listening.close()


class TestPassedSockets:
    """sd_listen_fds(3)."""

    def test_a_service_with_names(self) -> None:
        (one, two), lines = activate("web:admin")
        assert lines == [f"3 web {one} False", f"4 admin {two} False", "end"]

    def test_a_service_without_names(self) -> None:
        (one, two), lines = activate()
        assert lines == [f"3 unknown {one} False", f"4 unknown {two} False", "end"]

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            {"LISTEN_FDS": "1"},
            {"LISTEN_PID": "71"},
            {"LISTEN_PID": "72", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "web"},
            {"LISTEN_PID": "71", "LISTEN_FDS": "0"},
        ],
    )
    def test_none_for_us(self, environ: dict[str, str]) -> None:
        """And what a parent left behind goes no further."""
        given = {"PATH": "/bin", **environ}
        assert passed_sockets(given, 71) == []
        assert given == {"PATH": "/bin"}

    @pytest.mark.parametrize(
        ("environ", "text"),
        [
            ({"LISTEN_PID": "me", "LISTEN_FDS": "1"}, "LISTEN_PID: 'me' is not a whole number."),
            ({"LISTEN_PID": "71", "LISTEN_FDS": "-1"}, "LISTEN_FDS: '-1' is not a whole number."),
            ({"LISTEN_PID": "71", "LISTEN_FDS": "9" * 5000}, "is not a whole number."),
            (
                {"LISTEN_PID": "71", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "a:b"},
                "LISTEN_FDNAMES has 2 names, but LISTEN_FDS says 1 sockets.\n  LISTEN_FDNAMES=a:b",
            ),
            ({"LISTEN_PID": "71", "LISTEN_FDS": "9999999999", "LISTEN_FDNAMES": "a"}, "has 1 names"),
        ],
    )
    def test_malformed(self, environ: dict[str, str], text: str) -> None:
        given = dict(environ)
        with pytest.raises(ConfigError) as caught:
            passed_sockets(given, 71)
        assert text in str(caught.value)
        assert "sd_listen_fds(3)" in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 6
        assert given == {}

    def test_a_descriptor_that_is_not_open(self) -> None:
        """However many are promised, the first that is missing is named."""
        script = (
            "import os; from pronghorn.process.systemd import *; from pronghorn.errors import ConfigError\n"
            "try: passed_sockets({'LISTEN_PID': '71', 'LISTEN_FDS': '9999999999'}, 71)\n"
            "except ConfigError as error: print(error.what)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
        expected = "LISTEN_FDS: descriptor 3 is not open, though 9999999999 from 3 on should be.\n"
        assert done.stdout == expected, done.stderr
