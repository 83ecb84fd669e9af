"""PasteDeploy files: the same graph as the library's, our parts of Paste, wrong files, and pserve."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx
import pytest
from paste.deploy import loadwsgi

from pronghorn.apps import paste, paste_factories
from pronghorn.apps.load import load
from pronghorn.apps.middleware import passwords
from pronghorn.apps.mount import Mount
from pronghorn.apps.paste import is_paste, load_paste
from pronghorn.apps.paste_cascade import Cascade
from pronghorn.apps.paste_loader import Loader
from pronghorn.apps.paste_places import PasteError
from pronghorn.apps.paste_urlmap import parse_key, urlmap_of
from pronghorn.apps.paste_values import value
from pronghorn.apps.static.app import Static
from pronghorn.assemble.paste_server import settings_of
from pronghorn.errors import ApplicationLoadError, ConfigError
from tests.serving import PATIENCE

CASES = Path(__file__).parents[1] / "cases" / "paste"
SITE = str(CASES / "site.ini")


def installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


without_paste = pytest.mark.skipif(installed("Paste"), reason="egg:Paste is Paste's where it is installed")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CASES))


def ask(
    app: Callable[..., Iterable[bytes]], path: str, host: str = "x", **environ: Any
) -> tuple[str, Any, bytes]:
    told: list[Any] = []
    body = app(
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "HTTP_HOST": host,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **environ,
        },
        lambda status, fields, exc_info=None: told.extend((status, dict(fields))),
    )
    text = b"".join(body)
    getattr(body, "close", lambda: None)()
    return told[0], told[1], text


def echo(app: Callable[..., Iterable[bytes]], path: str, host: str = "x") -> Any:
    return json.loads(ask(app, path, host)[2])


class TestWhatIsAPasteFile:
    @pytest.mark.parametrize(
        "spec", ["a.ini", "dir/a.ini#main", "a.conf#proxy", "config:a.txt#x", "etc/a.sample#main"]
    )
    def test_yes(self, spec: str) -> None:
        assert is_paste(spec)

    @pytest.mark.parametrize(
        "spec", ["shop", "shop#app", "shop:app", "shop.wsgi:app", 'shop:make("a.ini")', 'shop:make("#")']
    )
    def test_no(self, spec: str) -> None:
        assert not is_paste(spec)

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [name for name in sys.modules if name.split(".")[0] == "paste"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.delitem(sys.modules, "pronghorn.apps.paste_loader")
        monkeypatch.setitem(sys.modules, "paste.deploy", None)
        with pytest.raises(
            ApplicationLoadError, match=r"not installed(.|\n)*pip install 'pronghorn\[paste\]'"
        ):
            paste.load_paste(SITE)


def test_the_entry_points_are_those_of_the_docs() -> None:
    page = (CASES.parents[2] / "docs" / "paste.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(paste\.\w+)` \| (.+?) \|", page, re.MULTILINE)
    stated = {(group, name) for group, names in rows for name in re.findall(r"`([\w-]+)`", names)}
    points = metadata.distribution("pronghorn").entry_points
    assert {(one.group, one.name) for one in points if one.group.startswith("paste.")} == stated
    assert all(callable(one.load()) for one in points)


def graph(context: Any) -> Any:
    """A loader's context with all below it, without making anything."""
    below = {
        name: graph(getattr(context, name))
        for name in ("app_context", "next_context", "filter_context")
        if hasattr(context, name)
    }
    filters = [graph(one) for one in getattr(context, "filter_contexts", ())]
    return (
        context.object_type.name,
        context.protocol,
        context.object,
        dict(context.local_conf),
        dict(context.global_conf),
        below,
        filters,
    )


SECTIONS = [
    (kind, name)
    for kind, names in {
        loadwsgi.APP: ("main", "home", "explicit", "line", "around", "choice"),
        loadwsgi.FILTER: ("outer", "inner"),
        loadwsgi.SERVER: ("main",),
    }.items()
    for name in names
]


@pytest.mark.parametrize(("kind", "name"), SECTIONS, ids=[f"{kind.name}-{name}" for kind, name in SECTIONS])
def test_the_graph_is_the_librarys(kind: Any, name: str) -> None:
    file = str(CASES / "graph.ini")
    given = {"region": "east", "more": "x"}
    alone = loadwsgi.loadcontext(kind, f"config:{file}#{name}", global_conf=dict(given))
    loader = Loader(file)
    loader.update_defaults(given, overwrite=False)
    assert graph(loader.get_context(kind, name, dict(given))) == graph(alone)


