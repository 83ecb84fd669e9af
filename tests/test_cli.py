"""The command, as a process: what it prints, how it ends, what it serves."""

import ast
import http.client
import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pronghorn
from pronghorn import __version__
from tests.command import APP, COMMAND, Start, refused, surroundings
from tests.serving import PATIENCE, until

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
        (["shop:app", "--workers", "-1"], 5, "--workers: -1 is not between 1 and 4096"),
        (["shop:app", "--workers", "9999999"], 5, "is not between 1 and 4096"),
        (["shop:app", "--workers", "many"], 2, "neither a whole number nor auto"),
        (["shop:app", "--chdir", "nowhere"], 5, "--chdir: 'nowhere'"),
        (["shop:app", "--access-logfile", "no/such/file"], 5, "--access-logfile"),
        (["shop:app", "--user", "no-such-user"], 5, "'no-such-user' on this machine.\n  --user\n"),
    ],
)
def test_exit_codes_and_errors(arguments: list[str], code: int, hint: str, folder: Path) -> None:
    returned, text = refused(folder, *arguments)
    assert (returned, hint in text) == (code, True), text


def test_a_worker_that_is_killed_while_it_starts(folder: Path) -> None:
    (folder / "huge.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    code, text = refused(folder, "huge:app", "-b", "127.0.0.1:0")
    assert code == 3 and text.startswith("Error: Worker ")
    assert "was killed by SIGKILL before it was ready. Perhaps memory ran out (see dmesg)." in text


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
