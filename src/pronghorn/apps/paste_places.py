"""Where a section or a key of an ini file stands, for errors that a person can act on.

configparser keeps no line numbers, so the file is read a second time; only when something is wrong.
"""

import re

from pronghorn.errors import ApplicationLoadError, ConfigError

_SECTION = re.compile(r"\[(.+)\]")
_KEY = re.compile(r"(?![#;\s])(.*?)\s*[=:]")
_SHOWN = re.compile(r"use|pipeline|next|filter-with|require|catch|app\d*|paste\..*|get .*|(/|domain ).*")
"""Keys whose values name sections and packages. Others may hold a password, and messages end up in logs."""


class PasteError(ApplicationLoadError, LookupError):
    """A PasteDeploy file says what cannot be done.

    A LookupError too: the library raises that, and factories of other people catch it.
    key: the key that is to blame, where the one who raises this does not know in which file it stands.
    """

    exit_code = ConfigError.exit_code

    def __init__(self, what: str, *, where: str = "", mend: str = "", key: str = "") -> None:
        super().__init__(what, where=where, mend=mend)
        self.key = key


class Places:
    """The lines of one file."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._keys: dict[tuple[str, str], tuple[int, str]] = {}
        self._sections: dict[str, int] = {}
        section = ""
        for number, line in enumerate(_lines(path), 1):
            if heading := _SECTION.match(line):
                section = heading[1]
                self._sections.setdefault(section, number)
            elif key := _KEY.match(line):
                self._keys.setdefault((section, key[1]), (number, line.strip()))

    def section(self, name: str) -> str:
        number = self._sections.get(name)
        return f"File {self.path}, line {number}: [{name}]" if number else f"File {self.path}"

    def key(self, section: str, key: str) -> str:
        """Its line; where it comes from [DEFAULT], that one; where it is nowhere, the section's."""
        for holder in (section, "DEFAULT"):
            if (holder, key) in self._keys:
                number, line = self._keys[holder, key]
                inside = f" in [{holder}]" if holder else ""
                shown = line[:100] if _SHOWN.fullmatch(key) else key
                return f"File {self.path}, line {number}{inside}: {shown}"
        return self.section(section)

    def key_in(self, prefix: str, key: str) -> str:
        """The same, in the first section with such a name that has the key; else the first such section."""
        sections = [name for name in self._sections if name.startswith(prefix) or name == prefix.rstrip(":")]
        having = [name for name in sections if (name, key) in self._keys]
        return self.key(next(iter(having or sections), ""), key)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
