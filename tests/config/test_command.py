"""All sources together, as the command reads them, and reads them again."""

import os
import shutil
from pathlib import Path

import pytest

from pronghorn.config.command import settings, working_directory
from pronghorn.config.flags import read
from pronghorn.config.settings import Settings
from pronghorn.errors import ConfigError, StartupError, UsageError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dist").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(folder: Path, *arguments: str, **environ: str) -> Settings:
    return settings(read(arguments), environ, str(folder))


def test_who_counts_more(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text(
        'threads = 2\nbacklog = 2\nworkers = 2\nkeep_alive = 2\nbind = ":2"\n'
    )
    result = made(
        folder,
        "a:b",
        "--threads",
        "9",
        PRONGHORN_THREADS="8",
        PRONGHORN_BACKLOG="8",
        WEB_CONCURRENCY="7",
        PORT="7",
    )
    assert result.serve.threads == 9
    assert result.listen.backlog == 8
    assert result.process.workers == 7
    assert result.listen.bind == ("0.0.0.0:7",)
    assert result.serve.keep_alive == 2
    assert result.serve.head_timeout == 10
    assert result.origins == {
        "threads": "--threads",
        "backlog": "PRONGHORN_BACKLOG",
        "workers": "WEB_CONCURRENCY",
        "bind": "PORT",
        "keep_alive": "pronghorn.toml:4 (keep_alive)",
    }


def test_the_named_file_instead_of_the_one_here(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text("threads = 2\n")
    (folder / "other.toml").write_text("threads = 3\n")
    assert made(folder, "a:b").serve.threads == 2
    assert made(folder, "a:b", "--config", "other.toml").serve.threads == 3
    assert made(folder, "a:b", "-c", "other.toml").serve.threads == 3
    assert made(folder, "a:b", PRONGHORN_CONFIG="other.toml").serve.threads == 3


def test_no_application_and_no_route(folder: Path) -> None:
    with pytest.raises(UsageError, match="No application is named"):
        made(folder)
    (folder / "pronghorn.toml").write_text('[apps.a]\nuse = "a:b"\n')
    with pytest.raises(UsageError) as caught:
        made(folder)
    assert "pronghorn.toml has no [[route]]." in str(caught.value)
    for command in ("config", "routes"):
        assert not made(folder, command).composition


def test_routes_instead_of_an_application(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text('[[route]]\npath = "/a"\napp = "a:b"\n')
    assert [route.path for route in made(folder).composition.routes] == ["/a"]
    assert [route.path for route in made(folder, "c:d").composition.routes] == ["/a", "/"]


def test_directories_from_every_source(folder: Path) -> None:
    assert [route.where for route in made(folder, "--static", "/s=dist").composition.routes] == [
        "--static /s=dist"
    ]
    by_variable = made(folder, "a:b", PRONGHORN_STATIC="/s=dist /t=dist").composition
    assert [route.path for route in by_variable.routes] == ["/s", "/t", "/"]
    (folder / "pronghorn.toml").write_text('static = ["/s=dist"]\n')
    (route,) = made(folder).composition.routes
    assert route.root == f"{folder}/dist" and route.where.startswith("pronghorn.toml:1 (static)")


@pytest.mark.parametrize("text", ["s=dist", "/s", "/s=", "//s=dist", "=dist"])
def test_a_directory_mistyped(text: str, folder: Path) -> None:
    with pytest.raises(UsageError, match="is not ROUTE=DIR"):
        made(folder, "a:b", "--static", text)


def test_static_serves_its_directory_whatever_file_lies_there(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text('threads = 2\n[[route]]\napp = "a:b"\n')
    result = made(folder, "static", "dist")
    assert [route.root for route in result.composition.routes] == [f"{folder}/dist"]
    assert result.serve.threads == 8
    result = made(folder, "static", "dist", "--config", "pronghorn.toml")
    assert (len(result.composition.routes), result.serve.threads) == (1, 2)
    with pytest.raises(ConfigError, match="serves one directory"):
        made(folder, "static", "dist", "--static", "/x=dist")


def test_a_change_is_seen_when_it_is_read_again(folder: Path) -> None:
    line = read(["a:b"])
    assert settings(line, {}, str(folder)).serve.threads == 8
    (folder / "pronghorn.toml").write_text("threads = 2\n")
    assert settings(line, {}, str(folder)).serve.threads == 2
    (folder / "pronghorn.toml").write_text("threads = \n")
    with pytest.raises(StartupError):
        settings(line, {}, str(folder))


def test_a_deploy_that_has_a_link_lead_elsewhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stays in the old directory, which may be removed; a reload is about the new one."""
    for version in ("1", "2"):
        (folder / version / "dist").mkdir(parents=True)
        (folder / version / "pronghorn.toml").write_text(f'threads = {version}\n[[route]]\nroot = "dist"\n')
    (folder / "current").symlink_to("1")
    monkeypatch.chdir(folder / "1")
    here = working_directory({"PWD": f"{folder}/current"})
    line = read(["--static", "/s=dist"])
    assert settings(line, {}, here).serve.threads == 1
    (folder / "current").unlink()
    (folder / "current").symlink_to("2")
    shutil.rmtree(folder / "1")
    result = settings(line, {}, here)
    assert result.serve.threads == 2
    assert {route.root for route in result.composition.routes} == {f"{folder}/current/dist"}
    assert working_directory({"PWD": here}) == here and working_directory({}) == "/"


def test_reload_watches_the_file(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text('reload = true\nreload_extra_file = "x"\n')
    assert made(folder, "a:b").process.reload_extra_file == (f"{folder}/x", f"{folder}/pronghorn.toml")
    assert made(folder, "config").process.reload_extra_file == (f"{folder}/x",)


def test_reload_watches_files_of_paste_and_those_that_they_name(folder: Path) -> None:
    (folder / "etc").mkdir()
    files = {
        "a.ini": "use = config:etc/b.ini\npipeline = config:etc/c%20d.ini#x config:no.ini",
        "etc/b.ini": "use = config:%(here)s/../a.ini#y",
        "etc/c d.ini": "",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    watched = {f"{folder}/{name}" for name in [*files, "no.ini"]}
    for spec in ("a.ini", "a.ini#main", "config:a.ini#main"):
        assert set(made(folder, spec, "--reload").process.reload_extra_file) == watched
    (folder / "pronghorn.toml").write_text('[apps.a]\npaste = "a.ini"\n[[route]]\napp = "a"\n')
    extra = made(folder, "--reload").process.reload_extra_file
    assert set(extra) == {*watched, f"{folder}/pronghorn.toml"} and len(extra) == 5
    (folder / "pronghorn.toml").unlink()
    assert (
        f"{folder}/etc/b.ini" in made(folder, "b.ini", "--reload", "--chdir", "etc").process.reload_extra_file
    )
    assert made(folder, "a.ini").process.reload_extra_file == ()


def test_the_working_directory_by_the_name_that_leads_to_it(folder: Path) -> None:
    (folder / "current").symlink_to(folder)
    link = f"{folder}/current"
    assert working_directory({"PWD": link}) == link
    assert working_directory({"PWD": "/no/such"}) == os.getcwd()
    assert working_directory({"PWD": "/"}) == os.getcwd()
    assert working_directory({}) == os.getcwd()
