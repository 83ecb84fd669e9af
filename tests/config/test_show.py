"""`pronghorn config` and `pronghorn routes`: what they print is what is in force."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pronghorn.apps.paste import file_and_name
from pronghorn.config import command
from pronghorn.config.file import Found, from_file
from pronghorn.config.flags import read
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
ROUTES_BELOW = ROUTES.removesuffix('[[route]]\napp = "site"\n')
"""The root is free for what the command line names."""


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


@pytest.mark.parametrize(
    "text",
    [
        'env = ["A=1", "DB=x:${SECRET}$${Y}"]\n',
        'paste_global = "DB=x:${SECRET}$${Y}"\n',
    ],
)
def test_what_was_filled_into_variables_is_not_shown(text: str, folder: Path) -> None:
    made = settings(folder, text)
    assert "DB=x:hush${Y}" in made.app.env + made.app.paste_global
    for shown in (as_toml(made), as_json(made)):
        assert "hush" not in shown and "DB=x:${SECRET}$${Y}" in shown
    assert options_of(settings(folder, as_toml(made))) == options_of(made)


class TestCommandLines:
    """What `pronghorn config ARGUMENTS` prints, in place of the arguments."""

    @pytest.fixture
    def folder(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        (folder / "b" / "blog.ini").touch()
        (folder / "elsewhere").mkdir()
        monkeypatch.chdir(folder)
        return folder

    def made(self, folder: Path, *arguments: str) -> Settings:
        return command.settings(read(["config", *arguments]), {"SECRET": "hush"}, str(folder))

    def again(self, folder: Path, text: str) -> Settings:
        """What it prints, in a file that lies elsewhere."""
        (folder / "elsewhere" / "printed.toml").write_text(text)
        return self.made(folder, "--config", "elsewhere/printed.toml")

    @pytest.mark.parametrize(
        "file", ["", FILE, ROUTES_BELOW, 'static = ["/s=a"]\n[apps.site]\nuse = "m:app"\n']
    )
    @pytest.mark.parametrize(
        "arguments",
        [
            "",
            "shop:app",
            "shop.wsgi",
            "shop:create_app('a/b',x=1)",
            "site",
            "b/blog.ini",
            "b/blog.ini#main",
            "config:b/blog.ini#site",
            "blog.ini --chdir b --pythonpath lib,../lib --reload --reload-extra-file x.txt",
            "--static /t=a",
            "shop:app --static /t=a --static /=b",
            "shop.wsgi --static /t/=a",
            "b/blog.ini#a:b --static /=b",
            "-e A=$${B} -e C=${SECRET} --access-logformat %(h)s --keep-alive 0.5 --name \\u007f${",
        ],
    )
    def test_it_means_the_same_wherever_it_lies(self, arguments: str, file: str, folder: Path) -> None:
        if file:
            (folder / "pronghorn.toml").write_text(file)
        first = self.made(folder, *arguments.split())
        second = self.again(folder, as_toml(first))
        assert uncommented(as_toml(second)) == uncommented(as_toml(first))
        third = self.again(folder, as_toml(second))
        assert as_toml(third) == as_toml(second) and as_json(third) == as_json(second)
        assert places(second) == places(first) == places(third)
        assert second.process == replace(first.process, reload_extra_file=second.process.reload_extra_file)

    def test_the_application_alone_is_a_route(self, folder: Path) -> None:
        for spec in ("shop.wsgi", "shop:app", "b/blog.ini#a b"):
            text = as_toml(self.made(folder, spec))
            (place,) = places(self.again(folder, text))
            assert place[:2] == ("", "/")
            assert place[2] == (spec if "#" not in spec else f"{folder}/{spec}")

    def test_a_directory_of_the_command_line_is_there_once(self, folder: Path) -> None:
        text = as_toml(self.made(folder, "shop:app", "--static", "/s=a"))
        assert text.count(f"{folder}/a") == 1
        assert "static = []" in text and "--static: each a [[route]] below" in text

    def test_a_comment_stays_on_its_line(self, folder: Path) -> None:
        (folder / "a\nthreads = 0").mkdir()
        made = self.made(folder, "--static", "/s=a\nthreads = 0")
        assert self.again(folder, as_toml(made)).serve == made.serve


def uncommented(text: str) -> str:
    """Without the origins, which begin at a column or behind a longer line."""
    return re.sub(r" +# \S.*$", "", text, flags=re.MULTILINE)


def places(settings: Settings) -> list[tuple[object, ...]]:
    """Where, what, and all that the route says of it."""
    told = []
    for route in settings.composition.routes:
        spec = settings.composition.apps.get(route.app)
        path, section = file_and_name(spec.paste) if spec and spec.paste else ("", "")
        file = os.path.join(os.path.abspath(settings.app.chdir), path) + (f"#{section}" if section else "")
        what = (file if path else spec.use, spec.options, spec.factory) if spec else ("", {}, False)
        wrapped = [(item.name, item.options) for item in route.middleware]
        sizes = (route.limit_request_body, route.request_timeout)
        told.append((route.host, route.path, *what, route.root, route.try_, wrapped, route.static, sizes))
    return told


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
