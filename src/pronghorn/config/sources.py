"""Where values come from: flags > PRONGHORN_* variables > what the platform says > the file > defaults.

A source is a function that gives a Layer; `merge` takes layers, the strongest first. The file's is in
`config/file.py`.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import Field
from typing import Any, NamedTuple

from pronghorn.config.composition import Composition
from pronghorn.config.settings import GROUPS, Settings, all_options, flag_of, options_by_name, variable_of
from pronghorn.errors import ConfigError, StartupError, UsageError
from pronghorn.option import Option, boolean, nearest

_UNITS = {"k": 10, "m": 20, "g": 30}


class Given(NamedTuple):
    """A value and the user's words for where it stands. written: to be shown where that is secret."""

    value: Any
    origin: str
    written: Any = None


Layer = dict[str, Given]


def from_flags(given: Mapping[str, str | Sequence[str]]) -> Layer:
    """The command line: option name to text, or texts where it repeats. Raises UsageError."""
    layer: Layer = {}
    for _, declared, about in all_options():
        text = given.get(declared.name)
        if text is None:
            continue
        flag = flag_of(declared.name)
        texts = [text] if isinstance(text, str) else text
        with _told(flag, about, UsageError):
            layer[declared.name] = Given(parse(declared, about, texts), flag)
    return layer


def from_environment(environ: Mapping[str, str]) -> Layer:
    """PRONGHORN_*; where an option repeats, values are separated as in a shell. Raises ConfigError."""
    layer: Layer = {}
    for _, declared, about in all_options():
        name = variable_of(declared.name)
        if name not in environ:
            continue
        with _told(name, about):
            texts = shlex.split(environ[name]) if about.repeat else [environ[name]]
            layer[declared.name] = Given(parse(declared, about, texts), name)
    return layer


def from_platform(environ: Mapping[str, str]) -> Layer:
    """What hosting platforms set: PORT (every interface, since their proxy is elsewhere), WEB_CONCURRENCY.

    Raises ConfigError.
    """
    layer: Layer = {}
    port = environ.get("PORT", "")
    if port:
        if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
            raise ConfigError(
                f"PORT: {port!r} is not a port from 0 to 65535.", mend="Unset it, or say where with --bind."
            )
        layer["bind"] = Given((f"0.0.0.0:{port}",), "PORT")
    workers = environ.get("WEB_CONCURRENCY", "")
    if workers:
        if not (workers.isascii() and workers.isdigit()) or len(workers) > 6:
            raise ConfigError(
                f"WEB_CONCURRENCY: {workers!r} is not a whole number.",
                mend="Unset it, or say how many processes with --workers.",
            )
        layer["workers"] = Given(int(workers), "WEB_CONCURRENCY")
    return layer


def from_python(options: Mapping[str, Any]) -> Layer:
    """Keyword arguments of serve(). Raises TypeError for an unknown name, ConfigError for a bad value."""
    known = options_by_name()
    layer: Layer = {}
    for name, value in options.items():
        if name not in known:
            meant = nearest(name, known)
            raise TypeError(
                f"serve() has no option {name!r}" + (f"; did you mean {meant!r}?" if meant else "")
            )
        declared, about = known[name]
        several = about.repeat and not isinstance(value, str)
        texts = [str(item) for item in value] if several else [str(value)]
        origin = f"serve({name}=…)"
        with _told(origin, about):
            layer[name] = Given(parse(declared, about, texts), origin)
    return layer


@contextmanager
def _told(origin: str, about: Option, kind: type[StartupError] = ConfigError) -> Iterator[None]:
    """What is wrong with a text is told with where it stands, and what the option is for."""
    try:
        yield
    except ValueError as error:
        raise kind(f"{origin}: {error}", mend=about.help) from error


def merge(layers: Iterable[Layer], composition: Composition | None = None) -> Settings:
    """The settings in force; of each option, the first layer that has it."""
    values: dict[str, Given] = {}
    for layer in layers:
        values = {**layer, **values}
    groups: dict[str, dict[str, Any]] = {group: {} for group in GROUPS}
    for group, declared, _ in all_options():
        if declared.name in values:
            groups[group][declared.name] = values[declared.name].value
    built: dict[str, Any] = {group: GROUPS[group](**given) for group, given in groups.items()}
    origins = {name: given.origin for name, given in values.items()}
    written = {name: given.written for name, given in values.items() if given.written is not None}
    whole = Composition() if composition is None else composition  # one without routes is false
    return Settings(**built, composition=whole, origins=origins, written=written)


def parse(declared: Field[Any], about: Option, texts: Sequence[str]) -> Any:
    """The option's value from its texts. Raises ValueError with a sentence."""
    if about.repeat:
        return tuple(_parse_one(declared, about, text) for text in texts)
    return _parse_one(declared, about, texts[-1])


def _parse_one(declared: Field[Any], about: Option, text: str) -> Any:
    if about.parse is not None:
        return about.parse(text)
    if about.choices and text not in about.choices:
        meant = nearest(text, about.choices)
        hint = f"did you mean {meant!r}?" if meant else f"use {', '.join(about.choices)}."
        raise ValueError(f"{text!r} is not one of its values: {hint}")
    if declared.type is bool:
        return boolean(text)
    if declared.type is int:
        return size(text) if about.metavar == "BYTES" else _whole(text)
    if declared.type is float:
        return _seconds(text)
    return text


def size(text: str) -> int:
    """Bytes: 65536, 64k, 1m, 1g, with 1k = 1024."""
    unit = _UNITS.get(text[-1:].lower())
    digits = text[:-1] if unit else text
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ValueError(f"{text!r} is not a size: write 65536, 64k, 1m or 1g.")
    return int(digits) << (unit or 0)


def _whole(text: str) -> int:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ValueError(f"{text!r} is not a whole number.")
    return int(text)


def _seconds(text: str) -> float:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.replace(".", "", 1).isdigit()) or len(digits) > 18:
        raise ValueError(f"{text!r} is not a number of seconds.")
    return float(text)
