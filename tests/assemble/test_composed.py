"""A server with routes, as `pronghorn` builds it: what the parts promise each other."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.load import load
from pronghorn.apps.mount import Mount
from pronghorn.apps.static.app import Static
from pronghorn.assemble.compose import Composed, compose
from pronghorn.config.file import Found, from_file
from pronghorn.errors import StartupError
from tests.process.harness import Server, eventually, running, site
from tests.serving import PATIENCE, head, serving, until

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
metrics = "/-/metrics"
request_timeout = 5
threads = 2
limit_request_body = 100
access_logfile = "access.log"
access_logformat = '%(r)s -> %(s)s'

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

[[route]]
path = "/large"
app = "served:app"
limit_request_body = 100_000

[[route]]
host = "127.0.0.1"
path = "/app"
app = "served:app"
limit_request_body = 20
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routes")
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("a file")
    (folder / "pronghorn.toml").write_text(ROUTES)
    with running(APP, "--config", str(folder / "pronghorn.toml")) as server:
        yield server


def test_the_health_check_and_the_metrics_come_before_all_routes(server: Server) -> None:
    assert (server.get("/healthz").status, server.get("/healthz").body) == (200, b"ok\n")
    assert server.get("/-/metrics").body.startswith(b"# TYPE pronghorn_responses_total counter\n")
    assert server.get("/nothing-of-the-kind").status == 200, "the command line's application is at /"


HOLD = """
    elif path == "/hold":
        open("held", "a").write("x")
        while not os.path.exists("go"):
            time.sleep(0.01)"""
FILES = """
[[route]]
path = "/files"
root = "."
"""
LIMITED = """
[[route]]
path = "/limited"
app = "served:app"
limit_request_body = 1
"""


@pytest.mark.parametrize("routes", ["", FILES, LIMITED], ids=["none", "files", "limits"])
@pytest.mark.parametrize("path", ["/healthz", "/-/metrics"])
def test_own_paths_while_all_threads_are_stuck(routes: str, path: str, tmp_path: Path) -> None:
    """As docs/deploy.md says it of a liveness probe: they wait for a thread, but with such routes."""
    (tmp_path / "pronghorn.toml").write_text(routes)
    flags = ("--threads", "2", "--health", "/healthz", "--metrics", "/-/metrics")
    with (
        running(site(routes=HOLD), "--config", str(tmp_path / "pronghorn.toml"), *flags) as server,
        server.connect() as first,
        server.connect() as second,
        server.connect() as probe,
    ):
        held = server.path / "held"
        for client in (first, second):
            client.send(head("GET", "/hold"))
        eventually(lambda: held.exists() and held.stat().st_size == 2, "two calls")
        probe.send(head("GET", path))
        if routes:
            assert probe.read_answer().status == 200
        else:
            probe.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                probe.read_answer()
            probe.socket.settimeout(PATIENCE)
        (server.path / "go").touch()
        for client in (first, second) if routes else (first, second, probe):
            assert client.read_answer().status == 200


def test_a_route_has_its_own_time_limit(server: Server) -> None:
    began = time.monotonic()
    assert server.get("/short?3").status == 504
    assert time.monotonic() - began < 2
    assert server.get("/app?0.6").body == b"said"


CHUNKED = "Transfer-Encoding: chunked"
CONTINUE = "Expect: 100-continue"


def framed(size: int, framing: str) -> tuple[str, bytes]:
    """The field and the octets of a body of that many."""
    if framing == "chunked":
        return CHUNKED, b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)
    return f"Content-Length: {size}", b"x" * size


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize(
    ("path", "limit"), [("/short", 10), ("/app", 100), ("/large", 100_000), ("/nothing", 100)]
)
def test_a_route_may_lower_and_raise_the_limit_of_bodies(
    server: Server, path: str, limit: int, framing: str
) -> None:
    with server.connect() as client:
        for _ in range(2):  # the second head is recognised, not parsed
            field, body = framed(limit, framing)
            answer = client.ask(head("POST", path, field) + body)
            assert (answer.status, answer.body) == (200, b"x" * limit)
        field, body = framed(limit + 1, framing)
        assert client.ask(head("POST", path, field) + body).status == 413


@pytest.mark.parametrize(("path", "limit"), [("/short", 10), ("/app", 100), ("/large", 100_000)])
def test_who_expects_100_is_refused_without_it(server: Server, path: str, limit: int) -> None:
    with server.connect() as client:
        answer = client.ask(head("POST", path, CONTINUE, length=limit + 1))
        assert (answer.status, answer.interim) == (413, [])
    with server.connect() as client:
        client.send(head("POST", path, CONTINUE, length=limit))
        assert client.read_until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        client.send(b"x" * limit)
        assert client.read_answer().status == 200


def test_the_limit_is_that_of_the_route_which_answers(server: Server) -> None:
    """Without a Host field, the server's own name decides, there as here."""
    for size, status in ((20, 200), (21, 413)):
        with server.connect() as client:
            fields = f"POST /app HTTP/1.0\r\nContent-Length: {size}\r\n\r\n"
            assert client.ask(fields.encode() + b"x" * size).status == status


