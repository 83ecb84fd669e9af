"""The command, as a process: what it prints, how it ends, what it serves."""

import ast
import http.client
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pronghorn
from pronghorn import __version__
from tests.serving import PATIENCE, until

APP = """
import os, sys

def app(environ, start_response):
    text = os.environ.get("GREETING", "Hello") + " " + os.getcwd()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text.encode()]

def slow(environ, start_response):
    print("started", file=sys.stderr, flush=True)
    sys.stdin.read()
    start_response("200 OK", [])
    return [b"done"]
"""

COMMAND = [sys.executable, "-m", "pronghorn"]


class Running:
    """A server in a process of its own."""

    def __init__(self, child: subprocess.Popen[str], log: Path) -> None:
        self.child = child
        self._log = log

    @property
    def log(self) -> str:
        """What went to stderr so far."""
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        until(lambda: text in self.log or self.child.poll() is not None, text)
        assert text in self.log, self.log

    @property
    def port(self) -> int:
        found = re.search(r"http://[^ :]+:(\d+)", self.log)
        assert found, self.log
        return int(found[1])

    def get(self, path: str = "/") -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        assert answer.status == 200
        text = answer.read().decode()
        connection.close()
        return text

    def end(self, number: int = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(PATIENCE)


Start = Callable[..., Running]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path


def surroundings(changes: dict[str, str]) -> dict[str, str]:
    ours = ("PRONGHORN_", "PORT", "WEB_CONCURRENCY", "NO_COLOR", "PYTHONPATH")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | changes


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Start the server in `folder` on a free port; it has printed its banner."""
    started: list[Running] = []

    def start_server(
        *arguments: str, environ: dict[str, str] | None = None, bind: str = "127.0.0.1:0"
    ) -> Running:
        log = folder / f"stderr-{len(started)}"
        with log.open("w") as stderr:
            child = subprocess.Popen(
                [*COMMAND, *arguments, *(["--bind", bind] if bind else [])],
                cwd=folder,
                env=surroundings(environ or {}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        started.append(Running(child, log))
        started[-1].wait_for("Ctrl+C")
        return started[-1]

    yield start_server
    for running in started:
        running.child.kill()
        running.child.communicate()


def refused(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> tuple[int, str]:
    """The exit code and stderr of a command that does not start."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=surroundings(environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 6, done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


# Without serving


def test_version() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    python = ".".join(map(str, sys.version_info[:3]))
    first, *modules = done.stdout.splitlines()
    kind = "compiled" if modules else "pure Python"
    assert first == f"pronghorn {__version__} ({kind}, CPython {python})"


def test_version_says_what_is_compiled() -> None:
    """All that has a .pxd beside it, or nothing; and what is said to be compiled is."""
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    modules = [line.strip() for line in done.stdout.splitlines()[1:]]
    package = Path(pronghorn.__file__).parent
    typed = [
        ".".join(path.with_suffix("").relative_to(package.parent).parts) for path in package.rglob("*.pxd")
    ]
    assert modules in ([], sorted(typed))
    for name in typed:
        module = importlib.import_module(name)
        assert str(module.__file__).endswith(".py") is (name not in modules)


def test_version_imports_no_more_than_it_needs() -> None:
    """50 ms are a promise; what would break it is an import."""
    program = (
        "import sys; before = set(sys.modules); from pronghorn.cli import main; main(['--version']);"
        "print(sorted(m for m in set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert {name for name in loaded if name.startswith("pronghorn")} == {
        "pronghorn",
        "pronghorn.cli",
        "pronghorn.errors",
    }
    assert loaded.isdisjoint({"argparse", "dataclasses", "inspect", "logging", "re", "socket", "typing"})


def test_the_installed_command_is_the_same() -> None:
    script = Path(sys.executable).with_name("pronghorn")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("pronghorn ")


def test_check_config_loads_the_application_and_binds_nothing(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        done = subprocess.run(
            [*COMMAND, "shop:app", "--check-config", "-b", bind],
            cwd=folder, env=surroundings({}), capture_output=True, text=True,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1 and "shop:app" in done.stdout
    assert refused(folder, "shop:ap", "--check-config")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        ([], 2, "No application is named"),
        (["shop:app", "--thread", "2"], 2, "Did you mean --threads?"),
        (["chek"], 2, "Did you mean `pronghorn check`?"),
        (["shp"], 3, "Did you mean `shop`?"),
        (["shop:app", "--threads", "two"], 2, "--threads"),
        (["shop:app", "--bind", "::1"], 2, "[::1]:8000"),
        (["shop:ap", "--bind", "127.0.0.1:0"], 3, "Did you mean `app`?"),
        (["shp:app", "--bind", "127.0.0.1:0"], 3, "Did you mean `shop`?"),
        (["shop:app", "--bind", "192.0.2.1:80"], 4, "No interface"),
        (["shop:app", "--threads", "0"], 5, "--threads: 0"),
        (["shop:app", "--chdir", "nowhere"], 5, "--chdir: 'nowhere'"),
        (["shop:app", "--access-logfile", "no/such/file"], 5, "--access-logfile"),
    ],
)
def test_exit_codes_and_errors(arguments: list[str], code: int, hint: str, folder: Path) -> None:
    returned, text = refused(folder, *arguments)
    assert (returned, hint in text) == (code, True), text


def test_a_module_that_is_nearly_called_as_a_command(folder: Path) -> None:
    (folder / "chek.py").write_text(APP)
    done = subprocess.run(
        [*COMMAND, "chek", "--check-config"], cwd=folder, env=surroundings({}), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_bad_variable_is_named(folder: Path) -> None:
    code, text = refused(folder, "shop:app", environ={"PRONGHORN_KEEP_ALIVE": "soon"})
    assert code == 5 and "PRONGHORN_KEEP_ALIVE: 'soon'" in text


def test_an_address_in_use_is_told_before_the_application_is_imported(folder: Path) -> None:
    (folder / "shop.py").write_text("import pathlib; pathlib.Path('imported').touch()\n" + APP)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, text = refused(folder, "shop:app", "-b", f"127.0.0.1:{port}")
    assert code == 4
    assert f"127.0.0.1:{port} is already in use" in text and f"pid {os.getpid()}" in text
    assert not (folder / "imported").exists()


def test_a_failed_load_leaves_no_socket_file_behind(folder: Path) -> None:
    assert refused(folder, "shop:ap", "-b", "unix:site.sock")[0] == 3
    assert not (folder / "site.sock").exists()


def test_the_whole_traceback_of_a_failed_import_is_had_with_log_level_debug(folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    arguments = [*COMMAND, "broken:app", "-b", "127.0.0.1:0"]
    done = subprocess.run([*arguments, "--log-level", "debug"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 3 and "Traceback" in done.stderr and "broken.py" in done.stderr
    assert refused(folder, *arguments[3:])[0] == 3


# Serving


def test_the_banner_has_three_lines_and_the_port_it_got(start: Start) -> None:
    server = start("shop:app")
    lines = [line for line in server.log.splitlines() if not line.startswith("[")]
    assert len(lines) <= 3 and "shop:app" in lines[0]
    assert server.port > 0 and "\x1b" not in server.log
    assert server.get().startswith("Hello ")


def test_surroundings_of_the_application(start: Start, folder: Path) -> None:
    inner, extra = folder / "inner", folder / "extra"
    inner.mkdir()
    extra.mkdir()
    (inner / "site_module.py").write_text("import helper_module\nfrom helper_module import app\n")
    (extra / "helper_module.py").write_text(APP)
    server = start(
        "site_module:app", "--chdir", "inner", "--pythonpath", "../extra", "-e", "GREETING=Good day"
    )
    assert server.get() == f"Good day {inner}"


def test_port_of_the_platform(start: Start) -> None:
    server = start("shop:app", environ={"PORT": "0", "WEB_CONCURRENCY": "3"}, bind="")
    assert server.get()
    server.wait_for("with 3 workers of 8 threads")


def test_several_addresses(start: Start, folder: Path) -> None:
    server = start("shop:app", "-b", "unix:site.sock,mode=600", "-b", "[::1]:0")
    assert "unix:site.sock" in server.log and "http://[::1]:" in server.log
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(folder / "site.sock"))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert server.end() == 0
    assert not (folder / "site.sock").exists()


def test_an_inherited_socket(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        child = subprocess.Popen(
            [*COMMAND, "shop:app", "--bind", f"fd://{given.fileno()}"],
            cwd=folder, env=surroundings({}), pass_fds=[given.fileno()], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        port = given.getsockname()[1]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
        child.terminate()
        assert child.wait(PATIENCE) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@pytest.mark.parametrize("threads", ["1", "4"])
def test_signals_end_it(number: int, threads: str, start: Start) -> None:
    server = start("shop:app", "--threads", threads)
    server.get()
    assert server.end(number) == 0
    assert "Traceback" not in server.log


def test_term_finishes_what_was_begun(start: Start) -> None:
    server = start("shop:slow")
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_for("started")
        server.child.send_signal(signal.SIGTERM)
        until(lambda: not accepts(server.port), "the listener is closed")
        assert server.child.stdin is not None
        server.child.stdin.close()
        answer = b""
        while block := client.recv(4096):
            answer += block
    assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"done")
    server.child.stdin = None
    assert server.child.wait(PATIENCE) == 0


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


def test_the_access_log_on_stdout_and_its_format(start: Start) -> None:
    server = start("shop:app", "--access-logfile", "-", "--access-logformat", "%(m)s %(U)s %(s)s %(B)s")
    text = server.get("/a%20b?q=1")
    assert server.child.stdout is not None
    assert server.child.stdout.readline() == f"GET /a b 200 {len(text)}\n"


def test_usr1_reopens_both_logs(start: Start, folder: Path) -> None:
    server = start("shop:app", "--access-logfile", "access.log", "--error-logfile", "error.log")
    server.get("/one")
    old = (folder / "access.log").rename(folder / "access.log.1")
    (folder / "error.log").rename(folder / "error.log.1")
    server.child.send_signal(signal.SIGUSR1)
    until((folder / "access.log").exists, "a new access log")
    until((folder / "error.log").exists, "a new error log")
    server.get("/two")
    until(lambda: "/two" in (folder / "access.log").read_text(), "/two")
    assert "/one" in old.read_text() and "/two" not in old.read_text()
    assert server.end() == 0


def test_interrupting_a_slow_import(folder: Path) -> None:
    (folder / "shop.py").write_text("print('importing', flush=True)\nimport sys\nsys.stdin.read()\n")
    child = subprocess.Popen(
        [*COMMAND, "shop:app", "-b", "unix:site.sock"],
        cwd=folder, env=surroundings({}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "importing\n"
    child.send_signal(signal.SIGINT)
    child.wait(PATIENCE)  # before its input ends, and with it the import
    _, errors = child.communicate(timeout=PATIENCE)
    assert (child.returncode, errors) == (130, "")
    assert not (folder / "site.sock").exists()


def test_colour_on_a_terminal_unless_no_color(folder: Path) -> None:
    for variable, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False)):
        ours, theirs = os.openpty()
        child = subprocess.Popen(
            [*COMMAND, "shop:app", "-b", "127.0.0.1:0"], cwd=folder, env=surroundings(variable), stderr=theirs
        )
        os.close(theirs)
        text = ""
        deadline = time.monotonic() + PATIENCE
        while "Ctrl+C" not in text and time.monotonic() < deadline:
            text += os.read(ours, 4096).decode()
        child.terminate()
        child.wait(PATIENCE)
        os.close(ours)
        assert ("\x1b[" in text) is coloured
        assert "http://127.0.0.1:" in text


# The configuration file and the commands

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


def test_config(site: Path) -> None:
    text = done(site, "config", "--threads", "2")
    assert re.search(r"^threads = 2 +# --threads$", text, re.MULTILINE)
    assert re.search(r'^bind = \["127.0.0.1:0"\] +# pronghorn.toml:1 \(bind\)$', text, re.MULTILINE)
    assert json.loads(done(site, "config", "--json"))["options"]["threads"]["value"] == 8


def test_config_into_a_pipe_that_closes(site: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    ended = subprocess.run([*COMMAND, "config"], cwd=site, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert (ended.returncode, ended.stderr) == (0, b"")


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
def test_a_deleted_file_is_let_go_though_nobody_asks(site: Path, start: Start) -> None:
    """A large file is kept open for the next request; on the disk it stays for as long."""
    large = site / "dist/large.bin"
    large.write_bytes(bytes(1 << 20))
    server = start("static", "dist", "--no-master")

    def open_files() -> list[str]:
        folder = f"/proc/{server.child.pid}/fd"
        return [os.readlink(f"{folder}/{name}") for name in os.listdir(folder)]

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


def test_a_module_called_as_a_command_is(folder: Path, start: Start) -> None:
    (folder / "check.py").write_text(APP)
    assert start("check:app").get().startswith("Hello")


# From Python


def test_serve_from_the_main_thread(folder: Path) -> None:
    (folder / "main.py").write_text(
        "import pronghorn, shop\npronghorn.serve(shop.app, bind='unix:main.sock', threads=2)\nprint('over')\n"
    )
    assert serves_and_ends(folder, "main.py") == "over\n"


def test_serve_a_specification_from_another_thread(folder: Path) -> None:
    (folder / "main.py").write_text(
        "import pronghorn, threading, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(print('over')))\n"
        "threading.Thread(target=pronghorn.serve, args=['shop:app'],"
        " kwargs={'bind': ['unix:main.sock']}, daemon=True).start()\n"
        "while True: signal.pause()\n"
    )
    assert serves_and_ends(folder, "main.py") == "over\n"


def serves_and_ends(folder: Path, script: str) -> str:
    child = subprocess.Popen(
        [sys.executable, "-X", "dev", script], cwd=folder, env=surroundings({}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    path = folder / "main.sock"
    until(lambda: path.exists() or child.poll() is not None, "the socket")
    assert child.stderr is not None
    assert child.stderr.readline().startswith("Pronghorn")
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(str(path))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
    child.terminate()
    output, errors = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, errors
    return output
