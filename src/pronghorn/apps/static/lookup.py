"""Opening what a path names below a root, and nothing else (S1 to S4, S7).

Between checking a path and opening it, anybody may move a link there. So the kernel does both at once:
openat2 with RESOLVE_BENEATH (Linux 5.6), or a walk that opens one component at a time and follows no link.
What is then sent is the descriptor that was looked at.
"""

import ctypes
import errno
import os
import re
import stat
import sys
from enum import Enum
from typing import NamedTuple

_SYS_OPENAT2 = 437
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
"""RESOLVE_* of <linux/openat2.h>."""

_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
"""O_NONBLOCK: opening a FIFO must not wait for its writer. O_NOCTTY: nor make a terminal ours."""
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC

_BUSY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EAGAIN})
"""The host's trouble, not the path's: it may work the next time."""
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_LINKS = frozenset({errno.EXDEV})
_LINKS_WALKING = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EMLINK})
"""What O_NOFOLLOW says of a link: ELOOP, of one among the directories ENOTDIR, on FreeBSD EMLINK."""
PATH_MAX = 4096
"""<linux/limits.h>: octets of the longest path that can be opened, with the NUL behind it."""
_TRIES = 8
"""openat2 gives up with EAGAIN when something is renamed on its way; arbitrary."""


class Outcome(Enum):
    """What a look-up found in place of a file."""

    MISSING = "no such file"
    DIRECTORY = "a directory"
    FORBIDDEN = "the file may not be read"
    BUSY = "no descriptors left, or a failing disk"
    OUTSIDE = "a link that leads out of the root"


class Opened(NamedTuple):
    """A regular file. The descriptor is the receiver's."""

    fd: int
    status: os.stat_result


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW_SIZE = ctypes.sizeof(_How)
_HOWS = {
    resolve: _How(_FLAGS, 0, resolve) for resolve in (_BENEATH | _NO_MAGICLINKS, _BENEATH | _NO_SYMLINKS)
}
_HOW = {resolve: ctypes.addressof(how) for resolve, how in _HOWS.items()}
"""Addresses of _HOWS, which only the kernel reads."""
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_syscall.restype = ctypes.c_long


def _openat2(directory: int, path: bytes, resolve: int) -> int:
    for _ in range(_TRIES):
        fd: int = _syscall(_SYS_OPENAT2, directory, path, _HOW[resolve], _HOW_SIZE)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number not in (errno.EINTR, errno.EAGAIN):
            break
    raise OSError(number, os.strerror(number))


def _has_openat2() -> bool:
    """Old kernels do not have it, and some containers' filters forbid what they do not know."""
    if not sys.platform.startswith("linux"):
        return False
    directory = os.open("/", _DIRECTORY)
    try:
        os.close(_openat2(directory, b".", _BENEATH | _NO_MAGICLINKS))
    except OSError:
        return False
    finally:
        os.close(directory)
    return True


class Root:
    """A directory, and how its links are treated. Any thread, any process: it holds no descriptor.

    It is opened anew for each look-up, which so sees when a deployment has turned a link round.
    """

    def __init__(self, path: str, symlinks: str = "inside", *, openat2: bool | None = None) -> None:
        """symlinks: see StaticOptions. openat2: whether to use it; None finds out."""
        self.path = os.fsencode(os.path.abspath(path))
        self.symlinks = symlinks
        self.openat2 = _has_openat2() if openat2 is None else openat2

    def view(self) -> "View":
        """The root, open for one look-up."""
        return View(self)