def test_over_tls_the_limit_goes_by_the_default_port_of_https() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise NotImplementedError

    secure, other = ("shop.example:443", "/"), ("shop.example:80", "/")
    composed = Composed(Mount({secure: app, other: app}), {secure: 7, other: 8}, False, body_limit=9)
    environ = {"PATH_INFO": "/", "HTTP_HOST": "shop.example", "SERVER_NAME": "a", "SERVER_PORT": "1"}
    assert composed.body_limit({**environ, "wsgi.url_scheme": "https"}) == 7
    assert composed.body_limit({**environ, "wsgi.url_scheme": "http"}) == 8
    assert composed.body_limit({**environ, "HTTP_HOST": "b", "wsgi.url_scheme": "http"}) == 9


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (head("POST", "/short?whole", length=11) + b"x" * 11, "POST /short?whole HTTP/1.1 -> 413"),
        (head("POST", "/short?head", length=11), "POST /short?head HTTP/1.1 -> 413"),
        (head("POST", "/app?chunked", CHUNKED) + b"65\r\n", "POST /app?chunked HTTP/1.1 -> 413"),
        (head("POST", "/app?broken", CHUNKED) + b"wrong\r\n", "POST /app?broken HTTP/1.1 -> 400"),
        (head("HEAD", "/short?no-content", length=11) + b"x" * 11, "HEAD /short?no-content HTTP/1.1 -> 413"),
    ],
)
def test_the_access_log_names_what_was_refused_for_its_body(
    server: Server, request_: bytes, line: str
) -> None:
    with server.connect() as client:
        client.ask(request_)
        client.assert_end()
    until(lambda: line in (server.path / "access.log").read_text().splitlines(), line)


def test_files_need_no_thread(server: Server) -> None:
    with server.connect() as one, server.connect() as other:
        for client in (one, other):
            client.send(head("GET", "/app?1"))
        began = time.monotonic()
        assert server.get("/files/a.txt").body == b"a file"
        assert server.get("/files/none").status == 404
        assert time.monotonic() - began < 0.5
        assert one.read_answer().body == other.read_answer().body == b"said"


FAILING = {
    "shop:create": '[apps.api]\nuse = "shop:create"\nfactory = true\n[[route]]\napp = "api"\n',
    "no_such_module": '\n[apps.api]\nuse = "no_such_module"\n[[route]]\napp = "api"\n',
    "shop:ap": '[[route]]\napp = "shop:ap"\n',
    "shop:Middleware": '[[route]]\napp = "shop:app"\nmiddleware = [\n"shop:Middleware"]\n',
    "site.ini": '\n[apps.api]\npaste = "site.ini"\n[[route]]\napp = "api"\n',
}


@pytest.mark.parametrize(
    ("name", "line", "place"),
    [
        ("shop:create", "pronghorn.toml:2 (apps.api.use)", "shop.py, line 4"),
        ("no_such_module", "pronghorn.toml:3 (apps.api.use)", "Looked in "),
        ("shop:ap", "pronghorn.toml:2 (route.app)", "shop.py"),
        ("shop:Middleware", "pronghorn.toml:4 (route.middleware)", "shop.py"),
        ("site.ini", "pronghorn.toml:3 (apps.api.paste)", "site.ini"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_both_places(
    name: str, line: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it fails, and the line of ours that names it."""
    (tmp_path / "shop.py").write_text("def app(environ, start_response): ...\n\ndef create():\n    1 / 0\n")
    (tmp_path / "site.ini").write_text("[app:main]\nuse = call:none_such:app\n")
    (tmp_path / "pronghorn.toml").write_text(FAILING[name])
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    said = from_file(Found(str(tmp_path / "pronghorn.toml"), "pronghorn.toml"), {})
    with pytest.raises(StartupError) as caught:
        compose(said.composition, load)
    told = str(caught.value)
    assert line in told and place in told and len(told.splitlines()) <= 6, told


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
