"""Listening sockets: opened from an Address, closed without leaving anything behind."""

import array
import contextlib
import copy
import errno
import os
import socket
import stat
import struct
from dataclasses import dataclass
from typing import Any

from pronghorn.errors import BindError
from pronghorn.net import holder
from pronghorn.net.address import DEFAULT_HOST, DEFAULT_PORT, Address, bracketed
from pronghorn.option import option

# A name such as "localhost" may have addresses of a family that this machine has switched off.
_NOT_HERE = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

# With port 0, the port that the first address got may be taken at the second; arbitrary.
_PORT_ATTEMPTS = 16

_SO_ATTACH_FILTER = 26
_DROP_SYN = [
    (0x30, 0, 0, 13),  # ldb [13]: the TCP flags
    (0x54, 0, 0, 0x12),  # and SYN | ACK
    (0x15, 0, 1, 0x02),  # a SYN alone?
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFF),  # pass anything else
]
"""Classic BPF for a listening TCP socket."""

_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def _checked(text: str) -> str:
    Address.parse(text)
    return text


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """Where connections come in."""

    bind: tuple[str, ...] = option(
        (f"{DEFAULT_HOST}:{DEFAULT_PORT}",),
        flags=("-b",),
        metavar="ADDRESS",
        parse=_checked,
        repeat=True,
        help="Address to listen at: host:port, [::1]:port, :port, unix:path, unix:path,mode=660, "
        "unix:@name or fd://number (or name, of systemd); port 0 takes a free one.",
    )
    backlog: int = option(
        2048, metavar="COUNT", help="Connections the kernel keeps waiting before they are accepted."
    )
    no_defer_accept: bool = option(
        False,
        help="Accept TCP connections at once. Otherwise Linux hands them over with their first data, or when "
        "they have been silent for a second.",
    )


class Listener:
    """One listening, non-blocking socket.

    socket: may be exchanged for a TLS one before serving starts.
    url: for people to click; a wildcard is shown as the loopback address.
    sole: no process beside this server's own has the socket.
    deferred: `defer_accept` has had an effect.
    server_name, server_port: SERVER_NAME and SERVER_PORT, never empty (PEP 3333); "localhost" and "80"
        for Unix sockets, which have neither.
    """

    def __init__(self, listening: socket.socket, address: Address) -> None:
        listening.setblocking(False)
        self.socket = listening
        self.address = address
        self.sole = address.kind != "fd"
        self.deferred = False
        self._file_is_ours = True
        self._own_file: tuple[str, int, int] | None = None
        if listening.family in (socket.AF_INET, socket.AF_INET6):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            numeric, port = listening.getsockname()[:2]
            given = address.host if address.kind == "tcp" else numeric
            shown = bracketed(_WILDCARDS.get(given, given))
            self.url = f"http://{shown}:{port}"
            self.server_name = (socket.gethostname() or "localhost") if given in _WILDCARDS else shown
            self.server_port = str(port)
        else:
            self.url = _unix_url(listening)
            self.server_name, self.server_port = "localhost", "80"

    def defer_accept(self, wanted: bool) -> None:
        """Whether a connection stays in the kernel until data has come, or a second has passed (tcp(7)).

        With the request there at once, a new connection costs 37 µs, not 43: it is never waited for. Only
        a socket of our own opening: what else listens at one that was passed to us is not ours to know.
        """
        if self.address.kind == "tcp":
            # Not every system has it. Before the second is over, the kernel has asked the client once more.
            with contextlib.suppress(OSError, AttributeError):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(wanted))
                self.deferred = self.deferred or wanted

    def own_file(self, path: str) -> None:
        """`close()` shall remove this socket file, if it is still the same one then."""
        status = os.stat(path)
        self._own_file = (os.path.abspath(path), status.st_dev, status.st_ino)

    def twin(self) -> "Listener":
        """The same, with a descriptor of its own."""
        other = copy.copy(self)
        other.socket = self.socket.dup()
        return other

    def leave_file(self) -> None:
        """In a worker: `close()` shall leave the socket file, the listener lives on elsewhere."""
        self._file_is_ours = False

    def disown(self) -> None:
        """Another process holds the same socket and goes on: it is not ours to end."""
        self.sole = False
        self._own_file = None

    def own(self, sole: bool) -> None:
        """The process that held the same socket is gone: it is ours now, if it was that one's."""
        self.sole = sole
        if sole and self.address.kind == "unix" and os.path.exists(self.address.path):
            self.own_file(self.address.path)

    def withdraw(self) -> None:
        """Let no further connection into the accept queue, as far as that can be had; any process, often.

        A connection that enters the queue between the last accept and close() would be reset. On Linux a
        filter on a TCP listener drops new SYNs: those clients try again and find nobody, which is the
        truth. Of a Unix socket, the file goes first. Both hold for every process that shares the socket.
        """
        if not self.sole:
            return
        self._remove_file()
        if self.address.kind == "tcp":
            program = array.array("B", b"".join(struct.pack("HBBI", *line) for line in _DROP_SYN))
            place, _ = program.buffer_info()
            try:
                filter_ = struct.pack("HL", len(_DROP_SYN), place)
                self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, filter_)
            except OSError:
                pass  # not Linux: the gap stays a few microseconds wide

    def close(self) -> None:
        """Any number of times. A file that another server has put in place of ours stays."""
        self.socket.close()
        if self._file_is_ours:
            self._remove_file()

    def _remove_file(self) -> None:
        if self._own_file is None:
            return
        path, device, inode = self._own_file
        self._own_file = None
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) == (device, inode):
                os.unlink(path)
        except OSError:
            pass


