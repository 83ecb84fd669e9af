"""lint: each rule of PEP 3333 that an application or a server can break, and the place that is named."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pronghorn.apps.middleware.lint import Lint, LintError, place_of
from tests.apps.middleware.calling import App, Called
from tests.serving import serving

PLAIN = [("Content-Type", "text/plain")]


def answering(*arguments: Any, result: Any = (), **keywords: Any) -> Any:
    """An application that calls start_response like this and returns this."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(*arguments, **keywords)
        return list(result) if result == () else result

    return app


def doing(action: Callable[[dict[str, Any], Any], Any], status: str = "200 OK") -> Any:
    """An application that does this after start_response; what it gives is the result, or an empty list."""

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        write = start_response(status, PLAIN)
        return action(environ, write) or []

    return app


def broken(app: Any, **extra: Any) -> LintError:
    with pytest.raises(LintError) as caught:
        Called(Lint(app), check=False, **extra)
    return caught.value


def fields(*fields: Any) -> Any:
    return answering("200 OK", list(fields))


def length(value: str, *blocks: bytes) -> Any:
    return answering("200 OK", [*PLAIN, ("Content-Length", value)], result=list(blocks))


def twice(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", PLAIN)
    start_response("200 OK", PLAIN)


def writes_while_yielding(environ: Any, start_response: Any) -> Any:
    write = start_response("200 OK", PLAIN)
    yield b"a"
    write(b"b")


def yields_too_early(environ: Any, start_response: Any) -> Any:
    yield b"a"
    start_response("200 OK", PLAIN)


BROKEN = [
    # start_response
    (answering("200 OK"), "takes two or three positional arguments"),
    (answering("200 OK", PLAIN, None, 1), "takes two or three positional arguments"),
    (answering("200 OK", headers=PLAIN), "takes two or three positional arguments"),
    (answering("500 Oops", PLAIN, ValueError()), "exc_info is ValueError"),
    (twice, "again without exc_info"),
    (answering(200, PLAIN), "The status is int"),
    (answering(b"200 OK", PLAIN), "The status is bytes"),
    (answering("200", PLAIN), "The status '200' is not three digits"),
    (answering("200OK", PLAIN), "not three digits"),
    (answering("20 OK", PLAIN), "not three digits"),
    (answering("100 Continue", PLAIN), "not three digits from 200 to 599"),
    (answering("200 OK\r\nX: y", PLAIN), "not three digits"),
    (answering("٢٠٠ OK", PLAIN), "not three digits"),
    (answering("200 OK", tuple(PLAIN)), "The headers are tuple, not a list"),
    (answering("200 OK", dict(PLAIN)), "The headers are dict, not a list"),
    (fields(["X", "y"]), "is not a tuple of name and value"),
    (fields(("X", "y", "z")), "is not a tuple of name and value"),
    (fields((b"X", "y")), "name b'X' is bytes"),
    (fields(("X", 1)), "The value of X is int"),
    (fields(("X-Y ", "z")), "is no token"),
    (fields(("X:Y", "z")), "is no token"),
    (fields(("", "z")), "is no token"),
    (fields(("X", "a\nb")), "control character"),
    (fields(("X", " a")), "space at an end"),
    (fields(("X", "€")), "beyond latin-1"),
    (fields(("Status", "200")), "header of CGI"),
    (fields(("Connection", "close")), "Connection is the server's to set"),
    (fields(("transfer-encoding", "chunked")), "the server's to set"),
    (fields(("Content-Length", "1"), ("content-length", "1")), "repeated or no number"),
    (fields(("Content-Length", "-1")), "repeated or no number"),
    (fields(("Content-Length", "٣".encode().decode("latin-1"))), "repeated or no number"),
    (fields(*PLAIN, *PLAIN), "Content-Type is repeated"),
    (answering("204 No Content", [("Content-Length", "0")]), "204 must not have a Content-Length"),
    # the result
    (lambda environ, start_response: None, "returned None"),
    (answering("200 OK", PLAIN, result="text"), "returned str"),
    (answering("200 OK", PLAIN, result=b"octets"), "returned bytes"),
    (answering("200 OK", PLAIN, result=7), "returned int"),
    (answering("200 OK", PLAIN, result=["text"]), "A block of the response is str"),
    (answering("200 OK", PLAIN, result=[bytearray(b"x")]), "A block of the response is bytearray"),
    (lambda environ, start_response: [b"x"], "not called before the first content"),
    (lambda environ, start_response: [], "not called before the first content"),
    (yields_too_early, "not called before the first content"),
    (answering("204 No Content", [], result=[b"x"]), "A 204 has content"),
    (answering("304 Not Modified", [], result=[b"x"]), "A 304 has content"),
    (length("1", b"ab"), "There are 2 octets of content, and Content-Length says 1"),
    (length("3", b"ab"), "only 2 octets of content, and Content-Length says 3"),
    # write()
    (doing(lambda environ, write: write("text")), "A block of the response is str"),
    (doing(lambda environ, write: write(b"a", b"b")), "write() takes one block"),
    (doing(lambda environ, write: write(b"a"), status="304 Not Modified"), "A 304 has content"),
    (writes_while_yielding, "from within the result's iteration"),
    # the streams
    (doing(lambda environ, write: environ["wsgi.input"].read()), "without a size may wait for ever"),
    (doing(lambda environ, write: environ["wsgi.input"].read("7")), "read() takes a size"),
    (doing(lambda environ, write: environ["wsgi.input"].readline(1, 2)), "readline() takes a size"),
    (doing(lambda environ, write: environ["wsgi.input"].readlines("x")), "readlines() takes a size"),
    (doing(lambda environ, write: environ["wsgi.input"].close()), "wsgi.input.close is not among"),
    (doing(lambda environ, write: environ["wsgi.input"].seek(0)), "wsgi.input.seek is not among"),
    (doing(lambda environ, write: environ["wsgi.errors"].write(b"x")), "wsgi.errors.write() takes one str"),
    (doing(lambda environ, write: environ["wsgi.errors"].writelines([1])), "wsgi.errors.write() takes one str"),
    (doing(lambda environ, write: environ["wsgi.errors"].close()), "wsgi.errors.close is not among"),
]  # fmt: skip


@pytest.mark.parametrize(("app", "said"), BROKEN)
def test_an_application_that_breaks_a_rule(app: Any, said: str) -> None:
    error = broken(app)
    assert said in error.rule
    assert __file__ in error.where, "the application's file"
    assert error.where in str(error) and error.mend in str(error)
    assert error.rule[0].isupper() or error.rule[0] in "stwe"


@pytest.mark.parametrize(("app", "said"), BROKEN)
def test_reported_it_goes_on_as_far_as_it_can(app: Any, said: str) -> None:
    errors = io.StringIO()
    try:
        Called(Lint(app, report=True), check=False, **{"wsgi.errors": errors})
    except Exception as error:  # what follows from it, in the test's server or the application
        assert not isinstance(error, LintError)
    assert said in errors.getvalue() and errors.getvalue().startswith("PEP 3333: ")


class TestThePlace:
    def line(self, app: Any) -> str:
        return broken(app).where

    def test_of_a_call_is_the_calls_line(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            assert environ
            start_response("200", [])

        assert self.line(app) == f"File {__file__}, line {app.__code__.co_firstlineno + 2}"

    def test_of_a_generator_is_where_it_stands(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", PLAIN)
            yield b"good"
            yield "bad"

        assert self.line(app) == f"File {__file__}, line {app.__code__.co_firstlineno + 3}"

    def test_of_a_result_is_where_the_application_is_defined(self) -> None:
        assert self.line(App(status="200 OK", fields=[("Content-Length", "1")])).endswith(
            f"calling.py, line {App.__call__.__code__.co_firstlineno}"
        )
        assert "calling.py" in place_of(App().__call__)
        assert place_of(len) == repr(len)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"wsgi.run_once": None}, "environ lacks wsgi.run_once"),
        ({"SERVER_NAME": None}, "environ lacks SERVER_NAME"),
        ({"HTTP_CONTENT_LENGTH": "1"}, "environ has HTTP_CONTENT_LENGTH"),
        ({"HTTP_X": 1}, "environ's HTTP_X is int"),
        ({"HTTP_X": "€"}, "HTTP_X has characters beyond latin-1"),
        ({"wsgi.version": "1.0"}, "wsgi.version must be (1, 0)"),
        ({"wsgi.url_scheme": b"http", "SERVER_PORT": "80"}, "wsgi.url_scheme is b'http'"),
        ({"REQUEST_METHOD": "GE T"}, "REQUEST_METHOD is 'GE T'"),
        ({"SERVER_PORT": ""}, "SERVER_PORT is empty"),
        ({"CONTENT_LENGTH": "-1"}, "CONTENT_LENGTH is '-1'"),
        ({"SCRIPT_NAME": "/"}, "SCRIPT_NAME is '/'"),
        ({"SCRIPT_NAME": "x"}, "SCRIPT_NAME is 'x'"),
        ({"PATH_INFO": "x"}, "PATH_INFO is 'x'"),
        ({"SCRIPT_NAME": "", "PATH_INFO": ""}, "are both empty"),
        ({"wsgi.input": object()}, "wsgi.input has no read()"),
        ({"wsgi.errors": object()}, "wsgi.errors has no write()"),
    ],
)
def test_an_environ_that_breaks_a_rule(extra: dict[str, Any], said: str) -> None:
    error = broken(App(), **extra)
    assert said in error.rule and "the server" in error.where


