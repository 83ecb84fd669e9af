"""A TOML file with its `${NAME}` filled in, which can say of each key where it stands."""

import os
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pronghorn.config import shapes
from pronghorn.config.lines import Path, lines_of
from pronghorn.config.variables import Unfilled, filled
from pronghorn.errors import ConfigError
from pronghorn.later import Later
from pronghorn.option import did_you_mean

if TYPE_CHECKING:
    import tomllib
else:
    tomllib = Later("tomllib")  # only where there is a file

PYPROJECT = "pyproject.toml"

_POSITION = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

_MENDS = {
    "Invalid value": 'Text stands in quotes: key = "value".',
    "Illegal character '\\n'": "A quote before this line's end is not closed.",
    "Unclosed": "A bracket before this line is not closed.",
    "Expected newline or end of document": "On each line stands one key = value; text stands in quotes.",
    "Cannot overwrite a value": "Each key is set once.",
    "Cannot declare": "Each [table] is written once; of [[route]] there may be several.",
    "Expected '=' after a key": "A line is [a table], key = value, or a # comment.",
    "Unescaped '\\' in a string": "Write '…' for text with backslashes.",
}


class Document:
    """data: the tables and keys that are ours; raw: the same with `${NAME}` as it was written.

    directory: where relative paths in it begin; shown: the file as its user calls it.
    """

    def __init__(self, path: str, shown: str, environ: Mapping[str, str]) -> None:
        """Raises ConfigError."""
        self.directory = os.path.dirname(os.path.abspath(path))
        self.shown = shown
        text = self._read(path)
        parsed = self._parse(text)
        lines = lines_of(text)
        self._lines = {**{_underscored(path): line for path, line in reversed(lines.items())}, **lines}
        self._root: Path = ("tool", "pronghorn") if os.path.basename(path) == PYPROJECT else ()
        self.raw: dict[str, Any] = self._ours(parsed)
        self.data: dict[str, Any] = self._expanded(self.raw, (), environ)

    def _read(self, path: str) -> str:
        try:
            with open(path, "rb") as file:
                octets = file.read()
        except OSError as error:
            raise ConfigError(
                f"The configuration file {self.shown!r} cannot be read: {error.strerror}.",
                mend=f"Looked for {os.path.join(self.directory, os.path.basename(path))}.",
            ) from error
        try:
            return octets.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = octets.count(b"\n", 0, error.start) + 1
            raise ConfigError(
                "The configuration file is not UTF-8.", where=f"{self.shown}:{line}", mend="TOML is UTF-8."
            ) from error

    def _parse(self, text: str) -> dict[str, Any]:
        try:
            return tomllib.loads(text)
        except RecursionError as error:
            raise ConfigError("The configuration file is nested too deeply.", where=self.shown) from error
        except ValueError as error:
            found = _POSITION.fullmatch(str(error))
            what, line = (found[1], found[2]) if found else (str(error), None)
            where = f"{self.shown}:{line or len(text.splitlines())}"
            mend = next((mend for start, mend in _MENDS.items() if what.startswith(start)), "")
            raise ConfigError(f"This is not TOML: {what}.", where=where, mend=mend) from error

    def _ours(self, parsed: dict[str, Any]) -> dict[str, Any]:
        for depth, name in enumerate(self._root, 1):
            inner = parsed.get(str(name), {})
            if not isinstance(inner, dict):
                line = self.line(self._root[:depth], ())
                raise ConfigError(f"{name!r} is no table.", where=f"{self.shown}:{line}")
            parsed = inner
        return parsed

    def _expanded(self, value: Any, path: Path, environ: Mapping[str, str]) -> Any:
        match value:
            case str() if "${" in value:
                return self._filled(value, path, environ)
            case dict():
                return {key: self._expanded(inner, (*path, key), environ) for key, inner in value.items()}
            case list():
                return [self._expanded(inner, (*path, i), environ) for i, inner in enumerate(value)]
        return value

    def _filled(self, text: str, path: Path, environ: Mapping[str, str]) -> str:
        try:
            return filled(text, environ)
        except Unfilled as error:
            if not error.missing:
                mend = "Write ${NAME}, ${NAME:-default}, or $${ for ${."
            else:
                mend = (
                    did_you_mean(error.missing, environ) or f"Set it, or write ${{{error.missing}:-default}}."
                )
            raise self.error(path, str(error), mend) from error

    def line(self, path: Path, root: Path | None = None) -> int:
        """Of that key, or of the nearest thing around it."""
        path = (*(self._root if root is None else root), *path)
        while path:
            line = self._lines.get(path) or self._lines.get(_underscored(path))
            if line:
                return line
            path = path[:-1]
        return 1

    def where(self, path: Path) -> str:
        """pronghorn.toml:12 (apps.api.use)"""
        label = ".".join(str(name) for name in path if not isinstance(name, int))
        return f"{self.shown}:{self.line(path)} ({label})"

    def error(self, path: Path, what: str, mend: str = "") -> ConfigError:
        """To be raised: something is wrong with that key."""
        return ConfigError(what, where=self.where(path), mend=mend)

    def unknown(self, path: Path, known: Iterable[str], what: str = "", mend: str = "") -> ConfigError:
        """To be raised: there is no such key. mend: for the case that no known name is near."""
        name = str(path[-1])
        known = list(known)
        hint = did_you_mean(name, known) or mend or f"There are: {', '.join(known)}."
        return self.error(path, what or f"Unknown key {name!r}.", hint)

    def text_at(self, path: Path) -> Any:
        """What was written there, before `${NAME}` was filled in."""
        return _at(self.raw, path)

    def masked(self, path: Path, message: str) -> str:
        """A message about that value, or its items, without what `${NAME}` gave, which may be secret."""
        values, texts = _at(self.data, path), self.text_at(path)
        if not isinstance(values, list):
            values, texts = [values], [texts]
        for value, text in zip(values, texts, strict=True):
            if value != text:
                message = message.replace(repr(value), repr(text)).replace(shapes.shown(value), repr(text))
        return message

    def resolved(self, path: str) -> str:
        """A path in the file, seen from the file's directory; empty stays empty."""
        return resolved(path, self.directory)


def resolved(path: str, base: str) -> str:
    """A path, seen from `base`; empty stays empty."""
    return os.path.normpath(os.path.join(base, os.path.expanduser(path))) if path else ""


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value[name]
    return value


def _underscored(path: Path) -> Path:
    """Keys may be written with hyphens."""
    return tuple(name.replace("-", "_") if isinstance(name, str) else name for name in path)
