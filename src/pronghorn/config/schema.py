"""A JSON Schema of pronghorn.toml, for editors that complete and check it.

python -m pronghorn.config.schema > docs/pronghorn.schema.json
"""

import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from typing import Any, Literal, Union, get_args, get_origin

from pronghorn.config.check import RANGES
from pronghorn.config.composition import MIDDLEWARE
from pronghorn.config.settings import all_options
from pronghorn.config.tables import APP_KEYS, MIDDLEWARE_KEYS, ROUTE_KEYS, STATIC_KEYS
from pronghorn.option import Option

Schema = dict[str, Any]

_SIZE = {"type": "string", "pattern": r"^[0-9]+[kmgKMG]?$"}
_VARIABLE = {"type": "string", "pattern": r"\$\{"}
"""Whatever has a ${NAME} in it is known when the server starts."""

_SIMPLE = {str: "string", bool: "boolean", int: "integer", float: "number"}


def schema() -> Schema:
    """The whole schema."""
    options = {declared.name: _option(declared, about) for _, declared, about in all_options()}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pronghorn's configuration file",
        "description": "pronghorn.toml, or [tool.pronghorn] of pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **options,
            "apps": {
                "type": "object",
                "description": "Applications by name.",
                "additionalProperties": _table(APP_KEYS),
            },
            "route": {
                "type": "array",
                "description": "What is served where; the longest path wins.",
                "items": _route(),
            },
        },
    }


def text() -> str:
    """As it stands in docs/."""
    return json.dumps(schema(), indent=2, ensure_ascii=False)


def _option(declared: Field[Any], about: Option) -> Schema:
    described = {"description": about.help, "default": _default(declared.default)}
    if about.repeat:
        return {**described, "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string"}]}
    if about.choices:
        return {**described, "anyOf": [{"enum": list(about.choices)}, _VARIABLE]}
    if declared.type is str:
        return {**described, "type": "string"}
    exact: Schema = {"type": _SIMPLE[declared.type]}  # type: ignore[index]
    if declared.name in RANGES:
        exact["minimum"], exact["maximum"] = RANGES[declared.name]
    choices = [exact, _VARIABLE]
    if about.metavar == "BYTES":
        choices.insert(1, _SIZE)
    elif about.parse is not None:
        choices.insert(1, {"const": "auto"})
    return {**described, "anyOf": choices}


def _default(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _table(keys: Mapping[str, tuple[Any, str]]) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            name: {**_or_variable(of(hint)), **({"description": help_} if help_ else {})}
            for name, (hint, help_) in keys.items()
        },
    }


def _or_variable(exact: Schema) -> Schema:
    simple = exact.get("type") in ("boolean", "integer", "number")
    return {"anyOf": [exact, _VARIABLE]} if simple else exact


def _route() -> Schema:
    route = _table({**ROUTE_KEYS, **{name: (hint, "") for name, hint in STATIC_KEYS.items()}})
    middleware = _table(MIDDLEWARE_KEYS)
    middleware["properties"]["use"] = name = {
        **middleware["properties"]["use"],
        "anyOf": [{"enum": list(MIDDLEWARE)}, {"type": "string", "pattern": ":"}],
    }
    named = {"anyOf": name["anyOf"]}
    route["properties"]["middleware"]["items"] = {"anyOf": [named, {**middleware, "required": ["use"]}]}
    route["properties"]["limit_request_body"]["anyOf"] = [{"type": "integer", "minimum": 1}, _SIZE, _VARIABLE]
    return {**route, "anyOf": [{"required": ["app"]}, {"required": ["root"]}]}


def of(hint: Any) -> Schema:
    """What `shapes.conform` accepts for a type."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _SIMPLE:
        return {"type": _SIMPLE[hint]}
    if origin in (Union, types.UnionType):
        choices = [of(arg) for arg in inner if arg is not type(None) and get_origin(arg) is not Callable]
        return choices[0] if len(choices) == 1 else {"anyOf": choices}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": of(inner[1])}
    if origin is not None and issubclass(origin, Sequence):
        several = {"type": "array", "items": of(inner[0])}
        return {"anyOf": [several, {"type": "string"}]} if inner[0] is str else several
    return {}


if __name__ == "__main__":
    print(text())
