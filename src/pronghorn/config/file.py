"""pronghorn.toml, or [tool.pronghorn] in pyproject.toml: options, applications and routes.

from_file(find("", os.environ, os.getcwd()), os.environ)
"""

import os
from collections.abc import Mapping
from dataclasses import Field
from typing import Any, NamedTuple

from pronghorn.config import shapes
from pronghorn.config.composition import Composition
from pronghorn.config.document import PYPROJECT, Document, resolved
from pronghorn.config.settings import options_by_name
from pronghorn.config.sources import Given, Layer, parse
from pronghorn.config.tables import SECTIONS, read_tables
from pronghorn.errors import ConfigError
from pronghorn.option import Option, did_you_mean, nearest

NAME = "pronghorn.toml"
VARIABLE = "PRONGHORN_CONFIG"

PATHS = frozenset({"chdir", "pythonpath", "reload_extra_file", "static"})
"""Options whose relative paths begin in the file's directory; for logs and sockets, in the working one."""

SECRET = frozenset({"env", "paste_global"})
"""Options where what `${NAME}` gave may be a password: it is not shown."""

_MOST = 1 << 24
"""Arbitrary, as a pyproject.toml is not searched for our name beyond it."""


class Found(NamedTuple):
    """A configuration file. path: absolute; shown: as the user calls it."""

    path: str
    shown: str


class FromFile(NamedTuple):
    """What a file says."""

    layer: Layer
    composition: Composition


def find(named: str, environ: Mapping[str, str], here: str) -> Found | None:
    """The file to read: the one named, by --config or PRONGHORN_CONFIG, else what `here` has, if anything.

    here: the working directory. Raises ConfigError.
    """
    source = "--config" if named else VARIABLE
    named = named or environ.get(VARIABLE, "")
    if named:
        path = os.path.join(here, os.path.expanduser(named))
        if not os.path.exists(path):
            raise _absent(source, named, path)
        if named.endswith(".py"):
            raise ConfigError(
                f"{source}: {named!r} is Python; the configuration file is TOML.",
                mend="docs/configuration.md shows one; most of gunicorn's settings have the same names.",
            )
        if os.path.basename(path) == PYPROJECT and not _mentions_us(path):
            raise ConfigError(f"{source}: {named!r} has no [tool.pronghorn].")
        return Found(path, named)
    for name in (NAME, PYPROJECT):
        path = os.path.join(here, name)
        if os.path.isfile(path) and (name == NAME or _mentions_us(path)):
            return Found(path, name)
    return None


def _absent(source: str, named: str, path: str) -> ConfigError:
    folder = os.path.dirname(path)
    names = os.listdir(folder) if os.path.isdir(folder) else []
    hint = did_you_mean(os.path.basename(path), names) or f"Looked for {os.path.abspath(path)}."
    return ConfigError(f"{source}: there is no file {named!r}.", mend=hint)


def _mentions_us(path: str) -> bool:
    """So that the pyproject.toml of others costs next to nothing, and may be broken."""
    try:
        with open(path, "rb") as file:
            return b"pronghorn" in file.read(_MOST)
    except OSError:
        return False


def from_file(found: Found, environ: Mapping[str, str]) -> FromFile:
    """The file's options and composition. Raises ConfigError, which names the line."""
    document = Document(found.path, found.shown, environ)
    known = options_by_name()
    layer: Layer = {}
    for key, value in document.data.items():
        if key in SECTIONS:
            continue
        name = key.replace("-", "_")
        if name not in known:
            raise _unknown(document, key, value, [*known, *SECTIONS])
        if name in layer:
            raise document.error((key,), f"{name!r} is set twice, with a hyphen and without.")
        layer[name] = _given(document, key, *known[name])
    return FromFile(layer, read_tables(document))


def _given(document: Document, key: str, declared: Field[Any], about: Option) -> Given:
    secret = declared.name in SECRET
    try:
        value = _value(declared, about, document.data[key], document.raw[key])
    except ValueError as error:
        path = error.path if isinstance(error, shapes.Misfit) else ()
        told = document.masked((key,), str(error)) if secret else str(error)
        raise document.error((key, *path), f"{key}: {told}", about.help) from error
    if declared.name in PATHS:
        value = absolute(value, document.directory, static=declared.name == "static")
    written = shapes.conform(document.raw[key], tuple[str, ...]) if secret else None
    return Given(value, document.where((key,)), written)


def absolute(value: Any, base: str, *, static: bool = False) -> Any:
    """A path, or a tuple of them, seen from `base`. static: each is "ROUTE=DIR"."""
    if isinstance(value, str):
        return resolved(value, base)
    if static:
        pairs = (item.partition("=") for item in value)
        return tuple(f"{route}={resolved(directory, base)}" for route, _, directory in pairs)
    # Directories may also be separated by commas, as in the flag.
    return tuple(",".join(resolved(path, base) for path in item.split(",")) for item in value)


def _value(declared: Field[Any], about: Option, value: Any, raw: Any) -> Any:
    """Raises ValueError, perhaps a Misfit, with a sentence."""
    if about.repeat:
        return parse(declared, about, shapes.conform(value, tuple[str, ...]))
    if isinstance(raw, str) and "${" in raw:
        return parse(declared, about, [value])
    if about.metavar == "BYTES":
        return shapes.bytes_of(value)
    if about.parse is None and not about.choices:
        return shapes.conform(value, declared.type)
    if declared.type is int and isinstance(value, str):
        return parse(declared, about, [value])  # workers = "auto"
    return parse(declared, about, [str(shapes.conform(value, declared.type))])


def _unknown(document: Document, key: str, value: Any, known: list[str]) -> ConfigError:
    if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
        what = f"There is no section [{key}]."
        section = nearest(key, SECTIONS)
        mend = "Options stand at the top of the file; sections are [apps.NAME] and [[route]]."
        return document.error((key,), what, f"Did you mean {SECTIONS[section]}?" if section else mend)
    return document.unknown((key,), known, mend="docs/configuration.md has all keys.")
