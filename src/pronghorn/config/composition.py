"""What is served where: applications, middlewares and routes, as they were written down; nothing is loaded.

`config/file.py` and `--static` make a Composition, `assemble/compose.py` builds the application from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pronghorn.apps.static.options import StaticOptions

MIDDLEWARE = ("request-id", "sendfile", "proxy-fix", "gzip", "lint", "basic-auth")
"""Those of ours, by the names in apps/middleware/registry.py; here they are known without importing them."""

NOT_IN_NAMES = frozenset("@:#/ ")
"""Signs that the name of an [apps.NAME] cannot have: they mean something where applications are named."""


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class AppSpec:
    """One [apps.NAME]: either `use` or `paste` is set.

    use: "module:callable", or "module:factory" with factory; options: the factory's keyword arguments.
    paste: "file.ini#name"; the file's path is absolute.
    where: "pronghorn.toml:12 (apps.api.use)", for errors.
    written: the options with `${NAME}` as in the file, for showing: what is filled in may be secret.
    """

    name: str
    use: str = ""
    factory: bool = False
    options: Mapping[str, Any] = field(default_factory=_nothing)
    paste: str = ""
    where: str = ""
    written: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class MiddlewareSpec:
    """name: one of MIDDLEWARE, or "module:callable"; options: its keyword arguments. See AppSpec."""

    name: str
    options: Mapping[str, Any] = field(default_factory=_nothing)
    where: str = ""
    written: Mapping[str, Any] = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One [[route]]: an application, or files with or without one behind them.

    path: begins with a slash and, except "/", does not end with one.
    host: in lower case, as HostPattern takes it; "" for every host.
    app: always a key of Composition.apps (where the file has "module:callable", there is an AppSpec of that
        name); "" where only files are served. With `root`, it answers what is no file.
    root: an absolute directory, or several; "" where there are no files.
    try_: "$path", "$path.html" ..., and "@app" at its end if there is an `app`, whatever that is called;
        empty for the usual order.
    middleware: the first is the outermost.
    limit_request_body: bytes, and request_timeout: seconds; None where the server's value holds.
    """

    path: str = "/"
    host: str = ""
    app: str = ""
    root: str | tuple[str, ...] = ""
    try_: tuple[str, ...] = ()
    middleware: tuple[MiddlewareSpec, ...] = ()
    static: StaticOptions = field(default_factory=StaticOptions)
    limit_request_body: int | None = None
    request_timeout: float | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Composition:
    """All applications by name, and all routes in the order of the file. False when there are no routes."""

    apps: Mapping[str, AppSpec] = field(default_factory=_nothing)
    routes: tuple[RouteSpec, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.routes)
