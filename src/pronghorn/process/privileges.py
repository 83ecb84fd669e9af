"""Bind as root, serve as somebody else: `--user`, `--group`, `--umask`.

    identity = resolve("www-data", "")
    identity.give("/run/site.sock")
    identity.drop()

The order matters: groups first, for only root may change them (setgroups(2)); the user last; and then
proof that there is no way back.
"""

import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pronghorn.errors import ConfigError
from pronghorn.option import nearest

# (uid_t)-1 means "leave as it is" to chown(2) and setresuid(2), so it can be nobody's.
_MOST_ID = 2**32 - 2

_OCTAL = re.compile(r"(?:0o)?[0-7]{1,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom to serve as.

    name: the user's name, whose groups it gets too; "" for a number without an entry, which has no others.
    """

    uid: int
    gid: int
    name: str

    def drop(self) -> None:
        """The process that is to lose its rights; once. Raises ConfigError, after which it must exit.

        Nothing happens if an unprivileged process is that user and group already.
        """
        if os.geteuid() != 0 and self._is_ours():
            return
        try:
            if self.name:
                os.initgroups(self.name, self.gid)
            else:
                os.setgroups([self.gid])
            os.setgid(self.gid)
            os.setuid(self.uid)
        except OSError as error:
            raise ConfigError(
                f"--user, --group: this process may not become {self}: {error.strerror}.",
                where=f"It runs as user {os.geteuid()}, group {os.getegid()}.",
                mend="Start it as root (with CAP_SETUID and CAP_SETGID), or leave both options out.",
            ) from error
        self._check_no_way_back()

    def give(self, target: str | int) -> None:
        """Master, before `drop`. Make this user the owner of a log file or a socket file. Raises ConfigError.

        target: a path or a descriptor; a socket file by its path (its descriptor is another inode).
            What is neither a regular file nor a socket stays as it is: /dev/null or a terminal is for all.
            So does a symbolic link: where others may write, it leads wherever they like.
        """
        try:
            status = os.fstat(target) if isinstance(target, int) else os.lstat(target)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISSOCK(status.st_mode)):
                return
            if (status.st_uid, status.st_gid) != (self.uid, self.gid):
                os.chown(target, self.uid, self.gid, follow_symlinks=isinstance(target, int))
        except OSError as error:
            shown = f"Descriptor {target}" if isinstance(target, int) else target
            raise ConfigError(
                f"{shown} cannot be given to {self}: {error.strerror}.",
                mend="Start as root, or let that user own the file and leave out --user and --group.",
            ) from error

    def _is_ours(self) -> bool:
        users, groups = {os.getuid(), os.geteuid()}, {os.getgid(), os.getegid()}
        return users == {self.uid} and groups == {self.gid}

    def _check_no_way_back(self) -> None:
        """A saved set-user-ID or CAP_SETUID would let whoever takes over the process become root again."""
        regained = (self.uid != 0 and _may(os.setuid)) or (0 not in (self.uid, self.gid) and _may(os.setgid))
        if regained:
            raise ConfigError(
                f"--user: having become {self}, the process can still become root again.",
                mend="Start it as root without ambient capabilities (CAP_SETUID, CAP_SETGID).",
            )
        if not self._is_ours():
            raise ConfigError(
                f"--user: the process is not {self}, but user {os.geteuid()}, group {os.getegid()}."
            )

    def __str__(self) -> str:
        return f"{self.name or f'user {self.uid}'} (uid {self.uid}, gid {self.gid})"


def resolve(user: str, group: str) -> Identity:
    """Names or numbers; "" is the user of this process, or the user's own group.

    Raises ConfigError, whose `where` is the option that will not do, "--user" or "--group".
    """
    account = _account(user) if user else _account(str(os.geteuid()))
    if group:
        gid = _group(group)
    elif isinstance(account, int) and user:
        raise ConfigError(
            f"There is no user with the number {account}, so its group is not known.",
            where="--user",
            mend="Say which group with --group, by name or number.",
        )
    else:
        gid = os.getegid() if isinstance(account, int) else account.pw_gid
    if isinstance(account, int):
        return Identity(account, gid, "")
    return Identity(account.pw_uid, gid, account.pw_name)


def parse_umask(text: str) -> int:
    """The bits that new files lack, always in octal: "027", "0o27", "27". Raises ValueError."""
    if not _OCTAL.fullmatch(text) or int(text, 8) > 0o777:
        raise ValueError(f"{text!r} is not a umask: write it in octal, 000 to 777, such as 027.")
    return int(text, 8)


def _account(text: str) -> pwd.struct_passwd | int:
    """A name goes before a number, as with chown(1); a number that has no entry stays one."""
    try:
        return pwd.getpwnam(text)
    except (KeyError, ValueError):
        number = _id(text)
    if number is None:
        raise _unknown("--user", "user", text, (entry.pw_name for entry in pwd.getpwall()))
    try:
        return pwd.getpwuid(number)
    except KeyError:
        return number


def _group(text: str) -> int:
    try:
        return grp.getgrnam(text).gr_gid
    except (KeyError, ValueError):
        number = _id(text)
    if number is None:
        raise _unknown("--group", "group", text, (entry.gr_name for entry in grp.getgrall()))
    return number


def _id(text: str) -> int | None:
    digits = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if digits and int(text) <= _MOST_ID else None


def _unknown(flag: str, kind: str, text: str, known: Iterable[str]) -> ConfigError:
    meant = nearest(text, known)
    hint = f"Did you mean {meant}?" if meant else f"Create that {kind}, or write a number."
    return ConfigError(f"There is no {kind} {text!r} on this machine.", where=flag, mend=hint)


def _may(become: Callable[[int], None]) -> bool:
    try:
        become(0)
    except OSError:
        return False
    return True
