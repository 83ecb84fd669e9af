"""What every middleware has to leave as it is: close(), exc_info, write(), wsgi.file_wrapper, streaming."""

import os
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import Any
from wsgiref.validate import validator

import pytest

from pronghorn.apps.middleware import registry
from pronghorn.apps.middleware.basic_auth import BasicAuth
from pronghorn.apps.middleware.gzip import Gzip
from pronghorn.apps.middleware.lint import Lint
from pronghorn.apps.middleware.proxy_fix import ProxyFix
from pronghorn.apps.middleware.request_id import RequestId
from pronghorn.apps.static.sendfile import SendFile
from tests.apps.middleware.calling import Called, Closing
from tests.serving import CutOff, serving

# Of "secret", at no cost.
CHEAP = "pbkdf2:sha256:1$salt$" + pbkdf2_hmac("sha256", b"secret", b"salt", 1).hex()
AUTHORIZED = "Basic YW5uOnNlY3JldA=="  # ann:secret

MIDDLEWARES = {
    "request-id": RequestId,
    "sendfile": partial(SendFile, roots=[tempfile.gettempdir()]),
    "proxy-fix": partial(ProxyFix, trusted=["127.0.0.1"]),
    "gzip": Gzip,
    "lint": Lint,
    "basic-auth": partial(BasicAuth, users={"ann": CHEAP}),
}
HTML = [("Content-Type", "text/html")]


def test_the_registry_has_them_all() -> None:
    assert list(registry.NAMES) == list(MIDDLEWARES)
    for name, made in MIDDLEWARES.items():
        assert registry.NAMES[name] is getattr(made, "func", made)


@pytest.fixture(params=MIDDLEWARES)
def middleware(request: pytest.FixtureRequest) -> Any:
    return MIDDLEWARES[request.param]


def call(app: Any, **extra: Any) -> Called:
    return Called(app, HTTP_AUTHORIZATION=AUTHORIZED, **extra)


class TestCalled:
    def test_close_is_called_once(self, middleware: Any) -> None:
        result = Closing([b"a", b"b"])

        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", HTML)
            return result

        assert call(middleware(app)).body == b"ab"
        assert result.closed == 1

    def test_close_is_called_when_the_iteration_fails(self, middleware: Any) -> None:
        def blocks() -> Iterable[bytes]:
            yield b"a"
            raise OSError

        result = Closing(blocks())

        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", HTML)
            return result

        with pytest.raises(OSError):
            call(middleware(app))
        assert result.closed == 1

    def test_exc_info_replaces_a_response_that_has_not_begun(self, middleware: Any) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain"), ("X-Old", "1")])
            try:
                raise ValueError
            except ValueError:
                start_response("500 Oops", HTML, sys.exc_info())
            return [b"failed"]

        called = call(middleware(app))
        assert called.status == "500 Oops"
        assert called.one("content-type") == "text/html" and called.one("x-old") is None
        assert called.body == b"failed"

    @pytest.mark.parametrize("accepts", ["", "gzip"])
    def test_exc_info_is_raised_when_it_has(self, middleware: Any, accepts: str) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", HTML)
            yield b"begun" * 1000
            try:
                raise ZeroDivisionError
            except ZeroDivisionError:
                start_response("500 Oops", HTML, sys.exc_info())
            yield b"failed"

        with pytest.raises(ZeroDivisionError):
            call(middleware(app), HTTP_ACCEPT_ENCODING=accepts)

    def test_a_second_start_response_is_for_the_server_to_refuse(self, middleware: Any) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", HTML)
            start_response("200 OK", HTML)
            return [b"x"]

        with serving(middleware(app)) as server:
            answer = server.get("/", f"Authorization: {AUTHORIZED}", "Accept-Encoding: gzip")
            assert answer.status == 500
            server.wait_for_log("start_response() was called again without exc_info")

    def test_write_and_a_result(self, middleware: Any) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            write = start_response("200 OK", HTML)
            write(b"a")
            write(b"b")
            return [b"c"]

        assert call(middleware(app)).body == b"abc"

    def test_a_generator_begins_with_its_first_block(self, middleware: Any) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", HTML)
            yield b"a"
            yield b"b"

        called = call(middleware(app))
        assert (called.status, called.body) == ("200 OK", b"ab")

    def test_a_file_wrapper_stays_one(self, middleware: Any) -> None:
        class FileWrapper:
            def __init__(self, file: Any) -> None:
                self.file = file

            def __iter__(self) -> Any:
                yield b"content"

        given = []

        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "image/png")])
            given.append(environ["wsgi.file_wrapper"](None))
            return given[0]

        environ = call(empty).environ | {
            "wsgi.file_wrapper": FileWrapper,
            "HTTP_AUTHORIZATION": AUTHORIZED,
        }
        assert middleware(app)(environ, lambda *_: None) is given[0]


def empty(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", HTML)
    return []


class TestServed:
    """All of them at once, in a real server."""

    def test_each_kind_of_result(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_bytes(os.urandom(300_000))

        def app(environ: Any, start_response: Any) -> Any:
            path = environ["PATH_INFO"]
            kind = "image/png" if path == "/file" else "text/plain"
            write = start_response("200 OK", [("Content-Type", kind)])
            if path == "/write":
                write(b"written ")
                return [b"and returned"]
            if path == "/file":
                return environ["wsgi.file_wrapper"](file.open("rb"))
            if path == "/posted":
                return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]
            return (b"%d " % number for number in range(3))

        stack = app
        for middleware in MIDDLEWARES.values():
            stack = middleware(stack)
        auth = f"Authorization: {AUTHORIZED}"
        with serving(stack, threads=2) as server:
            assert server.get("/", auth).body == b"0 1 2 "
            assert server.get("/write", auth).body == b"written and returned"
            assert server.get("/file", auth).body == file.read_bytes()
            assert server.get("/posted", auth, method="POST", body=b"sent").body == b"sent"
            assert server.get("/", auth, method="HEAD").body == b""
            assert server.get("/").status == 401
            assert server.log == ""

    def test_with_the_validator_between(self) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"hello " * 1000]

        stack: Any = validator(app)
        for middleware in MIDDLEWARES.values():
            stack = validator(middleware(stack))
        with serving(stack) as server:
            auth = f"Authorization: {AUTHORIZED}"
            assert server.get("/", auth).body == b"hello " * 1000
            assert len(server.get("/", auth, "Accept-Encoding: gzip").body) < 200
            assert server.log == ""

    def test_a_response_that_fails_on_its_way_is_cut_off(self, middleware: Any) -> None:
        def app(environ: Any, start_response: Any) -> Any:
            start_response("200 OK", [("Content-Type", "text/plain")])
            yield b"begun"
            raise OSError

        with serving(middleware(app)) as server:
            with pytest.raises(CutOff):
                server.get("/", f"Authorization: {AUTHORIZED}", "Accept-Encoding: gzip")
            server.wait_for_log("OSError")