def test_a_factory_that_asks_the_loader_gets_the_same() -> None:
    file = str(CASES / "graph.ini")
    alone = loadwsgi.loadapp(f"config:{file}#choice")
    assert echo(load_paste(f"{file}#choice"), "/") == echo(alone, "/")


@without_paste
class TestASite:
    @pytest.fixture
    def site(self) -> Any:
        return load_paste(SITE, {"which": "token"})

    @pytest.mark.parametrize(
        ("path", "host", "name", "script", "rest", "marks"),
        [
            ("/x", "x", "home", "", "/x", []),
            ("/api", "x", "home", "/api", "", ["outer", "inner"]),
            ("/api/y", "x", "home", "/api", "/y", ["outer", "inner"]),
            ("/apiary", "x", "home", "", "/apiary", []),
            ("/api/v2/z", "x", "admin", "/api/v2", "/z", ["outer", "inner"]),
            ("/wrapped//a", "x", "home", "/wrapped", "//a", ["around"]),
            ("/elsewhere/", "x", f"blog at {CASES}", "/elsewhere", "/", []),
            ("/named", "x", "other name", "/named", "", ["outer"]),
            ("/api", "ADMIN.example.org", "admin", "", "/api", []),
            ("/api", "admin.example.org:8081", "admin", "", "/api", []),
        ],
    )
    def test_who_answers(
        self, site: Any, path: str, host: str, name: str, script: str, rest: str, marks: list[str]
    ) -> None:
        told = echo(site, path, host)
        assert (told["name"], told["script"], told["path"], told["marks"]) == (name, script, rest, marks)

    def test_files_come_first(self, site: Any) -> None:
        status, fields, body = ask(site, "/a.txt")
        assert (status, body) == ("200 OK", b"a file\n")
        assert "77" in fields["Cache-Control"]

    def test_set_and_get(self, site: Any) -> None:
        assert echo(site, "/x")["options"]["where"] == "north"
        told = echo(site, "/", "admin.example.org")
        assert told["global"]["region"] == "south"
        assert told["global"]["which"] == "token"

    def test_a_plain_urlmap_is_a_mount(self) -> None:
        app = load_paste(f"{SITE}#bare")
        assert isinstance(app, Mount)
        assert echo(app, "/home/a")["name"] == "home"
        assert echo(app, "/other")["name"] == "admin"
        assert echo(app, "/other")["path"] == "/other"

    def test_by_name_at_the_command_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(CASES)
        assert echo(load("site.ini", {"which": "none"}), "/api/v2")["name"] == "home"
        assert echo(load("config:site.ini#admin"), "/")["name"] == "admin"

    def test_nothing_of_the_library_is_changed(self) -> None:
        load_paste(f"{SITE}#bare")
        with pytest.raises(metadata.PackageNotFoundError):
            loadwsgi.loadapp(f"config:{SITE}#bare")


@pytest.mark.parametrize(
    ("name", "options", "field"),
    [
        ("request-id", "trust = true\nheader = X-Own", "X-Own"),
        ("proxy-fix", "trusted = 10.0.0.0/8, 127.0.0.1\nhops = 2", ""),
        ("gzip", "min-size = 10\ntypes = application/json", "Vary"),
        ("lint", "", ""),
        ("basic-auth", "users =\n  me = HASH\nrealm = here", "WWW-Authenticate"),
    ],
)
def test_our_filters(name: str, options: str, field: str, tmp_path: Path) -> None:
    file = tmp_path / "a.ini"
    file.write_text(
        "[pipeline:main]\npipeline = ours app\n[app:app]\nuse = call:paste_shop:app_factory\n"
        f"[filter:ours]\nuse = egg:pronghorn#{name}\n{options}\n".replace("HASH", passwords.make("secret"))
    )
    environ = {"HTTP_ACCEPT_ENCODING": "gzip", "REMOTE_ADDR": "127.0.0.1"}
    _, fields, _ = ask(load_paste(str(file)), "/", **environ)
    assert not field or field in fields


