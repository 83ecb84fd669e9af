"""--health: one path, answered without the application."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.validate import validator

import pytest

from pronghorn.apps.health import Health
from pronghorn.apps.own_path import as_path_info
from pronghorn.serve.worker import Worker
from tests.serving import serving


class App:
    """Notes what it is called with."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen.append(environ)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"the application"]


class Called:
    """What one call leads to."""

    def __init__(self, app: Any, method: str = "GET") -> None:
        self.environ = {"REQUEST_METHOD": method, "PATH_INFO": "/health", "SCRIPT_NAME": ""}
        self.result = app(self.environ, self.start_response)

    def start_response(self, status: str, fields: list[tuple[str, str]]) -> None:
        self.status, self.fields = status, dict(fields)


def before(path: str, ready: Callable[[], bool]) -> Callable[[Worker], None]:
    """What a worker needs to answer this itself."""

    def prepare(worker: Worker) -> None:
        worker.application.own = {as_path_info(path): validator(Health(ready))}

    return prepare


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("ready", "status", "body"),
    [(True, "200 OK", b"ok\n"), (False, "503 Service Unavailable", b"draining\n")],
)
def test_it_says_whether_requests_are_welcome(method: str, ready: bool, status: str, body: bytes) -> None:
    called = Called(Health(lambda: ready), method)
    assert called.status == status
    assert called.fields == {
        "Content-Type": "text/plain",
        "Content-Length": str(len(body)),
        "Cache-Control": "no-store",
    }
    assert b"".join(called.result) == (body if method == "GET" else b"")


def test_it_asks_each_time() -> None:
    answers = iter([True, False, True])
    health = Health(lambda: next(answers))
    assert [Called(health).status[:3] for _ in range(3)] == ["200", "503", "200"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(method: str) -> None:
    called = Called(Health(lambda: True), method)
    assert called.status == "405 Method Not Allowed"
    assert called.fields["Allow"] == "GET, HEAD"
    assert called.fields["Content-Length"] == str(len(b"".join(called.result)))


@pytest.mark.parametrize("path", ["/", "/health/", "/healthy", "/Health", "//health", "/x/health"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everything_else_is_the_applications(path: str, method: str) -> None:
    app = App()
    with serving(app, prepare=before("/health", lambda: False)) as server:
        assert server.get(path, method=method).body == b"the application"
    assert [environ["PATH_INFO"] for environ in app.seen] == [path]


def test_a_path_beyond_ascii() -> None:
    with serving(App(), prepare=before("/größe", lambda: True)) as server:
        assert server.get("/gr%C3%B6%C3%9Fe").body == b"ok\n"


def test_through_the_server() -> None:
    ready = True
    app = App()
    with serving(validator(app), prepare=before("/-/health", lambda: ready)) as server:
        answer = server.get("/-/health?verbose=1")
        assert (answer.status, answer.body) == (200, b"ok\n")
        head = server.get("/-/health", method="HEAD")
        assert (head.status, head.body, head.one("content-length")) == (200, b"", "3")
        ready = False
        assert server.get("/-/health").status == 503
        posted = server.get("/-/health", method="POST", body=b"x")
        assert (posted.status, posted.one("allow")) == (405, "GET, HEAD")
        assert app.seen == []
        assert server.get("/").body == b"the application"
        assert server.log == ""


def test_an_applications_mistake_is_not_laid_at_our_door() -> None:
    """The log names the application's own file."""

    def wrong(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [])
        return ["text"]

    with serving(wrong, prepare=before("/health", lambda: True)) as server:
        assert server.get("/").status == 500
        assert f"{__file__}:{wrong.__code__.co_firstlineno}" in server.wait_for_log("must be bytes")