def bind(address: Address, backlog: int) -> list[Listener]:
    """Listen at `address`: one Listener for each address that its host name has here.

    Raises BindError.
    """
    match address.kind:
        case "tcp":
            return _bind_tcp(address, backlog)
        case "unix":
            return [_bind_unix(address, backlog)]
        case "abstract":
            return [_bind_abstract(address, backlog)]
        case "fd":
            return [_adopt(address, backlog)]


def take_over(fd: int, address: Address, sole: bool) -> Listener:
    """A listening socket of the server that this one replaces, which was opened from `address`."""
    inherited = socket.socket(fileno=fd)
    inherited.set_inheritable(False)
    listener = Listener(inherited, address)
    listener.sole = sole
    return listener


def _bind_tcp(address: Address, backlog: int) -> list[Listener]:
    places = _resolve(address)
    for attempt in range(_PORT_ATTEMPTS):
        try:
            return _bind_places(address, places, backlog)
        except BindError as error:
            again = address.port == 0 and attempt + 1 < _PORT_ATTEMPTS
            if not (again and getattr(error.__cause__, "errno", 0) == errno.EADDRINUSE):
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


_Place = tuple[socket.AddressFamily, tuple[Any, ...]]


def _resolve(address: Address) -> list[_Place]:
    """The numeric addresses of the host, each once, IPv4 first (the one that always works)."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError) as error:
        raise BindError(
            f"The host name in {address} cannot be resolved: {getattr(error, 'strerror', error)}.",
            mend="Bind to 127.0.0.1 (this machine only) or 0.0.0.0 (all its interfaces), or mend the name.",
        ) from error
    places: list[_Place] = [(family, tuple(place)) for family, _, _, _, place in found]
    return sorted(dict.fromkeys(places), key=lambda place: place[0] != socket.AF_INET)


def _bind_places(address: Address, places: list[_Place], backlog: int) -> list[Listener]:
    listeners: list[Listener] = []
    absent: OSError | None = None
    port = address.port
    for family, place in places:
        try:
            listeners.append(Listener(_listening(family, (place[0], port, *place[2:]), backlog), address))
        except OSError as error:
            if error.errno in _NOT_HERE:
                absent = error
                continue
            for listener in listeners:
                listener.close()
            raise _explain_tcp(address, str(place[0]), port, error) from error
        port = int(listeners[-1].server_port)
    if not listeners:
        assert absent is not None
        raise _explain_tcp(address, str(places[0][1][0]), port, absent) from absent
    return listeners


def _listening(family: int, place: tuple[Any, ...], backlog: int) -> socket.socket:
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        # Linux lets only one socket listen in spite of this; without it, TIME_WAIT blocks a restart.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # So that [::]:80 and 0.0.0.0:80 mean the same everywhere, and can be had together.
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(place)
        bound.listen(backlog)
    except BaseException:
        bound.close()
        raise
    return bound


def _explain_tcp(address: Address, host: str, port: int, error: OSError) -> BindError:
    if error.errno == errno.EADDRINUSE:
        by = holder.of_port(host, port)
        other = Address("tcp", host=address.host, port=port + 1 if port < 65535 else 0)
        return _in_use(address, by, f"choose another port, such as --bind {other}")
    if error.errno == errno.EACCES:
        return BindError(
            f"Port {port} of {address} may not be bound: permission denied.",
            mend="Ports below 1024 are root's: use 1024 or above, or grant CAP_NET_BIND_SERVICE.",
        )
    if error.errno in _NOT_HERE:
        return BindError(
            f"No interface of this machine has the address of {address}.",
            mend="Bind to 127.0.0.1 (this machine only) or 0.0.0.0 (all its interfaces).",
        )
    return BindError(f"{address} cannot be bound: {error.strerror or error}.")


def _in_use(address: Address, by: str, otherwise: str) -> BindError:
    return BindError(
        f"{address} is already in use.",
        where=f"It is held by {by}" if by else "It is held by a process that cannot be seen from here",
        mend=f"Stop that process, or {otherwise}.",
    )


def _bind_unix(address: Address, backlog: int) -> Listener:
    _remove_stale(address)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(address.path)
        if address.mode is not None:
            # In time: nobody can connect before listen().
            os.chmod(address.path, address.mode)
        bound.listen(backlog)
        listener = Listener(bound, address)
        listener.own_file(address.path)
    except OSError as error:
        bound.close()
        raise BindError(
            f"{address} cannot be bound: {error.strerror or error}.",
            mend="The directory must exist and be writable; the path may have 107 bytes at most.",
        ) from error
    return listener


def _remove_stale(address: Address) -> None:
    """Make room for a socket file. Only a socket that nobody listens at is removed."""
    try:
        if not stat.S_ISSOCK(os.lstat(address.path).st_mode):
            raise BindError(
                f"{address} cannot be bound: there is a file at that path, and it is not a socket.",
                mend="Move the file away, or choose another path.",
            )
    except OSError:  # not there; or bind() will say what is wrong with the path
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address.path)
        except ConnectionRefusedError:
            os.unlink(address.path)
            return
        except OSError:  # such as EAGAIN: its queue is full, so somebody is there
            pass
    raise _in_use(address, holder.of_path(address.path), "choose another path")


def _bind_abstract(address: Address, backlog: int) -> Listener:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.bind(b"\0" + os.fsencode(address.path))
        bound.listen(backlog)
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise _in_use(address, holder.of_path(f"@{address.path}"), "choose another name") from error
        raise BindError(f"{address} cannot be bound: {error.strerror or error}.") from error
    return Listener(bound, address)


def _adopt(address: Address, backlog: int) -> Listener:
    """Take over a socket that the parent process opened, bound or already listening."""
    try:
        inherited = socket.socket(fileno=address.fd)
    except OSError as error:
        raise BindError(
            f"{address} is not an open socket.",
            mend="The process that starts Pronghorn must pass it on: no close-on-exec, the same number.",
        ) from error
    try:
        if inherited.type != socket.SOCK_STREAM:
            raise OSError(errno.EPROTOTYPE, "it is not a stream socket")
        if not inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            if inherited.family != socket.AF_UNIX and not inherited.getsockname()[1]:
                raise OSError(errno.EDESTADDRREQ, "it is neither bound nor listening")
            inherited.listen(backlog)
        inherited.set_inheritable(False)
        return Listener(inherited, address)
    except OSError as error:
        inherited.detach()
        raise BindError(f"{address} cannot be used: {error.strerror or error}.") from error


def _unix_url(listening: socket.socket) -> str:
    name = listening.getsockname()
    if isinstance(name, bytes):
        return "unix:@" + os.fsdecode(name[1:])
    return f"unix:{name}"