def test_options_of_a_filter_are_tried_around_an_application_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A middleware may call what it wraps as soon as it is made."""
    tried = []

    class Eager:
        def __init__(self, app: Any) -> None:
            tried.append(ask(app, "/")[0])

    monkeypatch.setitem(paste_factories.NAMES, "lint", Eager)
    paste_factories.lint({})
    assert tried == ["404 Not Found"]


def test_logging_as_pserve_sets_it_up(tmp_path: Path) -> None:
    file = tmp_path / "a.ini"
    file.write_text(
        "[app:main]\nuse = call:paste_shop:app_factory\n[loggers]\nkeys = root, shop\n[handlers]\nkeys = h\n"
        "[formatters]\nkeys =\n[logger_root]\nhandlers =\n[logger_shop]\nqualname = paste_shop\nhandlers = h\n"
        "level = WARNING\n[handler_h]\nclass = FileHandler\nargs = (%(log)r,)\n".replace(
            "%(log)r", "'%(here)s/log'"
        )
    )
    root = logging.getLogger()
    before = root.handlers[:], root.level
    log = logging.getLogger("paste_shop")
    try:
        load_paste(str(file))
        log.warning("too early")
        load_paste(str(file), logging=True)
        log.warning("said")
        assert (tmp_path / "log").read_text() == "said\n"
    finally:
        for handler in log.handlers[:]:
            log.removeHandler(handler)
            handler.close()
        root.handlers[:], root.level = before


WRONG = sorted((CASES / "wrong").glob("*.ini"))


@without_paste
class TestWrongFiles:
    @pytest.mark.parametrize("file", WRONG, ids=lambda path: path.stem)
    def test_message(self, file: Path) -> None:
        head = dict(line[2:].split(": ", 1) for line in file.read_text().splitlines()[:3])
        with pytest.raises(PasteError) as caught:
            load(str(file))
        told = str(caught.value)
        first, where, *rest = told.splitlines()
        assert head["what"] in first
        assert f"File {file}" in where
        if head["line"] != "0":
            assert f"line {head['line']}" in where
        assert head["mend"].strip() in "\n".join(rest)
        assert len(told.splitlines()) <= 6
        assert caught.value.exit_code == ConfigError.exit_code

    def test_a_circle_of_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.ini").write_text(f"[app:main]\nuse = config:../{tmp_path.name}/b.ini\n")
        (tmp_path / "b.ini").write_text(f"[app:main]\nuse = config:../{tmp_path.name}/a.ini\n")
        with pytest.raises(PasteError, match="these sections name each other"):
            load(str(tmp_path / "a.ini"))

    def test_a_wrong_section_of_another_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.ini").write_text("[app:main]\n\nuse = config:b.ini#x\n")
        (tmp_path / "b.ini").write_text("[app:xx]\nuse = call:paste_shop:app_factory\n")
        with pytest.raises(PasteError, match=r"There is no section \[app:x\] in .*b.ini") as caught:
            load(str(tmp_path / "a.ini"))
        assert caught.value.where == f"File {tmp_path / 'a.ini'}, line 3 in [app:main]: use = config:b.ini#x"

    def test_a_password_is_not_shown(self, tmp_path: Path) -> None:
        file = tmp_path / "a.ini"
        file.write_text("[app:main]\nuse = call:paste_shop:app_factory\ndb = postgres://me:secret%1@db\n")
        with pytest.raises(PasteError) as caught:
            load(str(file))
        assert caught.value.where == f"File {file}, line 3 in [app:main]: db"
        assert "secret" not in str(caught.value)

    def test_no_such_file(self) -> None:
        with pytest.raises(PasteError, match=r"There is no file(.|\n)*Did you mean 'site.ini'?"):
            load(str(CASES / "sitee.ini"))

    def test_a_factory_that_raises(self, tmp_path: Path) -> None:
        file = tmp_path / "a.ini"
        file.write_text("[app:main]\npaste.app_factory = paste_shop:broken_factory\n")
        with pytest.raises(ApplicationLoadError) as caught:
            load(str(file))
        assert "[app:main] (paste_shop:broken_factory) raised RuntimeError: the database is down" in str(
            caught.value
        )
        assert f"File {CASES / 'paste_shop.py'}, line" in caught.value.where
        assert f"File {file}, line 1: [app:main]" in caught.value.mend
        assert caught.value.exit_code == ApplicationLoadError.exit_code

    def test_a_module_that_cannot_be_imported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(tmp_path))
        (tmp_path / "paste_half.py").write_text("x = 1\nx['y']\n")
        for line in ("use = call:paste_half:app", "paste.app_factory = paste_half:app"):
            (tmp_path / "a.ini").write_text(f"[app:main]\n{line}\n")
            with pytest.raises(ApplicationLoadError) as caught:
                load(str(tmp_path / "a.ini"))
            assert caught.value.where.startswith(f"File {tmp_path / 'paste_half.py'}, line 2")
            assert f"line 2 in [app:main]: {line}" in caught.value.mend


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


class TestValues:
    @pytest.mark.parametrize(
        ("text", "kind", "expected"),
        [
            ("on", bool, True),
            ("No", bool, False),
            ("12", int, 12),
            ("1.5", float, 1.5),
            ("none", int | None, None),
            ("7", int | None, 7),
            ("a, b c", tuple[str, ...], ("a", "b", "c")),
            ("\na b\nc\n", list[str], ["a b", "c"]),
            ("index.html", str | bool, "index.html"),
            ("false", str | bool, False),
            ("\n*.js = immutable\n*.html = 60\n", dict[str, str | int], {"*.js": "immutable", "*.html": 60}),
            ("404=/404.html 500=/500.html", dict[int, str], {404: "/404.html", 500: "/500.html"}),
            ("plain", str, "plain"),
        ],
    )
    def test_typed(self, text: str, kind: Any, expected: Any) -> None:
        assert value(text, kind) == expected

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("x", int), ("perhaps", bool), ("x", dict[str, str]), ("f", Callable[..., None] | None)],
    )
    def test_refused(self, text: str, kind: Any) -> None:
        with pytest.raises(ValueError, match=r".+\."):
            value(text, kind)


class TestServerKeys:
    def test_all_options_are_keys(self) -> None:
        settings = settings_of({}, {"bind": "127.0.0.1:1 unix:/tmp/x", "keep-alive": "7", "threads": "3"})
        assert settings.listen.bind == ("127.0.0.1:1", "unix:/tmp/x")
        assert (settings.serve.keep_alive, settings.serve.threads) == (7.0, 3)

    @pytest.mark.parametrize(
        ("keys", "bind"),
        [
            ({"host": "::1", "port": "81"}, "[::1]:81"),
            ({"port": "81"}, "127.0.0.1:81"),
            ({"host": "0.0.0.0"}, "0.0.0.0:8000"),
            ({"host": "*", "port": "1"}, "0.0.0.0:1"),
        ],
    )
    def test_host_and_port(self, keys: dict[str, str], bind: str) -> None:
        assert settings_of({}, keys).listen.bind == (bind,)

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"treads": "2"}, "There is no option 'treads'(.|\n)*Did you mean 'threads'?"),
            ({"listen": "a:1"}, "There is no option 'listen'(.|\n)*Did you mean 'bind'?"),
            ({"threads": "many"}, "threads: 'many' is not a whole number"),
            ({"threads": "5000"}, "threads: 5000 is not between"),
            ({"port": "x"}, "port: 'x' is not a port"),
            ({"port": "1", "bind": "a:1"}, "'port' and 'bind' both"),
        ],
    )
    def test_wrong(self, keys: dict[str, str], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            settings_of({}, keys)

    def test_the_place_in_the_file(self) -> None:
        file = CASES / "served.ini"
        line = file.read_text().splitlines().index("treads = 2") + 1
        with pytest.raises(ConfigError) as caught:
            settings_of({"__file__": str(file)}, {"treads": "2"})
        assert caught.value.where == f"File {file}, line {line} in [server:wrong]: treads"


@contextmanager
def pserve(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(Path(sys.executable).with_name("pserve")), *arguments]
    environ = {**os.environ, "PYTHONPATH": str(CASES), "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    with subprocess.Popen(command, cwd=CASES, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    return iter(process.stderr.readline, "")


class TestPserve:
    @pytest.mark.parametrize("name", ["main", "runner"])
    def test_serves(self, name: str) -> None:
        with pserve("--server-name", name, "served.ini", "http_port=0") as process:
            url = next(line.strip() for line in lines_of(process) if "http://" in line)
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                home = client.get("/x")
                assert home.json()["name"] == "home"
                assert home.headers["X-Marked"]
                assert client.get("/files/a.txt").text == "a file\n"
                assert client.get("/files/b.txt").status_code == 404
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0

    def test_a_wrong_key_is_told_in_a_sentence(self) -> None:
        with pserve("--server-name", "wrong", "served.ini", "http_port=0") as process:
            _, told = process.communicate(timeout=PATIENCE)
        assert told.startswith("Error: There is no option 'treads'.\n  File ")
        assert "in [server:wrong]: treads\n  Did you mean 'threads'?" in told
        assert "Traceback" not in told
        assert process.returncode == 1
