"""The command with a configuration file, and the commands that look at one."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.command import COMMAND, Start, refused, surroundings
from tests.serving import PATIENCE, until

SITE = """\
bind = "127.0.0.1:0"

[apps.shop]
use = "shop:app"

[[route]]
path = "/shop"
app = "shop"

[[route]]
path = "/files"
root = "dist"
"""


@pytest.fixture
def site(folder: Path) -> Path:
    (folder / "dist").mkdir()
    (folder / "dist/a.txt").write_text("a file")
    (folder / "pronghorn.toml").write_text(SITE)
    return folder


def done(folder: Path, *arguments: str) -> str:
    """What a command prints that ends well."""
    ended = subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=surroundings({}), capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_check(site: Path) -> None:
    assert "all applications are in order" in done(site, "check")
    assert "shop:app are in order" in done(site, "check", "shop:app")
    (site / "shop.py").write_text("ap = 1\n")
    assert refused(site, "check")[0] == 3
    (site / "pronghorn.toml").write_text(SITE + "try = ['$path', '@shp']\n")
    code, text = refused(site, "check")
    assert code == 5 and "pronghorn.toml:13 (route.try)" in text and "Did you mean 'shop'?" in text


def test_an_unknown_user_is_told_by_check_and_start_with_its_place(site: Path) -> None:
    for key, place in ("user", "pronghorn.toml:1 (user)"), ("group", "pronghorn.toml:1 (group)"):
        (site / "pronghorn.toml").write_text(f'{key} = "no-such-name"\n' + SITE)
        said = f"Error: There is no {key} 'no-such-name' on this machine.\n  {place}\n"
        for command in (["check"], ["shop:app"], ["shop:app", "--no-master"]):
            code, text = refused(site, *command)
            assert code == 5 and text.startswith(said), text
    (site / "pronghorn.toml").write_text(SITE)
    code, text = refused(site, "check", environ={"PRONGHORN_USER": "no-such-name"})
    assert code == 5 and "\n  PRONGHORN_USER\n" in text


def test_an_application_of_the_file_by_its_name_without_any_route(folder: Path) -> None:
    (folder / "pronghorn.toml").write_text('[apps.store]\nuse = "shop:app"\n')
    assert "store: shop:app" in done(folder, "routes", "store")
    assert "application store are in order" in done(folder, "check", "store")
    assert "shop:app are in order" in done(folder, "check", "shop:app")
    assert "no routes" in done(folder, "routes", "shop:app")


def test_config(site: Path) -> None:
    text = done(site, "config", "--threads", "2")
    assert re.search(r"^threads = 2 +# --threads$", text, re.MULTILINE)
    assert re.search(r'^bind = \["127.0.0.1:0"\] +# pronghorn.toml:1 \(bind\)$', text, re.MULTILINE)
    assert json.loads(done(site, "config", "--json"))["options"]["threads"]["value"] == 8


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--version"], 0),
        (["--help"], 0),
        (["check"], 0),
        (["config"], 0),
        (["routes"], 0),
        (["schema"], 0),
        (["compress", "dist"], 0),
        (["check", "shop:ap"], 3),
    ],
)
def test_output_that_nobody_reads_is_no_error(arguments: list[str], code: int, site: Path) -> None:
    """`pronghorn config | head`."""
    reading, writing = os.pipe()
    os.close(reading)
    for unbuffered in ({}, {"PYTHONUNBUFFERED": "1"}):
        ended = subprocess.run(
            [*COMMAND, *arguments], cwd=site, env=surroundings(unbuffered), stdout=writing, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
        assert ended.returncode == code, ended.stderr
        assert (ended.stderr == "") is (code == 0)
        assert "Traceback" not in ended.stderr and "Exception" not in ended.stderr
    silent = subprocess.run(
        [*COMMAND, *arguments], cwd=site, env=surroundings({}), stdout=writing, stderr=writing
    )
    assert silent.returncode == code
    os.close(writing)


@pytest.mark.parametrize("arguments", [["--version"], ["check"], ["config"], ["compress", "dist"]])
def test_output_that_cannot_be_written_is_told_in_a_line(arguments: list[str], site: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [*COMMAND, *arguments], cwd=site, env=surroundings({}), stdout=full, stderr=subprocess.PIPE, text=True
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (
        1,
        "Error: stdout cannot be written: No space left on device.\n",
    )


def test_routes(site: Path) -> None:
    text = done(site, "routes", "shop:app")
    assert [line.split("#")[0].strip() for line in text.splitlines()] == [
        "any host", "/", "shop:app", "/files", f"files in {site}/dist", "/shop", "shop: shop:app",
    ]  # fmt: skip
    (site / "pronghorn.toml").unlink()
    assert "no routes" in done(site, "routes", "shop:app")


def test_schema(folder: Path) -> None:
    assert "route" in json.loads(done(folder, "schema"))["properties"]


def test_compress(site: Path) -> None:
    (site / "dist/b.js").write_text("let something = 1;\n" * 100)
    ended = subprocess.run(
        [*COMMAND, "compress", "dist"], cwd=site, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 0 and "2 files looked at" in ended.stdout
    assert (site / "dist/b.js.gz").exists() and not (site / "dist/a.txt.gz").exists()
    assert refused(site, "compress", "no")[0] == 5


def test_compress_shows_progress_on_a_terminal(site: Path) -> None:
    ours, theirs = os.openpty()
    ended = subprocess.run(
        [*COMMAND, "compress", "dist"], cwd=site, stdout=subprocess.PIPE, stderr=theirs, timeout=60
    )
    os.close(theirs)
    assert b"] 1/1" in os.read(ours, 4096) and b"1 files looked at" in ended.stdout
    os.close(ours)


def test_a_site_from_its_file(site: Path, start: Start) -> None:
    server = start(bind="")
    assert server.get("/files/a.txt") == "a file"
    assert server.get("/shop") == f"Hello {site}"


def test_a_file_elsewhere(site: Path, start: Start, tmp_path: Path) -> None:
    (site / "etc").mkdir()
    (site / "etc/site.toml").write_text(SITE.replace('"dist"', '"../dist"'))
    (site / "pronghorn.toml").unlink()
    server = start("--config", "etc/site.toml", bind="")
    assert server.get("/files/a.txt") == "a file"
    assert server.get("/shop") == f"Hello {site}"


def test_files_beside_an_application(site: Path, start: Start) -> None:
    (site / "pronghorn.toml").unlink()
    server = start("shop:app", "--static", "/static=dist", "--static", "/=dist")
    assert server.get("/static/a.txt") == "a file" == server.get("/a.txt")
    assert server.get("/").startswith("Hello ")


def test_a_directory_in_one_line(site: Path, start: Start) -> None:
    server = start("static", "dist")
    assert server.get("/a.txt") == "a file"
    assert "a.txt" in server.get("/")


@pytest.mark.skipif(not Path("/proc").exists(), reason="/proc shows what is open")
def test_the_whole_disk_is_for_a_route_to_serve(folder: Path) -> None:
    code, text = refused(folder, "static", "/")
    assert code == 5 and "force = true in a [[route]]" in text


def test_a_deleted_file_is_let_go_though_nobody_asks(site: Path, start: Start) -> None:
    """A large file is kept open for the next request; on the disk it stays for as long."""
    large = site / "dist/large.bin"
    large.write_bytes(bytes(1 << 20))
    server = start("static", "dist", "--no-master")

    def open_files() -> list[str]:
        folder, found = f"/proc/{server.child.pid}/fd", []
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.append(os.readlink(f"{folder}/{name}"))
        return found

    assert len(server.get("/large.bin")) == 1 << 20
    assert str(large.resolve()) in open_files()
    large.unlink()
    until(lambda: not any("large.bin" in name for name in open_files()), "nobody holds it open")


def test_hup_reads_the_file_again(site: Path, start: Start) -> None:
    server = start(bind="")
    (site / "pronghorn.toml").write_text("[broken\n")
    server.child.send_signal(signal.SIGHUP)
    server.wait_for("pronghorn.toml:1")
    assert server.get("/files/a.txt") == "a file"
    (site / "pronghorn.toml").write_text(SITE.replace("/files", "/new"))
    server.child.send_signal(signal.SIGHUP)
    until(lambda: status(server.port, "/new/a.txt") == 200, "the new route")
    until(lambda: status(server.port, "/files/a.txt") == 404, "the old workers are gone")


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", path, headers={"Connection": "close"})
    answer = connection.getresponse().status
    connection.close()
    return answer


def test_the_command_line_against_the_file(folder: Path) -> None:
    assert refused(folder, "--config", "no.toml")[0] == 5
    code, text = refused(folder, "--threads", "2", "check")
    assert code == 2 and "pronghorn check" in text
    (folder / "pronghorn.toml").write_text("threads = 0\n")
    code, text = refused(folder, "shop:app")
    assert code == 5 and "pronghorn.toml:1 (threads): 0 is not between" in text
