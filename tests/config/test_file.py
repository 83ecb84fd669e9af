"""What a configuration file says when it is right."""

from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static.options import StaticOptions
from pronghorn.config.composition import MIDDLEWARE, AppSpec, Composition, MiddlewareSpec
from pronghorn.config.file import Found, FromFile, find, from_file
from pronghorn.config.sources import Given, merge
from pronghorn.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("dist", "public"):
        (tmp_path / name).mkdir()
    (tmp_path / "blog.ini").touch()
    return tmp_path


def said(folder: Path, text: str, name: str = "pronghorn.toml", **environ: str) -> FromFile:
    path = folder / name
    path.write_text(text)
    return from_file(Found(str(path), name), environ)


def options(folder: Path, text: str, **environ: str) -> dict[str, Any]:
    return {name: given.value for name, given in said(folder, text, **environ).layer.items()}


class TestOptions:
    def test_types(self, folder: Path) -> None:
        text = """
            bind = [":1", "unix:x"]
            workers = 3
            keep-alive = 5
            head_timeout = 2.5
            preload = true
            limit_request_body = "64k"
            limit_request_head = 100_000
            log_level = "debug"
            umask = "027"
        """
        assert options(folder, text) == {
            "bind": (":1", "unix:x"),
            "workers": 3,
            "keep_alive": 5.0,
            "head_timeout": 2.5,
            "preload": True,
            "limit_request_body": 65536,
            "limit_request_head": 100_000,
            "log_level": "debug",
            "umask": "027",
        }

    def test_a_whole_number_where_a_fraction_may_stand(self, folder: Path) -> None:
        assert type(options(folder, "keep_alive = 5")["keep_alive"]) is float

    def test_one_value_where_several_may_stand(self, folder: Path) -> None:
        assert options(folder, 'bind = ":1"') == {"bind": (":1",)}

    def test_workers_may_be_auto(self, folder: Path) -> None:
        assert options(folder, 'workers = "auto"')["workers"] >= 1

    def test_origins(self, folder: Path) -> None:
        layer = said(folder, "# x\n\nthreads = 3\nkeep-alive = 1\n").layer
        assert layer == {
            "threads": Given(3, "pronghorn.toml:3 (threads)"),
            "keep_alive": Given(1.0, "pronghorn.toml:4 (keep-alive)"),
        }
        assert merge([layer]).origins["threads"] == "pronghorn.toml:3 (threads)"

    def test_in_pyproject(self, folder: Path) -> None:
        text = "[project]\nthreads = 'x'\n[tool.other]\nx = 1\n[tool.pronghorn]\nthreads = 3\n"
        assert said(folder, text, "pyproject.toml").layer == {
            "threads": Given(3, "pyproject.toml:6 (threads)")
        }
        assert said(folder, "[tool.other]\n", "pyproject.toml") == FromFile({}, Composition())

    def test_paths_begin_in_the_directory_of_the_file(self, folder: Path) -> None:
        text = """
            chdir = "dist"
            pythonpath = ["a,../b", "/c"]
            reload_extra_file = "t.html"
            static = ["/x=dist"]
            pid = "here"
        """
        assert options(folder, text) == {
            "chdir": f"{folder}/dist",
            "pythonpath": (f"{folder}/a,{folder.parent}/b", "/c"),
            "reload_extra_file": (f"{folder}/t.html",),
            "static": (f"/x={folder}/dist",),
            "pid": "here",
        }
        assert options(folder, 'chdir = ""') == {"chdir": ""}

    def test_home_directories(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/anna")
        assert options(folder, 'chdir = "~/x"') == {"chdir": "/home/anna/x"}


class TestVariables:
    def test_where_text_stands(self, folder: Path) -> None:
        text = """
            bind = ["0.0.0.0:${PORT:-8000}", "unix:${DIR}/${NAME}.sock"]
            user = "${USER:-}"
            name = "100 % $HOME $${PORT} $path"
        """
        assert options(folder, text, DIR="/run", NAME="${x}") == {
            "bind": ("0.0.0.0:8000", "unix:/run/${x}.sock"),
            "user": "",
            "name": "100 % $HOME ${PORT} $path",
        }
        assert options(folder, 'bind = ":${PORT:-8000}"', PORT="") == {"bind": (":8000",)}
        assert options(folder, 'bind = ":${PORT:-8000}"', PORT="81") == {"bind": (":81",)}
        assert options(folder, 'user = "${EMPTY}"', EMPTY="") == {"user": ""}

    def test_where_a_number_or_truth_value_stands(self, folder: Path) -> None:
        text = 'threads = "${T}"\npreload = "${P}"\nkeep_alive = "${K:-2.5}"\nlimit_request_body = "${B}"\n'
        assert options(folder, text, T="4", P="yes", B="64k") == {
            "threads": 4,
            "preload": True,
            "keep_alive": 2.5,
            "limit_request_body": 65536,
        }
        text = '[[route]]\nroot = "dist"\nlisting = "${L}"\nmax_age = "${A}"\nrequest_timeout = "${A}"\n'
        (route,) = said(folder, text, L="true", A="7").composition.routes
        assert route.static == StaticOptions(listing=True, max_age=7) and route.request_timeout == 7.0


class TestComposition:
    def test_applications(self, folder: Path) -> None:
        text = """
            [apps.api]
            use = "shop.api:create_app"
            factory = true
            options = { debug = false, db = "${DB_URL}", sizes = [1, 2.5] }
            [apps.test]
            use = "@api"
            options = { debug = true }
            [apps.blog]
            paste = "blog.ini#main"
            [apps.site]
            use = "site.wsgi"
        """
        apps = said(folder, text, DB_URL="pg:secret").composition.apps
        assert list(apps) == ["api", "test", "blog", "site"]
        assert apps["api"] == AppSpec(
            "api",
            use="shop.api:create_app",
            factory=True,
            options={"debug": False, "db": "pg:secret", "sizes": [1, 2.5]},
            where="pronghorn.toml:3 (apps.api.use)",
            written={"debug": False, "db": "${DB_URL}", "sizes": [1, 2.5]},
        )
        assert (apps["test"].use, apps["test"].factory) == ("shop.api:create_app", True)
        assert apps["test"].options == {"debug": True, "db": "pg:secret", "sizes": [1, 2.5]}
        assert apps["test"].where == "pronghorn.toml:7 (apps.test.use)"
        assert apps["blog"].paste == f"{folder}/blog.ini#main"
        assert (apps["site"].use, apps["site"].options) == ("site.wsgi", {})

    def test_a_route_with_everything(self, folder: Path) -> None:
        text = """
            [[route]]
            path = "/api/"
            host = "API.example.org"
            app = "shop.api:app"
            root = ["dist", "public"]
            try = ["$path", "$path/index.html", "@app"]
            middleware = ["request-id", { use = "m:Timing", options = { tag = "${TAG}" } }]
            limit_request_body = "1m"
            request_timeout = 5
            listing = true
            max-age = 3
            cache = { "*.{hash}.*" = "immutable", "*.json" = 5 }
            error_pages = { 404 = "/404.html" }
        """
        composition = said(folder, text, TAG="x").composition
        (route,) = composition.routes
        assert (route.path, route.host, route.app) == ("/api", "api.example.org", "shop.api:app")
        assert route.root == (f"{folder}/dist", f"{folder}/public")
        assert route.try_ == ("$path", "$path/index.html", "@app")
        assert route.middleware == (
            MiddlewareSpec("request-id", where="pronghorn.toml:8 (route.middleware)"),
            MiddlewareSpec(
                "m:Timing", {"tag": "x"}, "pronghorn.toml:8 (route.middleware)", {"tag": "${TAG}"}
            ),
        )
        assert (route.limit_request_body, route.request_timeout) == (1 << 20, 5.0)
        assert route.static == StaticOptions(
            listing=True,
            max_age=3,
            cache={"*.{hash}.*": "immutable", "*.json": 5},
            error_pages={404: "/404.html"},
        )
        assert route.where == "pronghorn.toml:2 (route)"
        assert composition.apps["shop.api:app"].use == "shop.api:app"

    def test_the_application_behind_files(self, folder: Path) -> None:
        text = '[apps.app]\nuse = "a:b"\n[apps.blog]\nuse = "c:d"\n[[route]]\nroot = "dist"\n'

        def last(more: str) -> tuple[str, tuple[str, ...]]:
            (route,) = said(folder, text + more).composition.routes
            return route.app, route.try_

        assert last('try = ["$path", "@blog"]') == ("blog", ("$path", "@app"))
        assert last('try = ["$path", "@app"]') == ("app", ("$path", "@app"))
        assert last('app = "blog"\ntry = ["@app"]') == ("blog", ("@app",))
        assert last('app = "blog"\ntry = "@blog"') == ("blog", ("@app",))
        assert last('app = "blog"') == ("blog", ())
        assert last('try = ["$path", "/index.html"]') == ("", ("$path", "/index.html"))

    def test_the_same_path_on_other_hosts(self, folder: Path) -> None:
        route = '[[route]]\napp = "a:b"\n'
        text = f'{route}{route}host = "a.org"\n{route}host = "*.a.org"\n{route}host = "a.org:81"\n{route}path = "/x"'
        assert len(said(folder, text).composition.routes) == 5

    def test_without_routes_it_is_false(self, folder: Path) -> None:
        assert not said(folder, '[apps.a]\nuse = "a:b"').composition
        assert said(folder, '[[route]]\napp = "a:b"').composition


class TestFind:
    def test_the_one_that_is_named(self, folder: Path) -> None:
        (folder / "pronghorn.toml").touch()
        (folder / "dist/x.toml").touch()
        assert find("dist/x.toml", {}, str(folder)) == Found(f"{folder}/dist/x.toml", "dist/x.toml")
        environ = {"PRONGHORN_CONFIG": "dist/x.toml"}
        assert find("", environ, str(folder)) == Found(f"{folder}/dist/x.toml", "dist/x.toml")
        assert find("pronghorn.toml", environ, str(folder)) == Found(
            f"{folder}/pronghorn.toml", "pronghorn.toml"
        )

    def test_the_one_that_lies_there(self, folder: Path) -> None:
        assert find("", {}, str(folder)) is None
        (folder / "pyproject.toml").write_text("broken")
        assert find("", {}, str(folder)) is None
        (folder / "pyproject.toml").write_text("[tool.pronghorn]\n")
        assert find("", {}, str(folder)) == Found(f"{folder}/pyproject.toml", "pyproject.toml")
        (folder / "pronghorn.toml").touch()
        assert find("", {}, str(folder)) == Found(f"{folder}/pronghorn.toml", "pronghorn.toml")


def test_our_middlewares_are_those_of_the_registry() -> None:
    from pronghorn.apps.middleware.registry import NAMES

    assert set(MIDDLEWARE) == set(NAMES)


def test_static_options_that_only_python_has(folder: Path) -> None:
    with pytest.raises(ConfigError, match="add_headers_function"):
        said(folder, '[[route]]\nroot = "dist"\nadd_headers_function = "x"')
