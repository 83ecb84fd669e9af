"""A server with routes, as `pronghorn` builds it: what the parts promise each other."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.mount import Mount
from pronghorn.apps.static.app import Static
from pronghorn.assemble.compose import Composed
from tests.process.harness import Server, running
from tests.serving import head, serving

APP = """
import time

def app(environ, start_response):
    seconds = float(environ["QUERY_STRING"] or 0)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read() or b"said"]
"""
ROUTES = """
health = "/healthz"
request_timeout = 5
threads = 2

[[route]]
path = "/files"
root = "files"

[[route]]
path = "/short"
app = "served:app"
request_timeout = 0.3
limit_request_body = 10

[[route]]
path = "/app"
app = "served:app"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("a file")
    (folder / "pronghorn.toml").write_text(ROUTES)
    with running(APP, "--config", str(folder / "pronghorn.toml")) as server:
        yield server


def test_the_health_check_comes_before_all_routes(server: Server) -> None:
    assert (server.get("/healthz").status, server.get("/healthz").body) == (200, b"ok\n")
    assert server.get("/nothing-of-the-kind").status == 200, "the command line's application is at /"


def test_a_route_has_its_own_time_limit(server: Server) -> None:
    began = time.monotonic()
    assert server.get("/short?3").status == 504
    assert time.monotonic() - began < 2
    assert server.get("/app?0.6").body == b"said"


@pytest.mark.parametrize("fields", [("Content-Length: 11",), ("Transfer-Encoding: chunked",)])
def test_a_route_has_its_own_limit_of_bodies(server: Server, fields: tuple[str, ...]) -> None:
    body = b"b\r\n01234567890\r\n0\r\n\r\n" if "chunked" in fields[0] else b"01234567890"
    with server.connect() as client:
        assert client.ask(head("POST", "/short", *fields) + body).status == 413
    with server.connect() as client:
        answer = client.ask(head("POST", "/app", *fields) + body)
        assert (answer.status, answer.body) == (200, b"01234567890")


def test_files_need_no_thread(server: Server) -> None:
    with server.connect() as one, server.connect() as other:
        for client in (one, other):
            client.send(head("GET", "/app?1"))
        began = time.monotonic()
        assert server.get("/files/a.txt").body == b"a file"
        assert server.get("/files/none").status == 404
        assert time.monotonic() - began < 0.5
        assert one.read_answer().body == other.read_answer().body == b"said"


def test_what_is_wrapped_around_files_is_not_passed_by(tmp_path: Path) -> None:
    """A middleware that hands on attributes has `quick`, and is asked all the same; so is a subclass."""
    (tmp_path / "a.txt").write_text("secret")

    class Guard:
        def __init__(self, app: Any) -> None:
            self.app = app

        def __getattr__(self, name: str) -> Any:
            return getattr(self.app, name)

        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            start_response("401 Unauthorized", [])
            return [b""]

    class Private(Static):
        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            start_response("401 Unauthorized", [])
            return [b""]

    table = {
        "/open": Static(str(tmp_path)),
        "/guard": Guard(Static(str(tmp_path))),
        "/sub": Private(str(tmp_path)),
    }
    mount = Mount(table)
    composed = Composed(mount, {}, True)
    with serving(mount, prepare=lambda worker: setattr(worker, "routing", composed)) as server:
        assert [server.get(f"{path}/a.txt").status for path in table] == [200, 401, 401]
