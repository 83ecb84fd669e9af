"""What the kernel's tables say of an address.

Who holds it: "in use" is of no help without a name. Linux only, from /proc; elsewhere, or where another
user's process is out of sight, the answer is "".
"""

import os
import socket
import sys
from collections.abc import Iterator

_LISTENING = "0A"
_SYN_RECEIVED = b"03"
_COMING = b" %b " % _SYN_RECEIVED


def of_port(host: str, port: int) -> str:
    """The process listening at host (a numeric address) and port: "python3 (pid 71): python3 -m app"."""
    inodes = {inode for address, inode in _listening(port) if _overlap(address, host)}
    return _process_with(inodes)


def arriving(ports: set[int]) -> bool:
    """Whether a connection to one of these TCP ports is in its handshake, or has been silent since.

    The kernel has not handed it to its listener yet (Listener.defer_accept). True where that cannot be known.
    Reads all of its tables: 4 ms for 1000 connections.
    """
    read = False
    for table in ("tcp", "tcp6"):
        try:
            # Octets: this may be the first that asks for a codec, as a user who cannot read the library.
            with open(f"/proc/net/{table}", "rb") as lines:
                coming = [line.split() for line in lines if _COMING in line]
        except OSError:
            continue
        read = True
        if any(row[3] == _SYN_RECEIVED and int(row[1].rpartition(b":")[2], 16) in ports for row in coming):
            return True
    return not read


def of_path(path: str) -> str:
    """The process that holds a Unix socket, by the name it was bound with; "@name" if abstract."""
    try:
        with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
            rows = [line.rstrip("\n").split(None, 7) for line in table]
    except OSError:
        return ""
    return _process_with({row[6] for row in rows if len(row) == 8 and row[7] == path})


def _listening(port: int) -> Iterator[tuple[str, str]]:
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            address, _, number = row[1].partition(":")
            if row[3] == _LISTENING and int(number, 16) == port:
                yield _readable(address, family), row[9]


def _readable(address: str, family: socket.AddressFamily) -> str:
    """The kernel prints an address as 32-bit words in the machine's own byte order."""
    packed = bytes.fromhex(address)
    words = (packed[i : i + 4] for i in range(0, len(packed), 4))
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return socket.inet_ntop(family, ordered)


def _overlap(one: str, other: str) -> bool:
    return one == other or not {one, other}.isdisjoint(("0.0.0.0", "::"))


def _process_with(inodes: set[str]) -> str:
    targets = {f"socket:[{inode}]" for inode in inodes}
    for pid in filter(str.isdigit, os.listdir("/proc")) if targets else ():
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in targets:
                    return _describe(pid)
        except OSError:  # the process is gone, or is another user's
            continue
    return ""


def _describe(pid: str) -> str:
    if int(pid) == os.getpid():
        return "this very process: the address is given twice"
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
        name = file.read().strip()
    with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
        command = " ".join(file.read().split("\0")).strip()
    command = "".join(letter if letter.isprintable() else "?" for letter in command)
    return f"{name} (pid {pid}): {command[:80]}" if command else f"{name} (pid {pid})"
