"""Vary: all that an answer hangs on, in one field (RFC 9110 section 12.5.5)."""

from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static.app import Static
from tests.apps.static.harness import Answer, get, write

HTML = "text/html,*/*;q=0.8"
TEXT = "a line of text that repeats\n" * 100


@pytest.fixture
def site(root: Path) -> Path:
    for name in ("index.html", "packed.js"):
        write(root, name, TEXT)
        write(root, f"{name}.gz", "gz")
    write(root, "404.html", "our own")
    return root


def members(answer: Answer) -> list[str]:
    return sorted(one.strip().lower() for one in (answer.one("vary") or "").split(",") if one)


def test_s17_a_page_is_chosen_by_accept(site: Path) -> None:
    app = Static(site, try_=("$path", "/index.html"))
    for more in ({}, {"range": "bytes=0-1"}, {"if_none_match": "*"}, {"method": "HEAD"}, {"if_match": '"x"'}):
        assert members(get(app, "/deep", accept=HTML, **more)) == ["accept", "accept-encoding"], more
    assert members(get(app, "/deep", accept=HTML, accept_encoding="gzip")) == ["accept", "accept-encoding"]
    assert members(get(app, "/deep", accept=HTML, accept_encoding="*;q=0")) == ["accept", "accept-encoding"]
    assert members(get(app, "/deep", accept="*/*")) == ["accept"]
    assert members(get(app, "/file.txt", accept=HTML)) == []
    assert members(get(app, "/index.html", accept=HTML)) == ["accept-encoding"]


def test_s17_so_is_the_error_page_in_its_place(site: Path) -> None:
    app = Static(site, try_=("$path", "/index.html"), error_pages={404: "/404.html"})
    assert (get(app, "/deep").body, members(get(app, "/deep"))) == (b"our own", ["accept"])
    assert members(get(Static(site, error_pages={404: "/404.html"}), "/deep")) == []


@pytest.mark.parametrize(
    "own,all_of_it",
    [
        ([], ["accept"]),
        ([("vary", "Cookie, Origin")], ["accept", "cookie", "origin"]),
        ([("Vary", "accept")], ["accept"]),
        ([("Vary", "Cookie"), ("Vary", "Accept, Origin")], ["accept", "cookie", "origin"]),
    ],
)
def test_s17_so_is_the_application_in_its_place(
    site: Path, own: list[tuple[str, str]], all_of_it: list[str]
) -> None:
    def application(environ: Any, start_response: Any) -> list[bytes]:
        fields = [("Content-Length", "3"), ("X-Content-Type-Options", "nosniff"), *own]
        start_response("200 OK", fields, None)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"app"]

    app = Static(site, fallback=application, try_=("$path", "/index.html", "@app"))
    assert get(app, "/deep", accept=HTML).body == TEXT.encode()
    for more in ({}, {"method": "HEAD"}, {"accept": "application/json"}):
        assert members(get(app, "/deep", **more)) == all_of_it
    given = sorted(one.strip().lower() for _, value in own for one in value.split(","))
    if len(own) < 2:
        # Where no page could have answered, the application's own word stands.
        for path, method in (("/missing.js", "GET"), ("/deep", "POST")):
            assert members(get(app, path, method=method)) == given
        assert members(get(Static(site, fallback=application), "/deep")) == given


@pytest.mark.parametrize("name", ["Vary", "vary", "VARY"])
def test_s13_vary_of_the_options_is_added_to_ours(site: Path, name: str) -> None:
    app = Static(site, headers={"*.js": {name: "Origin"}})
    for more in ({}, {"if_none_match": "*"}, {"range": "bytes=0-1"}, {"accept_encoding": "gzip"}):
        assert members(get(app, "/packed.js", **more)) == ["accept-encoding", "origin"]
    for more in ({"if_match": '"x"'}, {"range": "bytes=-0"}):
        assert members(get(app, "/packed.js", **more)) == ["accept", "accept-encoding", "origin"]
    write(site, "plain.js", "x")
    assert members(get(app, "/plain.js")) == ["origin"]
