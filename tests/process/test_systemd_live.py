"""systemd(1) on the other side of a real NOTIFY_SOCKET, and sockets that it opened: sd_notify(3), sd_listen_fds(3)."""

import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.process.harness import BROKEN, HURRIED, eventually, running, said, site, started
from tests.serving import Client, head

ACTIVATE = """
import os, socket, sys
for number, text in enumerate(sys.argv[1].split(",")):
    path = text if text.startswith("/") else ""
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(path or ("127.0.0.1", int(text)))
    listener.listen()
    os.dup2(listener.fileno(), 10 + number)
count = number + 1
for number in range(count):
    os.dup2(10 + number, 3 + number)
    os.close(10 + number)
os.environ.update(LISTEN_FDS=str(count), LISTEN_PID=str(os.getpid() + int(sys.argv[3])), LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[4], sys.argv[4:])
"""
"""Binds ports and paths as systemd would, and becomes the command that follows."""


class Manager:
    """What systemd is told."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.messages: list[tuple[int, dict[str, str]]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(path)
        self._thread = threading.Thread(target=self._receive, name="manager")
        self._thread.start()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
            end.sendto(b"", self.path)
        self._thread.join()
        self._socket.close()

    def _receive(self) -> None:
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(65536, 256)
            if not data:
                return
            pid = int.from_bytes(ancillary[0][2][:4], sys.byteorder)
            self.messages.append((pid, dict(line.split("=", 1) for line in data.decode().splitlines())))

    def all(self, key: str) -> list[str]:
        return [message[key] for _, message in self.messages[:] if key in message]

    def wait_for(self, key: str, value: str, times: int = 1) -> None:
        eventually(lambda: self.all(key).count(value) >= times, f"{key}={value}, {times} times")


@contextmanager
def manager() -> Iterator[Manager]:
    with tempfile.TemporaryDirectory() as directory:
        service = Manager(f"{directory}/notify")
        try:
            yield service
        finally:
            service.close()


def test_ready_comes_after_the_first_worker_is() -> None:
    with manager() as systemd:
        slow = site(
            "1", prelude="open('importing', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.01)"
        )
        with started(slow, "--workers", "2", env={"NOTIFY_SOCKET": systemd.path}) as server:
            eventually((server.path / "importing").exists, "the import")
            assert systemd.all("READY") == []
            (server.path / "go").touch()
            systemd.wait_for("READY", "1")
            server.wait_until_serving(10)
            assert {pid for pid, _ in systemd.messages} == {server.master_pid}, "NotifyAccess=main"
            assert systemd.all("STATUS")


def test_reloading_and_stopping() -> None:
    with manager() as systemd, running(site("1"), env={"NOTIFY_SOCKET": systemd.path}) as server:
        systemd.wait_for("READY", "1")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        systemd.wait_for("RELOADING", "1")
        systemd.wait_for("READY", "1", times=2)
        assert said(server.get())[0] == "2"
        reloading = next(message for _, message in systemd.messages if "RELOADING" in message)
        # sd_notify(3): Type=notify-reload wants the time with it, in microseconds.
        assert int(reloading["MONOTONIC_USEC"]) > 0
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        systemd.wait_for("STOPPING", "1")


def test_a_reload_that_fails_ends_in_ready_too() -> None:
    """Otherwise systemctl reload waits for ever."""
    with manager() as systemd, running(site("1"), env={"NOTIFY_SOCKET": systemd.path}) as server:
        systemd.wait_for("READY", "1")
        server.write(BROKEN)
        server.signal(signal.SIGHUP)
        systemd.wait_for("RELOADING", "1")
        systemd.wait_for("READY", "1", times=2)


def test_the_watchdog_is_fed() -> None:
    with manager() as systemd:
        env = {"WATCHDOG_USEC": "200000", "NOTIFY_SOCKET": systemd.path}
        with running(site("1"), env=env, command=HURRIED) as server:
            systemd.wait_for("WATCHDOG", "1", times=8)
            (worker,) = server.wait_for_workers(1)
            os.kill(worker, signal.SIGSTOP)
            fed = -1

            def hungry() -> bool:
                """No meal for longer than it lasts: systemd would act."""
                nonlocal fed
                before, fed = fed, systemd.all("WATCHDOG").count("1")
                return before == fed

            eventually(hungry, "no progress, no meal", every=0.5)
            os.kill(worker, signal.SIGCONT)


def test_a_watchdog_for_another_process_is_not_ours() -> None:
    with manager() as systemd:
        env = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1", "NOTIFY_SOCKET": systemd.path}
        with running(site("1"), env=env, command=HURRIED) as server:
            systemd.wait_for("READY", "1")
            for _ in range(5):  # longer than anything that the master does by the clock
                assert server.get("/sleep?0.1").status == 200
            assert systemd.all("WATCHDOG") == []


def test_an_upgrade_tells_the_new_main_process() -> None:
    with manager() as systemd, running(site("1"), env={"NOTIFY_SOCKET": systemd.path}) as server:
        systemd.wait_for("READY", "1")
        server.write(site("2"))
        server.signal(signal.SIGUSR2)
        eventually(lambda: server.child.poll() is not None, "the old master's end")
        (new,) = server.masters()
        systemd.wait_for("MAINPID", str(new))
        sender, _ = next(
            (pid, message) for pid, message in systemd.messages if message.get("MAINPID") == str(new)
        )
        assert sender in (new, server.master_pid)
        assert systemd.all("STOPPING") == [], "the service goes on"


def test_the_application_is_not_told_of_the_socket() -> None:
    """Children of the application would speak for the service."""
    show = """
    elif path == "/environ":
        body = ",".join(name for name in os.environ if name.startswith(("NOTIFY", "LISTEN_", "WATCHDOG")))"""
    with manager() as systemd, running(site("1", routes=show), env={"NOTIFY_SOCKET": systemd.path}) as server:
        assert server.get("/environ").body == b""


# Activation


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def activated(sockets: str, names: str, offset: int = 0) -> list[str]:
    return [sys.executable, "-c", ACTIVATE, sockets, names, str(offset)]


def test_two_sockets_with_names() -> None:
    with tempfile.TemporaryDirectory() as directory:
        port, path = free_port(), f"{directory}/app.sock"
        wrapper = activated(f"{port},{path}", "web:internal")
        with started(site("1"), "--workers", "2", wrapper=wrapper, bind=None) as server:
            server.port = port
            server.wait_for_log("Ctrl+C")
            assert answers(("127.0.0.1", port), socket.AF_INET)
            assert answers(path, socket.AF_UNIX)
            log = server.log()
            assert str(port) in log
            assert path in log or "internal" in log
            server.write(site("2"))
            server.signal(signal.SIGHUP)
            server.wait_for_version("2")
            server.signal(signal.SIGTERM)
            assert server.wait_exit() == 0
            assert Path(path).exists(), "whoever made the socket keeps it"


def answers(address: object, family: socket.AddressFamily) -> bool:
    with Client(address, family) as client:
        return client.ask(head("GET", "/", "Connection: close")).status == 200


def test_one_of_them_by_name() -> None:
    with tempfile.TemporaryDirectory() as directory:
        port, path = free_port(), f"{directory}/app.sock"
        with running(
            site("1"), wrapper=activated(f"{path},{port}", "internal:web"), bind="fd://web"
        ) as server:
            assert server.port == port


def test_sockets_for_another_process_are_not_ours() -> None:
    """sd_listen_fds(3): LISTEN_PID must be our own."""
    with started(site("1"), wrapper=activated(str(free_port()), "web", offset=1), bind="fd://web") as server:
        assert server.wait_exit() == 4
        assert "web" in server.log()


@pytest.mark.parametrize("count", ["x", "-1", "40"])
def test_nonsense_ends_the_start(count: str) -> None:
    wrapper = ["/bin/sh", "-c", f'LISTEN_PID=$$ LISTEN_FDS={count} exec "$@"', "sh"]
    with started(site("1"), wrapper=wrapper) as server:
        assert server.wait_exit() in (4, 5)
        assert "LISTEN_FDS" in server.log()
