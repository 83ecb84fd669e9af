"""Giving up root's rights, in forked children of a real root; and what is said where that is impossible."""

import grp
import os
import pwd
import socket
import stat
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from pronghorn.errors import ConfigError
from pronghorn.process.privileges import Identity, parse_umask, resolve

ROOT = os.geteuid() == 0

# Any user that is not root: the one that every Unix has.
NOBODY = pwd.getpwnam("nobody")
# No entry has it.
UNKNOWN_ID = 54321


def in_child(act: Callable[[], object]) -> str:
    """What `act` gives in a forked child, as text; a StartupError's text; or the traceback."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = str(act())
        except ConfigError as error:
            text = str(error)
        except BaseException:
            text = traceback.format_exc()
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return text


def become_nobody() -> None:
    """So that the rest of a child runs as an ordinary user, whoever runs the tests."""
    if ROOT:
        os.setgroups([])
        os.setgid(NOBODY.pw_gid)
        os.setuid(NOBODY.pw_uid)


def ids_after(identity: Identity) -> Callable[[], object]:
    def act() -> object:
        identity.drop()
        return os.getresuid(), os.getresgid(), sorted(os.getgroups())

    return act


def expected(identity: Identity, groups: list[int]) -> str:
    return str(((identity.uid,) * 3, (identity.gid,) * 3, sorted(groups)))


class TestResolve:
    def test_a_name_brings_its_group(self) -> None:
        assert resolve("nobody", "") == Identity(NOBODY.pw_uid, NOBODY.pw_gid, "nobody")

    def test_a_number_finds_the_name(self) -> None:
        assert resolve(str(NOBODY.pw_uid), "") == resolve("nobody", "")

    def test_a_group_by_name_and_by_number(self) -> None:
        group = grp.getgrgid(0)
        assert resolve("nobody", group.gr_name).gid == 0
        assert resolve("nobody", "0").gid == 0
        assert resolve("nobody", str(UNKNOWN_ID)).gid == UNKNOWN_ID

    def test_a_group_alone_keeps_the_user(self) -> None:
        identity = resolve("", str(UNKNOWN_ID))
        assert (identity.uid, identity.gid) == (os.geteuid(), UNKNOWN_ID)

    def test_neither(self) -> None:
        assert resolve("", "").uid == os.geteuid()

    def test_a_number_without_an_entry(self) -> None:
        assert resolve(str(UNKNOWN_ID), "0") == Identity(UNKNOWN_ID, 0, "")

    def test_a_number_without_an_entry_needs_a_group(self) -> None:
        """To keep root's group would be to keep what root's group may read."""
        with pytest.raises(ConfigError, match="There is no user with the number 54321") as caught:
            resolve(str(UNKNOWN_ID), "")
        assert caught.value.where == "--user" and "--group" in caught.value.mend

    @pytest.mark.parametrize(
        ("user", "group", "text"),
        [
            ("nobdy", "", "There is no user 'nobdy' on this machine.\n  --user\n  Did you mean nobody?"),
            (
                "nobody",
                "rooot",
                "There is no group 'rooot' on this machine.\n  --group\n  Did you mean root?",
            ),
            (
                "qqqqqqqq",
                "",
                "no user 'qqqqqqqq' on this machine.\n  --user\n  Create that user, or write a number.",
            ),
            ("nobody", "qqqqqqqq", "Create that group, or write a number."),
            ("no\0body", "", "There is no user 'no\\x00body'"),
            ("-1", "", "no user '-1'"),
            ("4294967295", "", "no user '4294967295'"),
            ("nobody", "4294967295", "no group '4294967295'"),
            ("9" * 5000, "", "no user"),
            ("٣", "", "no user '٣'"),
        ],
    )
    def test_unknown(self, user: str, group: str, text: str) -> None:
        with pytest.raises(ConfigError) as caught:
            resolve(user, group)
        assert text in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 6


@pytest.mark.skipif(not ROOT, reason="only root has rights to drop; TestRefusal runs instead")
class TestDrop:
    def test_to_a_user_with_its_groups(self) -> None:
        identity = resolve("nobody", "")
        groups = os.getgrouplist("nobody", identity.gid)
        assert in_child(ids_after(identity)) == expected(identity, groups)

    def test_the_users_other_groups_come_along(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Asked of the system with the user's name; a test has no user in several groups at hand."""
        asked: list[tuple[str, int]] = []
        identity = resolve("nobody", str(UNKNOWN_ID))

        def act() -> object:
            monkeypatch.setattr(os, "initgroups", lambda name, gid: asked.append((name, gid)))
            identity.drop()
            return asked

        assert in_child(act) == str([("nobody", UNKNOWN_ID)])

    def test_to_numbers_without_entries_and_without_other_groups(self) -> None:
        identity = Identity(UNKNOWN_ID, UNKNOWN_ID + 1, "")
        assert in_child(ids_after(identity)) == expected(identity, [UNKNOWN_ID + 1])

    def test_a_group_alone(self) -> None:
        identity = resolve("", str(UNKNOWN_ID))
        assert in_child(ids_after(identity)).startswith(
            f"((0, 0, 0), ({UNKNOWN_ID}, {UNKNOWN_ID}, {UNKNOWN_ID})"
        )

    def test_what_root_may_and_others_may_not(self, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("x")
        secret.chmod(0o600)
        tmp_path.chmod(0o755)
        identity = resolve("nobody", "")

        def act() -> object:
            fd = os.open(tmp_path, os.O_RDONLY)
            identity.drop()
            try:
                os.open("secret", os.O_RDONLY, dir_fd=fd)
            except PermissionError:
                return "refused"
            return "read"

        assert in_child(act) == "refused"

    def test_twice_is_once(self) -> None:
        identity = resolve("nobody", "")

        def act() -> object:
            identity.drop()
            identity.drop()
            return os.getuid()

        assert in_child(act) == str(identity.uid)

    def test_a_way_back_for_the_user_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A setuid() that leaves the saved set-user-ID as it was."""
        identity = resolve("nobody", "")

        def act() -> None:
            monkeypatch.setattr(os, "setuid", lambda uid: os.setresuid(uid, uid, 0))
            identity.drop()

        assert "can still become root again" in in_child(act)

    def test_a_way_back_for_the_group_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        identity = resolve("nobody", "")

        def act() -> None:
            monkeypatch.setattr(os, "setgid", lambda gid: os.setresgid(gid, gid, 0))
            identity.drop()

        assert "can still become root again" in in_child(act)

    def test_a_change_that_did_not_happen_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        identity = resolve("nobody", "")

        def act() -> None:
            become = os.setuid
            monkeypatch.setattr(os, "setuid", lambda uid: become(uid and UNKNOWN_ID))
            identity.drop()

        assert f"is not {identity}, but user {UNKNOWN_ID}, group {identity.gid}" in in_child(act)


class TestRefusal:
    def test_an_ordinary_user_cannot_become_another(self) -> None:
        def act() -> None:
            become_nobody()
            Identity(UNKNOWN_ID, UNKNOWN_ID, "").drop()

        text = in_child(act)
        assert text.startswith("Error: --user, --group: this process may not become user 54321")
        assert "Start it as root" in text
        assert len(text.splitlines()) <= 6

    def test_an_ordinary_user_cannot_become_root(self) -> None:
        def act() -> None:
            become_nobody()
            resolve("root", "").drop()

        assert "this process may not become root (uid 0, gid 0)" in in_child(act)

    def test_an_ordinary_user_may_stay_what_it_is(self) -> None:
        def act() -> object:
            become_nobody()
            resolve(str(os.getuid()), str(os.getgid())).drop()
            return "stayed"

        assert in_child(act) == "stayed"

    def test_give(self, tmp_path: Path) -> None:
        log = tmp_path / "error.log"
        log.touch()

        def act() -> None:
            fd = os.open(log, os.O_RDONLY)
            become_nobody()
            Identity(UNKNOWN_ID, UNKNOWN_ID, "").give(fd)

        text = in_child(act)
        assert "cannot be given to user 54321 (uid 54321, gid 54321): " in text
        assert len(text.splitlines()) <= 6


class TestGive:
    identity = Identity(UNKNOWN_ID, UNKNOWN_ID + 1, "") if ROOT else Identity(os.getuid(), os.getgid(), "")

    def owner(self, path: Path) -> tuple[int, int]:
        status = path.lstat()
        return status.st_uid, status.st_gid

    def test_a_log_file(self, tmp_path: Path) -> None:
        log = tmp_path / "access.log"
        log.touch(mode=0o640)
        self.identity.give(str(log))
        assert self.owner(log) == (self.identity.uid, self.identity.gid)
        assert stat.S_IMODE(log.stat().st_mode) == 0o640

    def test_a_descriptor(self, tmp_path: Path) -> None:
        log = tmp_path / "access.log"
        with log.open("w") as file:
            self.identity.give(file.fileno())
        assert self.owner(log) == (self.identity.uid, self.identity.gid)

    def test_a_socket_file(self, tmp_path: Path) -> None:
        path = tmp_path / "s"
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
            self.identity.give(str(path))
        assert self.owner(path) == (self.identity.uid, self.identity.gid)

    def test_a_device_stays_everybodys(self) -> None:
        before = self.owner(Path("/dev/null"))
        self.identity.give("/dev/null")
        with open("/dev/null", "w") as null:
            self.identity.give(null.fileno())
        assert self.owner(Path("/dev/null")) == before

    def test_a_symbolic_link_is_not_followed(self, tmp_path: Path) -> None:
        target, link = tmp_path / "shadow", tmp_path / "access.log"
        target.touch()
        link.symlink_to(target)
        before = self.owner(target), self.owner(link)
        self.identity.give(str(link))
        assert (self.owner(target), self.owner(link)) == before

    def test_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"access\.log cannot be given to .*: No such file or directory"
        ):
            self.identity.give(str(tmp_path / "access.log"))


class TestUmask:
    @pytest.mark.parametrize(
        ("text", "mask"),
        [("027", 0o27), ("0o27", 0o27), ("27", 0o27), ("0", 0), ("0022", 0o22), ("777", 0o777)],
    )
    def test_octal(self, text: str, mask: int) -> None:
        assert parse_umask(text) == mask

    @pytest.mark.parametrize(
        "text",
        ["", "8", "0x1f", "-022", "1000", "0o", "00022", "22 ", "u=rwx", "٢٢", "0b11", "0o0o7", "022\n"],
    )
    def test_anything_else(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not a umask: write it in octal, 000 to 777, such as 027"):
            parse_umask(text)