class TestTheServersSide:
    def result(self, errors: Any = None) -> Any:
        environ = Called(Lint(App())).environ
        if errors is not None:
            environ["wsgi.errors"] = errors
        return Lint(App(b"a"))(environ, lambda *_: None)

    def test_environ_must_be_a_dict(self) -> None:
        class Other(dict[str, Any]):
            pass

        with pytest.raises(LintError, match="must be a dict itself"):
            Lint(App())(Other(Called(Lint(App())).environ), lambda *_: None)

    def test_two_positional_arguments(self) -> None:
        with pytest.raises(LintError, match="two positional arguments"):
            Lint(App())({}, start_response=None)

    def test_closed_twice(self) -> None:
        result = self.result()
        result.close()
        with pytest.raises(LintError, match="called twice"):
            result.close()

    def test_read_after_close(self) -> None:
        result = self.result()
        result.close()
        with pytest.raises(LintError, match="after close"):
            next(result)

    def test_iterated_twice(self) -> None:
        result = self.result()
        assert list(result) == [b"a"]
        with pytest.raises(LintError, match="iterated over twice"):
            iter(result)
        result.close()

    def test_never_closed(self) -> None:
        errors = io.StringIO()
        list(self.result(errors))
        assert "close() of the result was never called" in errors.getvalue()


