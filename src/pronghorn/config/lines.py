"""On which line does each key of a TOML text stand? tomllib does not say, and errors should.

    lines_of('a = 1\\n[b]\\nc = 2') == {("a",): 1, ("b",): 2, ("b", "c"): 3}

The text has been read by tomllib, so this scanner believes it: where the grammar would be broken, it only has
to end.
"""

import re
from typing import TYPE_CHECKING

from pronghorn.later import Later

if TYPE_CHECKING:
    import tomllib
else:
    tomllib = Later("tomllib")  # only where there is a file

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]+|#[^\n]*")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}(?!")'  # up to two quotes may stand before the closing three
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[^\s.=\[\]\"'#,{}]+")
_SCALAR = re.compile(r"[^,\]}#\n]+")


def lines_of(text: str) -> dict[Path, int]:
    """The line of the first mention of every table, key, and item of an array; lines count from 1."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = 0  # up to here, line ends have been counted
        self._line = 1
        self._tables: dict[Path, int] = {}  # arrays of tables: how many there are so far
        self.lines: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        several = self._text.startswith("[[", self._at)
        self._at += 2 if several else 1
        line, names = self._now(), self._key()
        end = self._text.find("]", self._at)
        self._at = end + (2 if several else 1) if end >= 0 else len(self._text)
        path: Path = ()
        for depth, name in enumerate(names, 1):
            path = (*path, name)
            self.lines.setdefault(path, line)
            if several and depth == len(names):
                self._tables[path] = self._tables.get(path, 0) + 1
            if path in self._tables:
                path = (*path, self._tables[path] - 1)
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: Path) -> None:
        self._skip()
        line, path = self._now(), table
        for name in self._key():
            path = (*path, name)
            self.lines.setdefault(path, line)
        self._skip()
        self._take("=")
        self._value(path)

    def _key(self) -> list[str]:
        names = []
        while self._skip():
            names.append(self._name())
            self._skip()
            if not self._take("."):
                break
        return names

    def _name(self) -> str:
        quoted = _STRING.match(self._text, self._at)
        if quoted:
            self._at = quoted.end()
            return str(tomllib.loads(f"a={quoted[0]}")["a"])
        bare = _BARE_KEY.match(self._text, self._at)
        self._at = bare.end() if bare else self._at + 1
        return bare[0] if bare else ""

    def _value(self, path: Path) -> None:
        self._skip()
        if self._take("["):
            self._items(path)
        elif self._take("{"):
            self._inline(path)
        else:
            found = _STRING.match(self._text, self._at) or _SCALAR.match(self._text, self._at)
            self._at = found.end() if found else self._at + 1

    def _items(self, path: Path) -> None:
        index = 0
        while self._skip() and not self._take("]"):
            self.lines[*path, index] = self._now()
            self._value((*path, index))
            index += 1
            self._skip()
            self._take(",")

    def _inline(self, path: Path) -> None:
        while self._skip() and not self._take("}"):
            self._pair(path)
            self._skip()
            self._take(",")

    def _skip(self) -> bool:
        """Past blanks, line ends and comments; is there anything left?"""
        while found := _SPACE.match(self._text, self._at):
            self._at = found.end()
        return self._at < len(self._text)

    def _take(self, sign: str) -> bool:
        if self._text.startswith(sign, self._at):
            self._at += len(sign)
            return True
        return False

    def _now(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line
