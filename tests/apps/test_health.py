"""--health: one path, answered without the application."""

from collections.abc import Iterable
from typing import Any
from wsgiref.validate import validator

import pytest

from pronghorn.apps.health import Health
from tests.serving import serving


class App:
    """Notes what it is called with."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.result = [b"the application"]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self.result


class Called:
    """What one call leads to."""

    def __init__(self, app: Any, path: str, method: str = "GET", script_name: str = "") -> None:
        self.environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "SCRIPT_NAME": script_name}
        self.result = app(self.environ, self.start_response)

    def start_response(self, status: str, fields: list[tuple[str, str]]) -> None:
        self.status, self.fields = status, dict(fields)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("ready", "status", "body"),
    [(True, "200 OK", b"ok\n"), (False, "503 Service Unavailable", b"draining\n")],
)
def test_it_says_whether_requests_are_welcome(method: str, ready: bool, status: str, body: bytes) -> None:
    app = App()
    called = Called(Health(app, "/health", lambda: ready), "/health", method)
    assert called.status == status
    assert called.fields == {
        "Content-Type": "text/plain",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
    }
    assert b"".join(called.result) == (body if method == "GET" else b"")
    assert app.seen == []


def test_it_asks_each_time() -> None:
    answers = iter([True, False, True])
    health = Health(App(), "/health", lambda: next(answers))
    assert [Called(health, "/health").status[:3] for _ in range(3)] == ["200", "503", "200"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(method: str) -> None:
    app = App()
    called = Called(Health(app, "/health", lambda: True), "/health", method)
    assert called.status == "405 Method Not Allowed"
    assert called.fields["Allow"] == "GET, HEAD"
    assert called.fields["Content-Length"] == str(len(b"".join(called.result)))
    assert app.seen == []


@pytest.mark.parametrize(
    ("path", "script_name"),
    [
        ("/", ""),
        ("/health/", ""),
        ("/healthy", ""),
        ("/Health", ""),
        ("//health", ""),
        ("/x/health", ""),
        ("", ""),
        ("/health", "/mounted"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everything_else_goes_to_the_application_untouched(path: str, script_name: str, method: str) -> None:
    app = App()
    called = Called(Health(app, "/health", lambda: False), path, method, script_name)
    assert called.result is app.result
    assert app.seen == [called.environ] and app.seen[0] is called.environ


def test_a_path_beyond_ascii() -> None:
    called = Called(Health(App(), "/größe", lambda: True), "/größe".encode().decode("latin-1"))
    assert called.result == [b"ok\n"]


def test_through_the_server() -> None:
    ready = True
    health = validator(Health(validator(App()), "/-/health", lambda: ready))
    with serving(health) as server:
        answer = server.get("/-/health?verbose=1")
        assert (answer.status, answer.body) == (200, b"ok\n")
        head = server.get("/-/health", method="HEAD")
        assert (head.status, head.body, head.one("content-length")) == (200, b"", "3")
        ready = False
        assert server.get("/-/health").status == 503
        posted = server.get("/-/health", method="POST", body=b"x")
        assert (posted.status, posted.one("allow")) == (405, "GET, HEAD")
        assert server.get("/").body == b"the application"
        assert server.log == ""
