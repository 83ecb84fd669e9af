"""The schema in docs/ is current, takes what the file takes, and refuses most of what it refuses."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pronghorn.config.schema import schema, text
from pronghorn.config.settings import all_options
from pronghorn.config.tables import APP_KEYS, ROUTE_KEYS, STATIC_KEYS
from tests.config.test_mistakes import MISTAKES
from tests.config.test_show import FILE, ROUTES

DOCS = Path(__file__).parents[2] / "docs"

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}


def valid(value: Any, rule: dict[str, Any]) -> bool:
    """The part of JSON Schema that ours uses."""
    assert rule.keys() <= {
        "$schema", "title", "description", "default", "type", "anyOf", "enum", "const", "pattern", "minimum", "maximum",
        "required", "properties", "additionalProperties", "items",
    }  # fmt: skip
    if "type" in rule and (
        not isinstance(value, TYPES[rule["type"]]) or (isinstance(value, bool) and rule["type"] != "boolean")
    ):
        return False
    checks = [
        "anyOf" not in rule or any(valid(value, inner) for inner in rule["anyOf"]),
        "enum" not in rule or value in rule["enum"],
        "const" not in rule or value == rule["const"],
        "pattern" not in rule or re.search(rule["pattern"], value),
        "minimum" not in rule or value >= rule["minimum"],
        "maximum" not in rule or value <= rule["maximum"],
        "required" not in rule or set(rule["required"]) <= value.keys(),
        "items" not in rule or all(valid(item, rule["items"]) for item in value),
    ]
    if rule.get("type") == "object":
        more = rule.get("additionalProperties", {})
        for key, item in value.items():
            inner = rule.get("properties", {}).get(key, more)
            checks.append(inner is not False and valid(item, inner))
    return all(checks)


def test_the_one_in_docs_is_current() -> None:
    current = (DOCS / "pronghorn.schema.json").read_text(encoding="utf-8")
    assert current == text() + "\n", "run: python -m pronghorn.config.schema > docs/pronghorn.schema.json"


def test_it_has_every_key() -> None:
    properties = json.loads(text())["properties"]
    assert set(properties) == {declared.name for _, declared, _ in all_options()} | {"apps", "route"}
    assert set(properties["apps"]["additionalProperties"]["properties"]) == set(APP_KEYS)
    assert set(properties["route"]["items"]["properties"]) == set(ROUTE_KEYS) | set(STATIC_KEYS)
    assert all(rule["description"] for rule in properties.values())


@pytest.mark.parametrize(
    "right", [FILE, ROUTES, 'workers = "auto"', 'workers = "${N}"', 'max_worker_memory = "1g"', "timeout = 1"]
)
def test_what_is_right(right: str) -> None:
    assert valid(tomllib.loads(right), schema())


SEEN = [
    "unknown option", "unknown section", "section nearly right", "one bracket too few", "one bracket too many",
    "application without a name", "number in quotes", "number for text", "text for a truth value",
    "fraction for a number", "truth value for a number", "array for one value", "no text in an array",
    "size that is none", "choice that is none", "out of range", "application with an unknown key",
    "unknown key of a route", "option below a section", "neither app nor root", "path of a wrong type",
    "option of files of a wrong type", "unknown middleware", "middleware without a name", "middleware without use",
    "limit that is none", "limit out of range",
]  # fmt: skip


@pytest.mark.parametrize("kind", SEEN)
def test_what_an_editor_sees(kind: str) -> None:
    assert not valid(tomllib.loads(MISTAKES[kind][0]), schema())
