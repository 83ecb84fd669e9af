"""PasteDeploy's composites, ours in place of Paste's: urlmap and cascade."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.paste_cascade import Cascade
from pronghorn.apps.paste_places import PasteError
from pronghorn.apps.paste_urlmap import parse_key, urlmap_of
from pronghorn.apps.static.app import Static
from tests.apps.asking import ask


class TestUrlmapKeys:
    @pytest.mark.parametrize(
        ("key", "parsed"),
        [
            ("/", ("", "/")),
            ("/a/", ("", "/a")),
            ("/a//b", ("", "/a/b")),
            ("domain Example.org", ("example.org", "/")),
            ("domain example.org /x", ("example.org", "/x")),
            ("domain example.org port 8080 /x", ("example.org:8080", "/x")),
            ("port 80 domain example.org", ("example.org:80", "/")),
        ],
    )
    def test_parsed(self, key: str, parsed: tuple[str, str]) -> None:
        assert parse_key(key) == parsed

    @pytest.mark.parametrize(
        "key", ["a", "domain", "port 80", "domain a domain b", "/a /b", "domain a port", "domain a port x"]
    )
    def test_refused(self, key: str) -> None:
        with pytest.raises(PasteError):
            parse_key(key)

    def test_a_domain_comes_before_a_longer_path(self) -> None:
        app = urlmap_of({"/long/path": says("path"), "domain example.org": says("domain")})
        assert ask(app, "/long/path", "example.org")[2] == b"domain"
        assert ask(app, "/long/path", "other.org")[2] == b"path"
        assert ask(app, "/", "other.org")[0] == "404 Not Found"

    def test_quick_answers_as_the_call_does(self) -> None:
        class Quick:
            def quick(self, environ: dict[str, Any]) -> Any:
                return says(environ["PATH_INFO"])

            def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
                raise AssertionError

        app: Any = urlmap_of({"/": says("slow"), "domain example.org /q": Quick()})
        environ = {
            "HTTP_HOST": "example.org",
            "PATH_INFO": "/q/a",
            "SCRIPT_NAME": "",
            "wsgi.url_scheme": "http",
        }
        assert app.quick({**environ, "HTTP_HOST": "x"}) is None
        assert ask(app.quick(environ), "")[2] == b"/a"


def says(text: str, status: str = "200 OK") -> Callable[..., Iterable[bytes]]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(status, [("X-By", text)])
        return [text.encode()]

    return app


class Closing:
    """A body that tells whether it was closed; a generator starts its response when it is iterated."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self._start = start_response
        return self

    def __iter__(self) -> Iterator[bytes]:
        self._start(self.status, [])
        yield b"a"
        yield b"b"

    def close(self) -> None:
        self.closed += 1


class TestCascade:
    def test_the_first_that_has_it(self) -> None:
        app = Cascade([says("1", "404 Not Found"), says("2"), says("3")])
        assert ask(app, "/")[2] == b"2"

    def test_the_last_one_answers_in_any_case(self) -> None:
        app = Cascade([says("1", "404 Not Found"), says("2", "404 Not Here")])
        assert ask(app, "/")[::2] == ("404 Not Here", b"2")

    def test_catch(self) -> None:
        app = Cascade([says("1", "405 No"), says("2", "404 No"), says("3")], catch=[405])
        assert ask(app, "/")[::2] == ("404 No", b"2")

    def test_a_response_that_starts_late(self) -> None:
        missing, found = Closing("404 Not Found"), Closing("200 OK")
        assert ask(Cascade([missing, found, says("3")]), "/")[::2] == ("200 OK", b"ab")
        assert (missing.closed, found.closed) == (1, 1)

    @pytest.mark.parametrize("size", [3, 200_000])
    @pytest.mark.parametrize("chunked", [True, False])
    def test_each_reads_the_body_from_its_start(self, size: int, chunked: bool) -> None:
        read: list[int] = []

        def reading(status: str) -> Callable[..., Iterable[bytes]]:
            def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
                read.append(len(environ["wsgi.input"].read()))
                environ["changed"] = environ.get("changed", 0) + 1
                start_response(status, [])
                return [str(environ["changed"]).encode()]

            return app

        length = {"wsgi.input_terminated": True} if chunked else {"CONTENT_LENGTH": str(size)}
        app = Cascade([reading("404 No"), reading("404 No"), reading("200 OK")])
        answer = ask(app, "/", **{"wsgi.input": io.BytesIO(b"x" * size), **length})
        assert (answer[2], read) == (b"1", [size] * 3)

    def test_an_answer_may_change_its_mind_before_it_is_sent(self) -> None:
        def failing(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            start_response("404 Not Found", [])
            try:
                raise ValueError
            except ValueError:
                start_response("500 Oh", [], sys.exc_info())
            return [b"oh"]

        assert ask(Cascade([failing, says("2")]), "/")[::2] == ("500 Oh", b"oh")

    def test_quick(self) -> None:
        class Quick:
            def quick(self, environ: dict[str, Any]) -> Any:
                answers = {"/f": says("file"), "/m": says("none", "404 Not Found")}
                return answers.get(environ["PATH_INFO"])

            def __call__(
                self, environ: dict[str, Any], start_response: Callable[..., Any]
            ) -> Iterable[bytes]:
                raise AssertionError

        app = Cascade([Quick(), says("2")])
        found = app.quick({"PATH_INFO": "/f"})
        assert found is not None
        assert ask(found, "/f")[2] == b"file"
        assert app.quick({"PATH_INFO": "/m"}) is None
        assert app.quick({"PATH_INFO": "/x"}) is None
        assert Cascade([says("1")]).quick({"PATH_INFO": "/f"}) is None

    def test_what_is_wrapped_around_files_is_not_passed_by(self, tmp_path: Path) -> None:
        """A middleware that hands on attributes has `quick`, and is asked all the same."""
        (tmp_path / "a.txt").write_text("secret")

        class Guard:
            def __init__(self, app: Any) -> None:
                self.app = app

            def __getattr__(self, name: str) -> Any:
                return getattr(self.app, name)

            def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
                start_response("401 Unauthorized", [])
                return [b""]

        cascade = Cascade([Guard(Static(str(tmp_path))), says("2")])
        assert cascade.quick({"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/a.txt"}) is None
        assert ask(cascade, "/a.txt")[0] == "401 Unauthorized"