def bare(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [])
    return ()


def replaces(environ: Any, start_response: Any) -> Any:
    start_response("200 OK", [*PLAIN, ("Content-Length", "9")])
    try:
        raise ValueError
    except ValueError:
        start_response("500 Oops", PLAIN, sys.exc_info())
    return [b"failed"]


def reads(environ: Any, start_response: Any) -> Any:
    stream = environ["wsgi.input"]
    read = [stream.read(3), stream.readline(), stream.readline(4), *stream.readlines(), *stream]
    environ["wsgi.errors"].write("ä")
    environ["wsgi.errors"].writelines(["a", "b"])
    environ["wsgi.errors"].flush()
    start_response("200 OK", PLAIN)
    return read


@pytest.mark.parametrize(
    "app",
    [bare, replaces, reads, App(), length("5", b"he", b"llo"), answering("404 ", []), answering("204 No Content", []),
     answering("304 Not Modified", [("ETag", '"1"'), ("Content-Length", "5")]), answering("200 OK", PLAIN, None),
     fields(("X", "")), fields(("X", "\xe4")), fields(("X", "a\tb")), fields(("Set-Cookie", "a"), ("Set-Cookie", "b"))],
)  # fmt: skip
def test_those_that_break_none_are_left_in_peace(app: Any) -> None:
    errors = io.StringIO()
    Called(
        Lint(app), check=False, **{"wsgi.errors": errors, "wsgi.input": io.BytesIO(b"abc\ndef\nghi\njkl\n")}
    )
    assert errors.getvalue() in ("", "äab")


def test_head_may_say_the_length_of_get() -> None:
    Called(Lint(length("5")), check=False, REQUEST_METHOD="HEAD")


def test_through_the_server() -> None:
    with serving(Lint(App())) as server:
        assert server.get("/").body == b"hello"
        assert server.log == ""
    with serving(Lint(fields(("Connection", "close")))) as server:
        assert server.get("/").status == 500
        assert "Connection is the server's to set" in server.log and f"File {__file__}, line " in server.log
