"""Everything that can be set: the option classes of all parts, nested and frozen.

A part sees its own class and nothing else. Each option's name is unique, so that flags, variables and
keys of a file are flat.
"""

from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from types import MappingProxyType
from typing import Any

from pronghorn.config.composition import Composition
from pronghorn.http.limits import Limits
from pronghorn.net.listen import ListenOptions
from pronghorn.observe.logs import LogOptions
from pronghorn.option import Option, option, options_of
from pronghorn.process.options import ProcessOptions
from pronghorn.serve.options import ServeOptions


def _variable(text: str) -> str:
    name, separator, _ = text.partition("=")
    if not (name and separator) or "\0" in text:
        raise ValueError(f"{text!r} is not NAME=VALUE.")
    return text


def _static(text: str) -> str:
    route, separator, directory = text.partition("=")
    if not route.startswith("/") or "//" in route or not (separator and directory) or "\0" in text:
        raise ValueError(f"{text!r} is not ROUTE=DIR: write /static=dist, or /=public.")
    return text


@dataclass(frozen=True, slots=True)
class AppOptions:
    """What the application finds when it is imported."""

    chdir: str = option("", metavar="DIR", help="Change to this directory first; it is importable.")
    pythonpath: tuple[str, ...] = option(
        (), metavar="DIR", repeat=True, help="Directory to import from, before the working directory."
    )
    env: tuple[str, ...] = option(
        (),
        flags=("-e",),
        metavar="NAME=VALUE",
        parse=_variable,
        repeat=True,
        help="Environment variable to set before the application is imported.",
    )
    static: tuple[str, ...] = option(
        (),
        metavar="ROUTE=DIR",
        parse=_static,
        repeat=True,
        help="Serve the files of a directory there, such as /static=dist; with /=public, the application "
        "answers what is no file.",
    )
    paste_global: tuple[str, ...] = option(
        (),
        metavar="NAME=VALUE",
        parse=_variable,
        repeat=True,
        help="A value for the PasteDeploy file's %(NAME)s and global configuration.",
    )
    health: str = option(
        "",
        metavar="PATH",
        help="Answer GET PATH with 200, or 503 while the server is ending; for load balancers.",
    )
    metrics: str = option(
        "",
        metavar="PATH",
        help="Answer GET PATH with counters of all workers, as Prometheus reads them; see docs/deploy.md for "
        "who else should not.",
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All options of one server, and where each value that is not a default came from.

    composition: what is served where; without routes, one application is served as it is.
    origins: option name to the user's words for its source, such as "--threads" or "PRONGHORN_THREADS".
    written: option name to what the file says, with `${NAME}` as it is there, where the value may be secret.
    """

    listen: ListenOptions = field(default_factory=ListenOptions)
    serve: ServeOptions = field(default_factory=ServeOptions)
    limits: Limits = field(default_factory=Limits)
    process: ProcessOptions = field(default_factory=ProcessOptions)
    log: LogOptions = field(default_factory=LogOptions)
    app: AppOptions = field(default_factory=AppOptions)
    composition: Composition = field(default_factory=Composition)
    origins: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    written: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def each(self) -> Iterator[tuple[Field[Any], Option, Any]]:
        """Every option with its value."""
        for group, declared, about in all_options():
            yield declared, about, getattr(getattr(self, group), declared.name)


GROUPS: dict[str, type] = {
    "listen": ListenOptions,
    "serve": ServeOptions,
    "limits": Limits,
    "process": ProcessOptions,
    "log": LogOptions,
    "app": AppOptions,
}


def all_options() -> Iterator[tuple[str, Field[Any], Option]]:
    """Each option: the name of its group in Settings, its field, and what it says of itself."""
    for group, options_class in GROUPS.items():
        for declared, about in options_of(options_class):
            yield group, declared, about


def options_by_name() -> dict[str, tuple[Field[Any], Option]]:
    """The same without groups, by name."""
    return {declared.name: (declared, about) for _, declared, about in all_options()}


def flag_of(name: str) -> str:
    """limit_request_line -> --limit-request-line"""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """limit_request_line -> PRONGHORN_LIMIT_REQUEST_LINE"""
    return "PRONGHORN_" + name.upper()


assert set(GROUPS) == {declared.name for declared in fields(Settings)} - {"origins", "written", "composition"}
