"""Listening on real sockets."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pronghorn.errors import BindError
from pronghorn.net import holder
from pronghorn.net.address import Address
from pronghorn.net.listen import Listener, bind

Bind = Callable[[str], list[Listener]]


@pytest.fixture
def listen() -> Iterator[Bind]:
    """`bind`, whose listeners are closed at the end."""
    opened: list[Listener] = []

    def bind_text(text: str) -> list[Listener]:
        found = bind(Address.parse(text), 16)
        opened.extend(found)
        return found

    yield bind_text
    for listener in opened:
        listener.close()


def test_tcp_port_0(listen: Bind) -> None:
    (listener,) = listen("127.0.0.1:0")
    host, port = listener.socket.getsockname()
    assert host == "127.0.0.1" and port > 0
    assert listener.url == f"http://127.0.0.1:{port}"
    assert (listener.server_name, listener.server_port) == ("127.0.0.1", str(port))
    assert listener.socket.gettimeout() == 0
    assert listener.socket.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


def test_accepted_sockets_inherit_nodelay(listen: Bind) -> None:
    (listener,) = listen("127.0.0.1:0")
    listener.socket.setblocking(True)
    with socket.create_connection(listener.socket.getsockname()):
        accepted, _ = listener.socket.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_wildcard_is_shown_as_an_address_one_can_click(listen: Bind) -> None:
    (listener,) = listen(":0")
    assert listener.url == f"http://127.0.0.1:{listener.server_port}"
    assert listener.server_name not in ("", "0.0.0.0")


def test_ipv6_is_ipv6_only_and_bracketed(listen: Bind) -> None:
    (listener,) = listen("[::1]:0")
    assert listener.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    assert listener.url == f"http://[::1]:{listener.server_port}"
    assert listener.server_name == "[::1]"


def test_both_wildcards_can_be_had_together(listen: Bind) -> None:
    (six,) = listen("[::]:0")
    (four,) = listen(f"0.0.0.0:{six.server_port}")
    assert six.url == f"http://[::1]:{four.server_port}"


def test_a_name_gives_each_of_its_addresses_the_same_port(
    listen: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    four, six = listen("localhost:0")
    assert (four.socket.family, six.socket.family) == (socket.AF_INET, socket.AF_INET6)
    assert four.server_port == six.server_port
    assert four.url == six.url == f"http://localhost:{four.server_port}"


def test_an_address_that_is_not_here_is_left_out_if_another_is(
    listen: Bind, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    (listener,) = listen("localhost:0")
    assert listener.socket.getsockname()[0] == "127.0.0.1"


def test_in_use_names_the_process_and_its_pid() -> None:
    program = "import socket, sys; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None and child.stdin is not None
        port = int(child.stdout.readline())
        with pytest.raises(BindError) as caught:
            bind(Address("tcp", host="127.0.0.1", port=port), 16)
        child.stdin.close()
    text = str(caught.value)
    assert f"127.0.0.1:{port} is already in use" in text
    assert f"pid {child.pid}" in text
    assert f"--bind 127.0.0.1:{port + 1}" in text or port == 65535
    assert len(text.splitlines()) <= 6
    assert caught.value.exit_code == 4


def test_in_use_by_a_wildcard_of_the_other_family_is_found() -> None:
    with socket.socket(socket.AF_INET6) as dual:
        dual.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        dual.bind(("::", 0))
        dual.listen()
        with pytest.raises(BindError, match="already in use") as caught:
            bind(Address("tcp", host="127.0.0.1", port=dual.getsockname()[1]), 16)
    assert "this very process" in str(caught.value)


def test_all_or_none_of_a_names_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
        with pytest.raises(BindError):
            bind(Address("tcp", host="localhost", port=port), 16)
    socket.create_server(("127.0.0.1", port)).close()


def test_an_address_of_another_machine() -> None:
    with pytest.raises(BindError, match="No interface"):
        bind(Address("tcp", host="192.0.2.1", port=0), 16)


def test_a_name_that_does_not_resolve() -> None:
    with pytest.raises(BindError, match="cannot be resolved"):
        bind(Address("tcp", host="no-such-host.invalid", port=0), 16)


def test_unix_socket_has_its_mode_and_is_removed_at_the_end(listen: Bind, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    (listener,) = listen(f"unix:{path},mode=660")
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert listener.url == f"unix:{path}"
    assert listener.server_name and listener.server_port
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()
    assert not path.exists()
    listener.close()


def test_a_relative_unix_socket_is_removed_from_wherever(
    listen: Bind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (listener,) = listen("unix:site.sock")
    monkeypatch.chdir("/")
    listener.close()
    assert not (tmp_path / "site.sock").exists()


def test_a_stale_unix_socket_is_replaced(listen: Bind, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    inode = path.stat().st_ino
    (listener,) = listen(f"unix:{path}")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    assert (path.stat().st_ino, listener.address.path) != (inode, "")


def test_a_live_unix_socket_is_an_error_and_stays(listen: Bind, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    listen(f"unix:{path}")
    with pytest.raises(BindError, match="already in use") as caught:
        bind(Address("unix", path=str(path)), 16)
    assert "this very process" in str(caught.value)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_other_files_are_never_removed(kind: str, tmp_path: Path) -> None:
    path, target = tmp_path / "precious", tmp_path / "target"
    target.write_text("data")
    {"file": path.touch, "directory": path.mkdir, "link": lambda: path.symlink_to(target)}[kind]()
    with pytest.raises(BindError, match="not a socket"):
        bind(Address("unix", path=str(path)), 16)
    assert os.path.lexists(path) and target.read_text() == "data"


def test_close_leaves_a_successors_socket_alone(listen: Bind, tmp_path: Path) -> None:
    path = tmp_path / "site.sock"
    (old,) = listen(f"unix:{path}")
    path.rename(tmp_path / "kept")  # so that the new one cannot get the same inode
    listen(f"unix:{path}")
    old.close()
    assert path.exists()


@pytest.mark.parametrize("path", ["no/such/directory/x.sock", "x" * 200])
def test_a_path_that_cannot_be(path: str, tmp_path: Path) -> None:
    with pytest.raises(BindError, match="cannot be bound"):
        bind(Address("unix", path=str(tmp_path / path)), 16)


def test_abstract(listen: Bind) -> None:
    name = f"pronghorn-test-{os.getpid()}"
    (listener,) = listen(f"unix:@{name}")
    assert listener.url == f"unix:@{name}"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"\0{name}")
    with pytest.raises(BindError, match="already in use"):
        bind(Address("abstract", path=name), 16)


@pytest.mark.parametrize("listening", [True, False])
def test_fd(listen: Bind, listening: bool) -> None:
    given = socket.socket()
    given.bind(("127.0.0.1", 0))
    if listening:
        given.listen()
    port = given.getsockname()[1]
    (listener,) = listen(f"fd://{given.detach()}")
    assert listener.url == f"http://127.0.0.1:{port}"
    assert not listener.socket.get_inheritable()
    socket.create_connection(("127.0.0.1", port)).close()


def test_fd_of_a_unix_socket_leaves_the_file_to_its_owner(listen: Bind, tmp_path: Path) -> None:
    path = tmp_path / "given.sock"
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(path))
    (listener,) = listen(f"fd://{given.detach()}")
    assert listener.url == f"unix:{path}"
    listener.close()
    assert path.exists()


def test_fd_that_is_no_socket(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(BindError, match="not an open socket"):
        bind(Address("fd", fd=file.fileno()), 16)


def test_fd_of_a_datagram_or_unbound_socket_stays_the_callers() -> None:
    for given in (socket.socket(type=socket.SOCK_DGRAM), socket.socket()):
        with given:
            with pytest.raises(BindError, match="cannot be used"):
                bind(Address("fd", fd=given.fileno()), 16)
            given.getsockname()


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_DEFER_ACCEPT is Linux's")
def test_who_is_on_the_way_in(listen: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("127.0.0.1:0", "[::1]:0"):
        (listener,) = listen(text)
        assert not listener.deferred
        listener.defer_accept(True)
        assert listener.deferred
        port = int(listener.server_port)
        assert not holder.arriving({port})
        with socket.create_connection(listener.socket.getsockname()[:2]) as client:
            assert holder.arriving({port, 1}) and not holder.arriving({1})
            client.send(b"x")
            listener.socket.accept()[0].close()
            assert not holder.arriving({port})
    (local,) = listen("unix:@deferred")
    local.defer_accept(True)
    assert not local.deferred

    def closed(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(holder, "open", closed, raising=False)
    assert holder.arriving({1}), "who knows?"
