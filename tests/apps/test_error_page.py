"""The page of a development server whose new code fails: complete, escaped, and never stored."""

import re
import sys
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from wsgiref.validate import validator

import pytest

from pronghorn.apps.error_page import ErrorPage
from pronghorn.apps.load import load
from pronghorn.errors import ApplicationLoadError
from tests.serving import serving

BROWSER = "Accept: text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"

Broken = Callable[..., ErrorPage]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broken]:
    """The page for a module `shop` with this text."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def page(text: str, spec: str = "shop:app", **others: str) -> ErrorPage:
        for name, other in {"shop": text, **others}.items():
            (tmp_path / f"{name}.py").write_text(other)
        with pytest.raises(ApplicationLoadError) as caught:
            load(spec)
        return ErrorPage(caught.value)

    yield page
    for name in set(sys.modules) - before:
        del sys.modules[name]


class Called:
    def __init__(self, page: ErrorPage, accept: str | None = None, method: str = "GET") -> None:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
        if accept is not None:
            environ["HTTP_ACCEPT"] = accept
        self.body = b"".join(page(environ, self.start_response))
        self.text = self.body.decode()

    def start_response(self, status: str, fields: list[tuple[str, str]]) -> None:
        self.status, self.fields = status, dict(fields)


def both(page: ErrorPage) -> list[str]:
    """What is to be read, as text and as the page."""
    return [Called(page).text, unescape(Called(page, "text/html").text)]


def test_it_shows_what_where_and_how_to_mend(broken: Broken, tmp_path: Path) -> None:
    for shown in both(broken("import nowhere_at_all\n")):
        assert "shop imports 'nowhere_at_all', which cannot be found." in shown
        assert f"File {tmp_path / 'shop.py'}, line 1: import nowhere_at_all" in shown
        assert "--pythonpath DIR" in shown
        assert "Mend it and save" in shown


def test_it_shows_the_users_frames_and_no_others(broken: Broken, tmp_path: Path) -> None:
    page = broken("import stock\n", stock="def count():\n    return {}['apples']\ncount()\n")
    for shown in both(page):
        files = re.findall(r'File "(.*?)", line (\d+), in (.*)', shown)
        assert files == [
            (str(tmp_path / "shop.py"), "1", "<module>"),
            (str(tmp_path / "stock.py"), "3", "<module>"),
            (str(tmp_path / "stock.py"), "2", "count"),
        ]
        assert "Traceback (most recent call last):" in shown and "KeyError: 'apples'" in shown
        assert "return {}['apples']" in shown
        assert "--log-level" not in shown, "the traceback is here"


def test_a_chain_of_exceptions_has_no_frames_of_ours_either(broken: Broken) -> None:
    page = broken(
        "import importlib\ntry:\n    importlib.import_module('nowhere_at_all')\n"
        "except ImportError as error:\n    raise RuntimeError('no settings') from error\n"
    )
    for shown in both(page):
        assert "nowhere_at_all" in shown and "direct cause" in shown and "no settings" in shown
        assert (
            "importlib/__init__.py" not in shown and "<frozen" not in shown and "pronghorn/apps" not in shown
        )


def test_a_group_of_exceptions(broken: Broken) -> None:
    for shown in both(broken("raise ExceptionGroup('both', [ValueError('one'), KeyError('two')])\n")):
        assert "ValueError: one" in shown and "KeyError: 'two'" in shown


def test_a_syntax_error_shows_the_line(broken: Broken, tmp_path: Path) -> None:
    for shown in both(broken("x = 1\ndef app(:\n    pass\n")):
        assert "shop has a syntax error" in shown
        assert f'File "{tmp_path / "shop.py"}", line 2\n    def app(:\n' in shown
        assert "^" in shown and "importlib" not in shown


def test_without_a_cause_there_is_no_traceback() -> None:
    page = ErrorPage(ApplicationLoadError("'shop' is a path.", mend="Did you mean `shop`?"))
    for shown in both(page):
        assert "'shop' is a path." in shown and "Did you mean `shop`?" in shown
        assert "Traceback" not in shown and "None" not in shown
    assert 'class="where"' not in Called(page, "text/html").text


def test_it_keeps_no_frames() -> None:
    class Big:
        pass

    import gc
    import weakref

    def fails() -> weakref.ref[Big]:
        big = Big()
        raise ValueError(weakref.ref(big))

    def page_and_ref() -> tuple[ErrorPage, "weakref.ref[Big]"]:
        try:
            fails()
        except ValueError as error:
            told = ApplicationLoadError("no")
            told.__cause__ = error
            return ErrorPage(told), error.args[0]
        raise AssertionError

    page, big = page_and_ref()
    gc.collect()
    assert big() is None and Called(page).status.startswith("500")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "plain"),
        ("*/*", "plain"),
        ("application/json", "plain"),
        ("text/html", "html"),
        ("Text/HTML;q=0.9", "html"),
        (BROWSER.removeprefix("Accept: "), "html"),
    ],
)
def test_its_head(accept: str | None, kind: str, method: str, broken: Broken) -> None:
    page = broken("raise ValueError('größe')\n")
    whole = Called(page, accept).body
    called = Called(page, accept, method)
    assert called.status == "500 Internal Server Error"
    assert called.fields["Content-Type"] == f"text/{kind}; charset=utf-8"
    assert called.fields["Content-Length"] == str(len(whole))
    assert called.fields["Cache-Control"] == "no-store"
    assert called.body == (b"" if method == "HEAD" else whole)
    assert "größe".encode() in whole


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attributes


def test_all_is_escaped() -> None:
    bad = "<script>alert('1')</script>\"&amp;{headline}"
    cause = ValueError(bad)
    error = ApplicationLoadError(bad, where=bad, mend=bad)
    error.__cause__ = cause
    page = Called(ErrorPage(error), "text/html").text
    assert "script" not in Tags(page).tags
    assert unescape(page).count(bad) == 4


def test_it_stands_alone_and_asks_again(broken: Broken) -> None:
    page = Tags(Called(broken("1 / 0\n"), "text/html").text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not {"src", "href"} & {name for name, _ in page.attributes}
    assert ("http-equiv", "refresh") in page.attributes and ("content", "1") in page.attributes


def test_what_utf_8_does_not_have_is_escaped() -> None:
    page = ErrorPage(ApplicationLoadError("File '/srv/\udcff.py'"))
    assert "/srv/\\udcff.py" in Called(page).text


def test_through_the_server(broken: Broken) -> None:
    page = broken("1 / 0\n")
    with serving(validator(page)) as server:
        for fields in ((), (BROWSER,)):
            answer = server.get("/any/where", *fields)
            assert answer.status == 500 and b"ZeroDivisionError: division by zero" in answer.body
            head = server.get("/any/where", *fields, method="HEAD")
            assert (head.body, head.one("content-length")) == (b"", str(len(answer.body)))
        assert server.get("/", method="POST", body=b"x" * 100_000).status == 500
        assert server.log == ""
