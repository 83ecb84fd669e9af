"""[apps.NAME] and [[route]] of a configuration file, made into a Composition."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, get_type_hints

from pronghorn.apps.hosts import HostPattern
from pronghorn.apps.paste import is_paste
from pronghorn.apps.prefix import mounted_prefix
from pronghorn.apps.static.options import StaticOptions
from pronghorn.apps.static.roots import refuse_whole_disk
from pronghorn.apps.static.trying import plan_of
from pronghorn.config import shapes
from pronghorn.config.check import RANGES
from pronghorn.config.composition import (
    MIDDLEWARE,
    NOT_IN_NAMES,
    AppSpec,
    Composition,
    MiddlewareSpec,
    RouteSpec,
)
from pronghorn.config.document import Document
from pronghorn.config.lines import Path
from pronghorn.config.settings import options_by_name
from pronghorn.errors import ConfigError
from pronghorn.option import did_you_mean

SECTIONS = {"apps": "[apps.NAME]", "route": "[[route]]"}

APP_KEYS: dict[str, tuple[Any, str]] = {
    "use": (str, 'The application: "module:callable", or "@name" for another one with other options.'),
    "factory": (bool, "`use` names what makes the application; it is called once."),
    "options": (Mapping[str, Any], "Keyword arguments of the factory, with their types."),
    "paste": (str, 'An application of a PasteDeploy file: "file.ini#name".'),
}

ROUTE_KEYS: dict[str, tuple[Any, str]] = {
    "path": (str, "What a request's path begins with, on whole segments."),
    "host": (str, 'Only for this host: "example.org", "*.example.org", "[::1]"; with a port if that counts.'),
    "app": (str, 'The application: a name of [apps], or "module:callable".'),
    "root": (tuple[str, ...], "Directory of files to serve, or several, in the order they are looked in."),
    "try": (tuple[str, ...], 'What to look for: "$path", "$path.html", "$path/index.html", last "@name".'),
    "middleware": (
        tuple[str | Mapping[str, Any], ...],
        'From the outside in: "name" or { use = "name", options = { … } }.',
    ),
    "limit_request_body": (int | str, "Largest request body in bytes, instead of the server's."),
    "request_timeout": (float, "Seconds that a request may take, instead of the server's; 0 for no limit."),
}

MIDDLEWARE_KEYS: dict[str, tuple[Any, str]] = {
    "use": (str, 'One of ours, or "module:callable".'),
    "options": (Mapping[str, Any], "Keyword arguments beside the application."),
}

STATIC_KEYS: dict[str, Any] = {
    name: hint for name, hint in get_type_hints(StaticOptions).items() if name != "add_headers_function"
}
"""All but what only Python can say."""

_EXAMPLES = {
    "cache": 'Such as cache = { "*.js" = "immutable" }.',
    "headers": 'Such as headers = { "*.pdf" = { X-Robots-Tag = "noindex" } }.',
    "mimetypes": 'Such as mimetypes = { ".foo" = "text/x-foo" }.',
    "error_pages": 'Such as error_pages = { 404 = "/404.html" }.',
}


def read_tables(document: Document) -> Composition:
    """Raises ConfigError, which names the line."""
    return _Tables(document).composition()


class _Tables:
    """One reading of one file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._apps: dict[str, AppSpec] = {}
        self._places: dict[tuple[HostPattern, str], str] = {}

    def composition(self) -> Composition:
        data = self._document.data
        apps, routes = data.get("apps", {}), data.get("route", [])
        if not isinstance(apps, dict):
            raise self._document.error(("apps",), "`apps` is no table.", "Write [apps.NAME].")
        if not isinstance(routes, list):
            raise self._document.error(("route",), "`route` is no array of tables.", "Write [[route]].")
        for name, table in apps.items():
            self._apps[name] = self._app(name, table)
        for name in apps:
            self._apps[name] = self._resolved(name, ())
        made = tuple(self._route(index, table) for index, table in enumerate(routes))
        return Composition(MappingProxyType(self._apps), made)

    # Applications

    def _app(self, name: str, table: Any) -> AppSpec:
        path: Path = ("apps", name)
        values = self._values(path, table, APP_KEYS, "[apps.NAME]")
        if not name or set(name) & NOT_IN_NAMES:
            raise self._document.error(
                path, f"An application cannot be called {name!r}.", "Use letters and digits."
            )
        if ("use" in values) == ("paste" in values):
            how = "either `use` or `paste`, not both" if "use" in values else "`use` or `paste`"
            raise self._document.error(
                path, f"The application {name!r} needs {how}.", 'For example: use = "shop.api:app"'
            )
        if "paste" in values:
            return self._paste(name, path, values)
        use: str = values["use"]
        factory = values.get("factory", False)
        if "options" in values and not factory and not use.startswith("@"):
            raise self._document.error(
                (*path, "options"), f"The options of {name!r} are for a factory.", "Add factory = true."
            )
        if not use.startswith("@"):
            self._check_name((*path, "use"), use, factory)
        options = values.get("options", {})
        written = self._document.text_at((*path, "options")) if options else {}
        where = self._document.where((*path, "use"))
        return AppSpec(name, use, factory, options, where=where, written=written)

    def _paste(self, name: str, path: Path, values: dict[str, Any]) -> AppSpec:
        for key in ("factory", "options"):
            if key in values:
                raise self._document.error(
                    (*path, key), f"`{key}` goes with `use`.", "The PasteDeploy file has the options."
                )
        file, mark, section = values["paste"].partition("#")
        file = self._document.resolved(file)
        if not os.path.isfile(file):
            raise self._document.error((*path, "paste"), f"There is no PasteDeploy file {file!r}.")
        where = self._document.where((*path, "paste"))
        return AppSpec(name, paste=file + mark + section, where=where)

    def _check_name(self, path: Path, use: str, factory: bool) -> None:
        module, colon, rest = use.partition(":")
        if not all(part.isidentifier() for part in module.split(".")) or (colon and not rest):
            if use in self._apps:
                mend = f'An application of this file is "@{use}" here.'
            elif is_paste(use):
                mend = f'A PasteDeploy file has its own key: paste = "{use}".'
            else:
                mend = "A path is written as a module: shop.api, not shop/api.py."
            raise self._document.error(
                path, f"{use!r} does not name an application as module:callable.", mend
            )
        if factory and rest.endswith(")"):
            raise self._document.error(
                path, f"{use!r} calls the factory itself.", "Leave out factory = true, or the parentheses."
            )

    def _resolved(self, name: str, passed: tuple[str, ...]) -> AppSpec:
        """With `use = "@other"` replaced by what the other one has, and its options below its own."""
        spec = self._apps[name]
        if not spec.use.startswith("@"):
            return spec
        path: Path = ("apps", name, "use")
        if name in passed:
            ring = " -> ".join([*passed[passed.index(name) :], name])
            raise self._document.error(path, f"Applications refer to each other: {ring}.")
        other = spec.use[1:]
        if other not in self._apps:
            raise self._no_app(path, other)
        base = self._resolved(other, (*passed, name))
        if spec.options and not base.factory:
            raise self._document.error(
                ("apps", name, "options"),
                f"The options of {name!r} are for a factory, and {other!r} is none.",
            )
        options, written = {**base.options, **spec.options}, {**base.written, **spec.written}
        return AppSpec(name, base.use, base.factory, options, base.paste, spec.where, written)

    def _no_app(self, path: Path, name: str) -> ConfigError:
        mend = did_you_mean(name, self._apps)
        if not mend and set(name) & set("./#"):  # a module, or a file, as for the command line
            self._check_name(path, name, False)
            key = "app" if path[-1] == "try" else path[-1]
            mend = f'Write {key} = "{name}:application"' + (' and "@app" here.' if path[-1] == "try" else ".")
        mend = mend or f"Declare it with [apps.{name or 'NAME'}]."
        return self._document.error(path, f"There is no application {name!r}.", mend)

    # Routes

    def _route(self, index: int, table: Any) -> RouteSpec:
        path: Path = ("route", index)
        statics = {name: (hint, _EXAMPLES.get(name, "")) for name, hint in STATIC_KEYS.items()}
        values = self._values(path, table, {**ROUTE_KEYS, **statics}, "[[route]]")
        prefix = self._prefix(path, values.get("path", "/"))
        host = values.get("host", "").strip().lower()
        self._take_place(path, host, prefix)
        roots = tuple(
            self._root((*path, "root", number), root, values.get("force", False))
            for number, root in enumerate(values.get("root", ()))
        )
        static = {name: value for name, value in values.items() if name in STATIC_KEYS}
        if static and not roots:
            name = next(iter(static))
            raise self._document.error(
                (*path, name),
                f"`{name}` is for files, and this route has no `root`.",
                'Add root = "directory".',
            )
        app, looked_for = self._target(path, values, bool(roots))
        return RouteSpec(
            path=prefix,
            host=host,
            app=app,
            root=roots[0] if len(roots) == 1 else roots or "",
            try_=looked_for,
            middleware=tuple(
                self._middleware((*path, "middleware", number), item)
                for number, item in enumerate(values.get("middleware", ()))
            ),
            static=self._static(path, static),
            limit_request_body=self._limit(path, values),
            request_timeout=self._timeout(path, values),
            where=self._document.where(path),
        )

    def _prefix(self, path: Path, text: str) -> str:
        path = (*path, "path")
        if not text.startswith("/"):
            raise self._document.error(
                path, f"{text!r} is not a path.", 'It begins with one slash: path = "/api".'
            )
        if not text.isprintable():
            raise self._document.error(
                path, f"{text!r} has characters that cannot be seen.", "Leave them out."
            )
        with self._at(path):
            mounted_prefix(text, text)
        return text.rstrip("/") or "/"

    def _take_place(self, path: Path, host: str, prefix: str) -> None:
        with self._at((*path, "host")):
            place = HostPattern.parse(host), prefix
        if place in self._places:
            shown = f"{host}{prefix}"
            raise self._document.error(path, f"{shown} is routed twice.", f"First: {self._places[place]}")
        self._places[place] = self._document.where(path)

    def _root(self, path: Path, root: str, force: bool) -> str:
        directory = self._document.resolved(root)
        if not os.path.isdir(directory):
            raise self._document.error(path, f"{root!r} is not a directory.", f"Looked for {directory}.")
        if not force:
            with self._at(path):
                refuse_whole_disk(directory)
        return directory

    @contextmanager
    def _at(self, path: Path) -> Iterator[None]:
        """What somebody else refuses is told with the place of that key."""
        try:
            yield
        except ConfigError as error:
            raise self._document.error(path, error.what, error.mend) from error

    def _target(self, path: Path, values: dict[str, Any], files: bool) -> tuple[str, tuple[str, ...]]:
        """The application's name and `try`, in which it is called @app."""
        looked_for: tuple[str, ...] = values.get("try", ())
        app = values.get("app", "")
        if not app and not files:
            raise self._document.error(
                path, "This route has neither `app` nor `root`.", 'Add app = "name" or root = "directory".'
            )
        if app:
            self._declare((*path, "app"), app)
        if not looked_for:
            return app, ()
        if not files:
            raise self._document.error(
                (*path, "try"),
                "`try` looks for files, and this route has no `root`.",
                'Add root = "directory".',
            )
        self._check_try((*path, "try"), looked_for)
        if not looked_for[-1].startswith("@"):
            if app:
                raise self._document.error(
                    (*path, "try"), "`try` never comes to the `app` of this route.", 'Put "@app" at its end.'
                )
            return "", looked_for
        name = looked_for[-1][1:]
        if name in self._apps and app in ("", name):
            app = name
        elif name != "app" or not app:
            raise self._wrong_last(path, name, app)
        return app, (*looked_for[:-1], "@app")

    def _check_try(self, path: Path, looked_for: tuple[str, ...]) -> None:
        """Each up to the one that Static would refuse."""
        for number in range(len(looked_for)):
            with self._at((*path, number)):
                plan_of(looked_for[: number + 1], True)
            if looked_for[number].startswith("@") and number < len(looked_for) - 1:
                what = f"{looked_for[number]!r} answers everything."
                raise self._document.error((*path, number), what, "It has to stand last.")

    def _wrong_last(self, path: Path, name: str, app: str) -> ConfigError:
        path = (*path, "try")
        if app and name in self._apps:
            return self._document.error(
                path, f"`app` is {app!r}, and `try` ends with {name!r}.", 'Leave one out, or write "@app".'
            )
        if name == "app":
            return self._document.error(
                path, '"@app" is the `app` of this route, and it has none.', "Add it."
            )
        return self._no_app(path, name)

    def _declare(self, path: Path, app: str) -> None:
        """Each application that a route names has an AppSpec."""
        if app in self._apps:
            return
        if ":" not in app:
            raise self._no_app(path, app)
        self._check_name(path, app, False)
        self._apps[app] = AppSpec(app, use=app, where=self._document.where(path))

    def _middleware(self, path: Path, item: str | Mapping[str, Any]) -> MiddlewareSpec:
        where = self._document.where(path)
        if isinstance(item, str):
            return self._known(path, MiddlewareSpec(item, where=where))
        values = self._values(path, item, MIDDLEWARE_KEYS, "a middleware")
        if "use" not in values:
            raise self._document.error(path, "This middleware has no name.", 'Add use = "name".')
        options = values.get("options", {})
        written = self._document.text_at((*path, "options")) if options else {}
        return self._known((*path, "use"), MiddlewareSpec(values["use"], options, where, written))

    def _known(self, path: Path, spec: MiddlewareSpec) -> MiddlewareSpec:
        if ":" not in spec.name and spec.name not in MIDDLEWARE:
            mend = did_you_mean(spec.name, MIDDLEWARE)
            mend = mend or f"Ours are {', '.join(MIDDLEWARE)}; others are module:callable."
            raise self._document.error(path, f"There is no middleware {spec.name!r}.", mend)
        return spec

    def _static(self, path: Path, values: dict[str, Any]) -> StaticOptions:
        try:
            return StaticOptions(**values)
        except (ValueError, ConfigError) as error:
            said = error.what if isinstance(error, ConfigError) else str(error)
            guilty = [name for name in values if name in said]
            mend = error.mend if isinstance(error, ConfigError) else ""
            raise self._document.error((*path, *guilty[:1]), said, mend) from error

    def _limit(self, path: Path, values: dict[str, Any]) -> int | None:
        if "limit_request_body" not in values:
            return None
        path = (*path, "limit_request_body")
        try:
            size = shapes.bytes_of(values["limit_request_body"])
        except shapes.Misfit as misfit:
            raise self._document.error(path, str(misfit)) from misfit
        self._check_range(path, size)
        return size

    def _timeout(self, path: Path, values: dict[str, Any]) -> float | None:
        seconds: float | None = values.get("request_timeout")
        if seconds is not None:
            self._check_range((*path, "request_timeout"), seconds)
        return seconds

    def _check_range(self, path: Path, number: float) -> None:
        """As the server's option of that name."""
        least, most = RANGES[str(path[-1])]
        if not least <= number <= most:
            raise self._document.error(path, f"{number:g} is not between {least:g} and {most:g}.")

    # Tables

    def _values(
        self, path: Path, table: Any, keys: Mapping[str, tuple[Any, str]], section: str
    ) -> dict[str, Any]:
        """The table's values, with the types that they should have, under their names with underscores."""
        if not isinstance(table, dict):
            raise self._document.error(
                path,
                f"This is {shapes.shown(table)}, not a table.",
                f"Write {section}, and its keys below it.",
            )
        values: dict[str, Any] = {}
        for key, value in table.items():
            name = key.replace("-", "_")
            if name not in keys:
                raise self._unknown((*path, key), keys, section)
            if name in values:
                raise self._document.error((*path, key), f"{name!r} is set twice, with a hyphen and without.")
            hint, help_ = keys[name]
            written = self._document.text_at((*path, key))
            if isinstance(written, str) and "${" in written:
                value = shapes.from_text(value, hint)
            try:
                values[name] = shapes.conform(value, hint)
            except shapes.Misfit as misfit:
                told = self._document.masked((*path, key), str(misfit)) if name == "options" else str(misfit)
                raise self._document.error((*path, key, *misfit.path), f"{key}: {told}", help_) from misfit
        return values

    def _unknown(self, path: Path, keys: Mapping[str, Any], section: str) -> ConfigError:
        name = str(path[-1])
        if name.replace("-", "_") in options_by_name():
            mend = "It is an option of the server: those stand above the first section."
            return self._document.error(path, f"Unknown key {name!r} in {section}.", mend)
        return self._document.unknown(
            path, keys, f"Unknown key {name!r} in {section}.", "docs/configuration.md has all keys."
        )
