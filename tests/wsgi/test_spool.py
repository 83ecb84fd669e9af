"""Temporary files without names (wsgi/spool.py)."""

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pronghorn.wsgi.spool import temporary_file


@pytest.fixture(params=["O_TMPFILE", "a name", "a file system that refuses"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory where they are, with what the system can do."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    if request.param == "a name":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif request.param != "O_TMPFILE":
        monkeypatch.setattr(os, "open", without_tmpfile)
    return tmp_path


_open = os.open


def without_tmpfile(path: str, flags: int, mode: int = 0o777) -> int:
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, "no")
    return _open(path, flags, mode)


def test_it_holds_octets_and_has_no_name(folder: Path) -> None:
    with temporary_file() as file:
        about = os.fstat(file.fileno())
        file.write(b"some octets")
        file.seek(5)
        assert file.read() == b"octets"
        assert os.listdir(folder) == []
    assert about.st_dev == folder.stat().st_dev
    assert (about.st_nlink, stat.S_IMODE(about.st_mode)) == (0, 0o600)


def test_programs_do_not_inherit_it(folder: Path) -> None:
    with temporary_file() as file:
        assert not os.get_inheritable(file.fileno())


def test_a_directory_that_is_not_there_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/no/such/directory")
    with temporary_file() as file:
        assert file.write(b"x") == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_what_another_directory_would_not_mend_is_told(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    asked = []

    def refusing(path: Any, *_: Any) -> int:
        asked.append(path)
        raise OSError(number, "no")

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(OSError, match="no") as caught:
        temporary_file()
    assert caught.value.errno == number
    assert {os.path.commonpath([path, asked[0]]) for path in asked} == {asked[0]}
