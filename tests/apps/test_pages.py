"""Who gets HTML: RFC 9110 section 12.5.1, as far as pages for people need it."""

import pytest

from pronghorn.apps.pages import error_answer, wants_html


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
        ("TEXT/HTML ; q=0.001", True),
        ("text/html;level=1", True),
        ("text/html;q=2", True),
        ("text/html;q=0, text/html;level=1;q=0.5", True),
        ("text/html;q=0", False),
        ("*/*, text/html; Q=0.000", False),
        ("text/html;level=1;q=0;more", False),
        ("text/html-sandboxed", False),
        ("text/plain;x=text/html", False),
        ("*/*", False),
        ("text/*", False),
        ("", False),
    ],
)
def test_accept(accept: str, wanted: bool) -> None:
    environ = {"HTTP_ACCEPT": accept}
    assert wants_html(environ) is wanted
    kind = "text/html" if wanted else "text/plain"
    fields, _ = error_answer("404 Not Found", "Nothing.", environ)
    assert ("Content-Type", f"{kind}; charset=utf-8") in fields


def test_without_the_field() -> None:
    assert not wants_html({})


def test_a_list_without_end_is_not_read_to_its_end() -> None:
    assert not wants_html({"HTTP_ACCEPT": "x/y," * 30_000 + "text/html"})