class View:
    """A root during one look-up, in one thread: `with root.view() as view`."""

    __slots__ = ("_directory", "_trouble", "root")

    def __init__(self, root: Root) -> None:
        self.root = root
        self._directory = -1
        self._trouble: Outcome | None = None
        """What every path is, because the root itself cannot be opened."""
        try:
            self._directory = os.open(root.path, _DIRECTORY)
        except OSError as error:
            self._trouble = outcome_of(error)

    def __enter__(self) -> "View":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """The look-up is over."""
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1

    def open(self, relative: bytes) -> Opened | Outcome:
        """What is at a path that has no empty, `.` or `..` component; empty is the root itself."""
        if self._trouble is not None:
            return self._trouble
        try:
            fd = self._descriptor(relative or b".")
        except OSError as error:
            return outcome_of(error)
        except _Outside:
            return Outcome.OUTSIDE
        try:
            status = os.fstat(fd)
        except OSError as error:
            os.close(fd)
            return outcome_of(error)
        if stat.S_ISREG(status.st_mode):
            return Opened(fd, status)
        os.close(fd)
        return Outcome.DIRECTORY if stat.S_ISDIR(status.st_mode) else Outcome.MISSING

    def open_directory(self, relative: bytes) -> int:
        """The descriptor of a directory, for reading. Raises OSError."""
        try:
            return self._descriptor(relative or b".")
        except _Outside:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from None

    def _descriptor(self, relative: bytes) -> int:
        symlinks = self.root.symlinks
        if symlinks == "inside":
            return self._inside(relative)
        if symlinks == "deny":
            return self._without_links(relative)
        return os.open(relative, _FLAGS, dir_fd=self._directory)

    def _inside(self, relative: bytes) -> int:
        try:
            if self.root.openat2:
                return _openat2(self._directory, relative, _BENEATH | _NO_MAGICLINKS)
            return _walk(self._directory, relative)
        except OSError as error:
            # A link out of the root, or an absolute one that may lead into it. Without openat2, any link.
            if error.errno not in (_LINKS if self.root.openat2 else _LINKS_WALKING):
                raise
            resolved = self._resolved(relative)
            if resolved == relative:
                raise
        return self._without_links(resolved)

    def _resolved(self, relative: bytes) -> bytes:
        """The same path without links. Raises OSError, or _Outside.

        What happens to the tree meanwhile does no harm: the result is opened without following links.
        """
        root = os.path.realpath(self.root.path, strict=True)
        target = os.path.realpath(os.path.join(root, relative), strict=True)
        if target == root:
            return b"."
        if not target.startswith(root.rstrip(b"/") + b"/"):
            raise _Outside
        return target[len(root.rstrip(b"/")) + 1 :]

    def _without_links(self, relative: bytes) -> int:
        if self.root.openat2:
            return _openat2(self._directory, relative, _BENEATH | _NO_SYMLINKS)
        return _walk(self._directory, relative)


class _Outside(Exception):
    """A link leads out of the root."""


def _walk(directory: int, relative: bytes) -> int:
    """Open component by component, no link followed. Raises OSError: ELOOP or ENOTDIR where there is one."""
    *parents, last = relative.split(b"/")
    held = -1
    try:
        for name in parents:
            inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
            if held >= 0:
                os.close(held)
            directory = held = inner
        return os.open(last, _FLAGS | os.O_NOFOLLOW, dir_fd=directory)
    finally:
        if held >= 0:
            os.close(held)


def outcome_of(error: OSError) -> Outcome:
    """What a failed look-up means to a client: never 500 (S7)."""
    if error.errno in _DENIED:
        return Outcome.FORBIDDEN
    if error.errno in _BUSY:
        return Outcome.BUSY
    # ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EXDEV, ENXIO and whatever else a file system says.
    return Outcome.MISSING


def components(path: str, hidden: bool) -> bytes | None:
    """PATH_INFO as a path below the root; None for one that no file may answer (S1, S3).

    A final slash stays. hidden: whether names that begin with a dot are served.
    """
    try:
        octets = path.encode("latin-1")
    except UnicodeEncodeError:
        return None
    if b"\0" in octets:
        return None  # C would see the part before it
    if octets[:1] == b"/":
        octets = octets[1:]
    names = octets.split(b"/")
    if not names[-1]:
        names.pop()
    for index, name in enumerate(names):
        if not name or name == b"." or name == b"..":
            return None
        if name[:1] == b"." and not hidden and not (index == 0 and name == b".well-known"):
            return None
    return octets


def is_malformed(path: str, target: str | None) -> bool:
    """Whether a path has octets that no honest path has: NUL, controls, backslash, or a `%` without digits.

    target: the request target as it was sent, if the server tells.
    """
    if _NEVER.search(path) is not None:
        return True
    return "%" in path and target is not None and _BAD_PERCENT.search(target.partition("?")[0]) is not None


_NEVER = re.compile(r"[\x00-\x1f\x7f\\]|[^\x00-\xff]")
_BAD_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
