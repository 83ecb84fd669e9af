"""What is in force, for reading: `pronghorn config` and `pronghorn routes`."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from pronghorn.apps.paste import file_and_name
from pronghorn.apps.static.options import StaticOptions
from pronghorn.config import toml
from pronghorn.config.composition import NOT_IN_NAMES, AppSpec, Composition, MiddlewareSpec, RouteSpec
from pronghorn.config.docs import TITLES, in_units
from pronghorn.config.file import PATHS, absolute
from pronghorn.config.settings import GROUPS, Settings
from pronghorn.option import options_of

_COLUMN = 44
"""Where comments begin, if the line is not longer: arbitrary."""


def as_toml(settings: Settings) -> str:
    """Each option with its origin, then applications and routes: a file that means the same anywhere."""
    composition = _named(settings.composition, _base(settings))
    return "\n".join([*_options(settings), *_apps(composition), *_routes(composition)])


def _options(settings: Settings) -> Iterator[str]:
    for group, options_class in GROUPS.items():
        yield f"{'' if group == 'listen' else chr(10)}# {TITLES[group]}"
        for declared, _ in options_of(options_class):
            yield _option(settings, declared.name, getattr(getattr(settings, group), declared.name))


def _option(settings: Settings, name: str, value: Any) -> str:
    origin = settings.origins.get(name, "default")
    if name == "static" and value:  # Composition has its routes
        value, origin = (), f"{origin}: each a [[route]] below"
    elif name in PATHS:
        value = absolute(value, os.path.abspath("") if name == "chdir" else _base(settings))
    masked = settings.written.get(name)
    shown = toml.value(value, literal=True) if masked is None else toml.value(masked, literal=False)
    return f"{f'{name} = {shown}':{_COLUMN}} {toml.comment(origin)}"


def _base(settings: Settings) -> str:
    """Where relative paths from flags begin."""
    return os.path.abspath(settings.app.chdir)


def _named(composition: Composition, base: str) -> Composition:
    """Each application under a name that a file may use for it."""
    names: dict[str, str] = {}
    apps: dict[str, AppSpec] = {}
    for name, spec in composition.apps.items():
        if spec.paste:
            path, section = file_and_name(spec.paste)
            spec = replace(spec, paste=absolute(path, base) + (f"#{section}" if section else ""))
        if set(name) & NOT_IN_NAMES and not _inline(spec):
            part = name.rpartition("#")[2] or "main"
            simple = "".join("-" if sign in NOT_IN_NAMES else sign for sign in os.path.basename(part))
            while simple in composition.apps or simple in apps:
                simple += "-"
            spec = replace(spec, name=simple)
        names[name] = spec.name
        apps[spec.name] = spec
    routes = tuple(replace(route, app=names.get(route.app, "")) for route in composition.routes)
    return Composition(apps, routes)


def _inline(spec: AppSpec) -> bool:
    """Whether a route may name it without [apps.NAME]."""
    return ":" in spec.name and spec.name == spec.use


def _declared(composition: Composition) -> Iterator[AppSpec]:
    return (spec for spec in composition.apps.values() if not _inline(spec))


def _apps(composition: Composition) -> Iterator[str]:
    for spec in _declared(composition):
        yield f"\n{f'[apps.{toml.key(spec.name)}]':{_COLUMN}} {toml.comment(spec.where)}"
        for key, value in _app_keys(spec).items():
            yield f"{key} = {toml.value(value, literal=key != 'options')}"


def _app_keys(spec: AppSpec) -> dict[str, Any]:
    keys = {"use": spec.use, "paste": spec.paste, "factory": spec.factory, "options": dict(spec.written)}
    return {key: value for key, value in keys.items() if value}


def _routes(composition: Composition) -> Iterator[str]:
    for route in composition.routes:
        yield f"\n{'[[route]]':{_COLUMN}} {toml.comment(route.where)}"
        for key, value in _route_keys(route).items():
            yield f"{key} = {toml.value(value, literal=key != 'middleware')}"


def _route_keys(route: RouteSpec) -> dict[str, Any]:
    keys = {
        "path": route.path,
        "host": route.host,
        "app": route.app,
        "root": route.root,
        "try": route.try_,
        "middleware": [_middleware(item) for item in route.middleware],
        **_changed(route.static),
    }
    keys = {key: value for key, value in keys.items() if value not in ("", (), [])}
    numbers = {"limit_request_body": route.limit_request_body, "request_timeout": route.request_timeout}
    return {**keys, **{key: value for key, value in numbers.items() if value is not None}}


def _middleware(item: MiddlewareSpec) -> Any:
    return {"use": item.name, "options": dict(item.written)} if item.written else item.name


def _changed(options: StaticOptions) -> dict[str, Any]:
    usual = StaticOptions()
    return {
        declared.name: getattr(options, declared.name)
        for declared in fields(StaticOptions)
        if getattr(options, declared.name) != getattr(usual, declared.name)
    }


def as_json(settings: Settings) -> str:
    """The same for programs: {"options": {name: {"value", "origin"}}, "apps": {…}, "routes": […]}."""
    options = {
        declared.name: {
            "value": settings.written.get(declared.name, value),
            "origin": settings.origins.get(declared.name, "default"),
        }
        for declared, _, value in settings.each()
    }
    composition = _named(settings.composition, _base(settings))
    apps = {spec.name: {**_app_keys(spec), "origin": spec.where} for spec in _declared(composition)}
    routes = [{**_route_keys(route), "origin": route.where} for route in composition.routes]
    return json.dumps({"options": options, "apps": apps, "routes": routes}, indent=2, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value) if isinstance(value, set | frozenset) else str(value)


def as_tree(composition: Composition) -> str:
    """Hosts, their paths, and what a request goes through there, from the outside in."""
    hosts: dict[str, list[RouteSpec]] = {}
    for route in composition.routes:
        hosts.setdefault(route.host, []).append(route)
    lines: list[str] = []
    for host in sorted(hosts, key=lambda host: (not host, host.startswith("*"), host)):
        lines.append(host or ("any host" if len(hosts) == 1 else "any other host"))
        for route in sorted(hosts[host], key=lambda route: route.path):
            lines.append(f"  {route.path:{_COLUMN - 2}} # {route.where}")
            lines += _stations(route, composition)
    return "\n".join(lines)


def _stations(route: RouteSpec, composition: Composition) -> Iterator[str]:
    depth = 4
    if route.limit_request_body is not None:
        yield " " * depth + f"limit_request_body {in_units(route.limit_request_body)}"
    if route.request_timeout is not None:
        yield " " * depth + f"request_timeout {route.request_timeout:g}"
    for item in route.middleware:
        yield " " * depth + item.name + _with(item.written)
        depth += 2
    if route.root:
        roots = route.root if isinstance(route.root, tuple) else (route.root,)
        tried = [item for item in route.try_ if item != "@app"]
        yield " " * depth + f"files in {', '.join(roots)}" + (f": {', '.join(tried)}" if tried else "")
    if route.app:
        yield " " * depth + ("else " if route.root else "") + _app(composition.apps[route.app])


def _app(spec: AppSpec) -> str:
    target = spec.paste or (f"{spec.use}({_arguments(spec.written)})" if spec.factory else spec.use)
    return target if spec.name in (spec.use, spec.paste) else f"{spec.name}: {target}"


def _with(options: Mapping[str, Any]) -> str:
    return f"({_arguments(options)})" if options else ""


def _arguments(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={toml.value(value, literal=False)}" for name, value in options.items())
