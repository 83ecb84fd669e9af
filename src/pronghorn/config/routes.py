"""Routes from the command line: `--static ROUTE=DIR`, and the application that is named there."""

import os
from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType

from pronghorn.apps.paste import is_paste
from pronghorn.apps.static.options import StaticOptions
from pronghorn.config.composition import AppSpec, Composition, RouteSpec
from pronghorn.errors import ConfigError

GIVEN = "@given"
"""As the name of an AppSpec: the application is an object that the program has."""

COMMAND_LINE = "the command line"
"""Where what is named there stands."""


def place(
    composition: Composition, statics: Iterable[str], spec: str, origin: str = "--static", here: str = ""
) -> Composition:
    """With a route for each of `statics`, and `spec` at "/" unless a route has that.

    statics: "ROUTE=DIR"; origin: the user's words for where they stand; here: where relative directories
    begin, the working directory if empty. spec: as on the command line, GIVEN, or empty; it may name one
    of the file's applications. Without routes, the composition stays empty: one application is served as
    it is.

    Raises ConfigError.
    """
    routes = list(composition.routes)
    for text in statics:
        _add_static(routes, text, spec, origin, here)
    if not routes and spec not in composition.apps:
        return composition
    apps = dict(composition.apps)
    if spec:
        if not any((route.path, route.host) == ("/", "") for route in routes):
            routes.append(RouteSpec(app=spec, where=COMMAND_LINE))
        apps.setdefault(spec, app_spec(spec))
    return Composition(MappingProxyType(apps), tuple(routes))


def alone(composition: Composition, spec: str) -> Composition:
    """The application that is named as the route it would be, where there are no others."""
    if composition or not spec:
        return composition
    apps = {**composition.apps, spec: app_spec(spec)}
    return Composition(MappingProxyType(apps), (RouteSpec(app=spec, where=COMMAND_LINE),))


def app_spec(spec: str) -> AppSpec:
    """What the command line names: "module:callable", or "file.ini#name" of PasteDeploy."""
    if is_paste(spec):
        return AppSpec(spec, paste=spec, where=COMMAND_LINE)
    return AppSpec(spec, use=spec, where=COMMAND_LINE)


def only_files(directory: str, here: str = "") -> Composition:
    """What `pronghorn static DIR` serves. Raises ConfigError."""
    root = _directory(directory, "pronghorn static", here)
    options = replace(StaticOptions(), listing=True)
    return Composition(routes=(RouteSpec(root=root, static=options, where=COMMAND_LINE),))


def _add_static(routes: list[RouteSpec], text: str, spec: str, origin: str, here: str) -> None:
    path, _, directory = text.partition("=")
    path = path.rstrip("/") or "/"
    root = _directory(directory, f"{origin} {text}", here)
    for route in routes:
        if (route.path, route.host) == (path, ""):
            raise ConfigError(f"{origin} {text}: {path} is routed twice.", mend=f"First: {route.where}")
    where = f"{origin} {text}"
    if path == "/" and spec:
        routes.append(RouteSpec(root=root, app=spec, try_=("$path", "@app"), where=where))
    else:
        routes.append(RouteSpec(path=path, root=root, where=where))


def _directory(path: str, origin: str, here: str) -> str:
    found = os.path.abspath(os.path.join(here, os.path.expanduser(path)))
    if not os.path.isdir(found):
        raise ConfigError(f"{origin}: {path!r} is not a directory.", mend=f"Looked for {found}.")
    return found
