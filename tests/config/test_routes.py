"""Routes from the command line beside those of the file."""

from pathlib import Path

import pytest

from pronghorn.config.composition import AppSpec, Composition, RouteSpec
from pronghorn.config.routes import GIVEN, only_files, place
from pronghorn.errors import ConfigError

FILE = Composition({"api": AppSpec("api", use="shop:api")}, (RouteSpec(path="/api", app="api", where="f:1"),))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dist").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_routes_the_application_is_served_as_it_is() -> None:
    assert not place(Composition(), (), "shop:app")


def test_the_application_gets_what_is_not_routed() -> None:
    placed = place(FILE, (), "shop:app")
    assert [(route.path, route.app) for route in placed.routes] == [("/api", "api"), ("/", "shop:app")]
    assert placed.apps["shop:app"] == AppSpec("shop:app", use="shop:app", where="the command line")
    assert placed.apps["api"] is FILE.apps["api"]


def test_unless_the_file_routes_everything() -> None:
    routed = Composition(FILE.apps, (RouteSpec(app="api"),))
    assert place(routed, (), "shop:app").routes == routed.routes
    one_host = Composition(FILE.apps, (RouteSpec(app="api", host="a.org"),))
    assert len(place(one_host, (), "shop:app").routes) == 2


def test_an_application_of_the_file_by_its_name() -> None:
    for routes in ((), FILE.routes):
        placed = place(Composition(FILE.apps, routes), (), "api")
        assert placed.routes[-1] == RouteSpec(app="api", where="the command line")
        assert placed.apps == FILE.apps


def test_a_paste_file_and_an_object() -> None:
    assert place(FILE, (), "a.ini#main").apps["a.ini#main"].paste == "a.ini#main"
    assert place(FILE, (), GIVEN).routes[-1].app == GIVEN


def test_directories(folder: Path) -> None:
    placed = place(Composition(), ["/static/=dist", "/=dist"], "shop:app", "PRONGHORN_STATIC")
    files, everything = placed.routes
    assert (files.path, files.root, files.app) == ("/static", f"{folder}/dist", "")
    assert files.where == "PRONGHORN_STATIC /static/=dist"
    assert (everything.path, everything.root, everything.app) == ("/", f"{folder}/dist", "shop:app")
    assert everything.try_ == ("$path", "@app")


def test_directories_alone(folder: Path) -> None:
    (route,) = place(Composition(), ["/=dist"], "").routes
    assert (route.path, route.app, route.try_) == ("/", "", ())


@pytest.mark.parametrize(
    ("static", "hint"),
    [
        ("/x=no", "--static /x=no: 'no' is not a directory"),
        ("/api/=dist", "/api is routed twice.\n  First: f:1"),
    ],
)
def test_what_cannot_be(static: str, hint: str, folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        place(FILE, [static], "")
    assert hint in str(caught.value)


def test_a_directory_with_listings(folder: Path) -> None:
    (route,) = only_files("dist").routes
    assert (route.path, route.root, route.static.listing) == ("/", f"{folder}/dist", True)
    with pytest.raises(ConfigError, match="'no' is not a directory"):
        only_files("no")
