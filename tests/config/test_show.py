"""`pronghorn config` and `pronghorn routes`: what they print is what is in force."""

import json
from pathlib import Path

import pytest

from pronghorn.config.file import Found, from_file
from pronghorn.config.settings import Settings, all_options
from pronghorn.config.show import as_json, as_toml, as_tree
from pronghorn.config.sources import from_environment, from_flags, merge

FILE = """\
threads = 4
keep_alive = 2.5
name = 'a "quoted" \\ name $${X}'
env = ["A=ä", "B=${SECRET}"]
umask = "027"
pid = "a\\u007f"

[apps.api]
use = "shop.api:create_app"
factory = true
options = { db = "${SECRET}", list = [1, true] }

[apps."bl.og"]
use = "@api"
"""
ROUTES = """
[apps.api]
use = "shop.api:create_app"
factory = true
options = { db = "${SECRET}", list = [1, true] }
[apps.site]
use = "site.wsgi"
[[route]]
path = "/api"
app = "api"
middleware = ["request-id", { use = "m:Timing", options = { tag = "${SECRET}" } }]
limit_request_body = "1m"
request_timeout = 2.5
[[route]]
host = "*.example.org"
root = ["a", "b"]
try = ["$path", "@site"]
listing = true
cache = { "*.js" = "immutable" }
error_pages = { 404 = "/404.html" }
[[route]]
host = "example.org"
app = "m:app"
[[route]]
app = "site"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    return tmp_path


def settings(folder: Path, text: str) -> Settings:
    path = folder / "pronghorn.toml"
    path.write_text(text, encoding="utf-8")
    said = from_file(Found(str(path), "pronghorn.toml"), {"SECRET": "hush"})
    flags = from_flags({"backlog": "7"})
    return merge([flags, from_environment({"PRONGHORN_USER": "anna"}), said.layer], said.composition)


def options_of(settings: Settings) -> dict[str, object]:
    return {name.name: getattr(getattr(settings, group), name.name) for group, name, _ in all_options()}


def test_each_option_has_its_origin(folder: Path) -> None:
    lines = as_toml(settings(folder, 'threads = 4\nlog_level = "debug"\n')).splitlines()
    told = {line.partition(" = ")[0]: line.rpartition(" # ")[2] for line in lines if " = " in line}
    assert list(told) == [declared.name for _, declared, _ in all_options()]
    assert {name: origin for name, origin in told.items() if origin != "default"} == {
        "backlog": "--backlog",
        "threads": "pronghorn.toml:1 (threads)",
        "user": "PRONGHORN_USER",
        "log_level": "pronghorn.toml:2 (log_level)",
    }


@pytest.mark.parametrize("text", [FILE, ROUTES])
def test_what_it_prints_is_a_file_that_means_the_same(text: str, folder: Path) -> None:
    first = settings(folder, text)
    again = settings(folder, as_toml(first))
    assert options_of(again) == options_of(first)
    assert {name: spec.options for name, spec in again.composition.apps.items()} == {
        name: spec.options for name, spec in first.composition.apps.items()
    }
    for one, other in zip(first.composition.routes, again.composition.routes, strict=True):
        assert (one.path, one.host, one.app, one.root, one.try_) == (
            other.path, other.host, other.app, other.root, other.try_,
        )  # fmt: skip
        assert one.static == other.static
        assert [(m.name, m.options) for m in one.middleware] == [
            (m.name, m.options) for m in other.middleware
        ]
        assert (one.limit_request_body, one.request_timeout) == (
            other.limit_request_body,
            other.request_timeout,
        )


def test_what_was_filled_into_options_is_not_shown(folder: Path) -> None:
    text = settings(folder, ROUTES)
    for shown in (as_toml(text), as_json(text), as_tree(text.composition)):
        assert "hush" not in shown and "${SECRET}" in shown


def test_json(folder: Path) -> None:
    told = json.loads(as_json(settings(folder, ROUTES)))
    assert told["options"]["backlog"] == {"value": 7, "origin": "--backlog"}
    assert told["options"]["threads"] == {"value": 8, "origin": "default"}
    assert told["options"]["bind"]["value"] == ["127.0.0.1:8000"]
    assert list(told["apps"]) == ["api", "site"]
    assert told["apps"]["api"] == {
        "use": "shop.api:create_app",
        "factory": True,
        "options": {"db": "${SECRET}", "list": [1, True]},
        "origin": "pronghorn.toml:3 (apps.api.use)",
    }
    assert [route["origin"] for route in told["routes"]] == [
        f"pronghorn.toml:{n} (route)" for n in (8, 14, 21, 24)
    ]
    assert told["routes"][1]["try"] == ["$path", "@app"]


def test_the_tree(folder: Path) -> None:
    lines = as_tree(settings(folder, ROUTES).composition).splitlines()
    assert [line.partition("#")[0].rstrip() for line in lines] == [
        "example.org",
        "  /",
        "    m:app",
        "*.example.org",
        "  /",
        f"    files in {folder}/a, {folder}/b: $path",
        "    else site: site.wsgi",
        "any other host",
        "  /",
        "    site: site.wsgi",
        "  /api",
        "    limit_request_body 1m",
        "    request_timeout 2.5",
        "    request-id",
        '      m:Timing(tag="${SECRET}")',
        '        api: shop.api:create_app(db="${SECRET}", list=[1, true])',
    ]
    assert lines[1].endswith(" # pronghorn.toml:21 (route)")
