"""PasteDeploy files: the same graph as the library's, our parts of Paste, wrong files."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from paste.deploy import loadwsgi

from pronghorn.apps import paste, paste_factories
from pronghorn.apps.load import load
from pronghorn.apps.middleware import passwords
from pronghorn.apps.mount import Mount
from pronghorn.apps.paste import is_paste, load_paste
from pronghorn.apps.paste_loader import Loader
from pronghorn.apps.paste_places import PasteError
from pronghorn.apps.paste_values import value
from pronghorn.errors import ApplicationLoadError, ConfigError
from tests.apps.asking import ask

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

    def test_of_many_names_a_few_are_told(self, tmp_path: Path) -> None:
        (tmp_path / "a.ini").write_text("[handlers]\n" + "".join(f"[app:x{number}]\n" for number in range(9)))
        for spec in ("a.ini", "a.ini#yyyyyy"):
            with pytest.raises(PasteError) as caught:
                load(str(tmp_path / spec))
            assert (
                caught.value.mend == "Name one of its own: a.ini#x0, a.ini#x1, a.ini#x2, a.ini#x3, a.ini#x4."
            )

    def test_a_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "a.ini").write_text("\ufeff[app:main]\nuse = call:paste_shop:app_factory\n", "utf-8")
        with pytest.raises(PasteError, match=r"begins with a byte order mark") as caught:
            load(str(tmp_path / "a.ini"))
        assert caught.value.where == f"File {tmp_path / 'a.ini'}, line 1"

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
