"""What may be a root (S8): a directory that exists, and not by mistake the whole disk."""

import logging
import os

from pronghorn.errors import ConfigError

_SOURCES = ("manage.py", "pyproject.toml", ".git")
"""What lies in a project's own directory, which is hardly meant to be public."""

_log = logging.getLogger("pronghorn.error")


def checked_root(path: str, force: bool) -> str:
    """The absolute path of a root. Raises ConfigError. Nothing below it is looked at."""
    absolute = os.path.abspath(path)
    if not os.path.isdir(absolute):
        there = os.path.lexists(absolute)
        raise ConfigError(
            f"the static root {path!r} " + ("is no directory." if there else "does not exist."),
            where="" if path == absolute else f"that is {absolute}",
            mend="Create it, or mend the path.",
        )
    if not os.access(absolute, os.X_OK):
        raise ConfigError(f"the static root {absolute!r} may not be entered by this user.")
    if not force:
        refuse_whole_disk(path)
    found = next((name for name in _SOURCES if os.path.lexists(os.path.join(absolute, name))), None)
    if found is not None:
        _log.warning(
            "the static root %s holds %s: is the project itself meant to be public?", absolute, found
        )
    return absolute


def refuse_whole_disk(path: str) -> None:
    """Raises ConfigError for a root that is hardly meant."""
    if os.path.realpath(path) in ("/", os.path.realpath(os.path.expanduser("~"))):
        raise ConfigError(
            f"the static root {path!r} is the root of the file system or a home directory.",
            mend="Serve a directory below it. If it is really meant: force = true in a [[route]] or Static.",
        )
