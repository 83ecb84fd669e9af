"""Who does not get ready says why, in a few lines, whatever the reason."""

import os
import shutil
import signal

import pytest

from tests.process.harness import eventually, running, said, site, started

MESSAGE_LINES = 6
STOP = "class Stop(BaseException): pass\nraise Stop('no more')\n"
INTERRUPT = "raise KeyboardInterrupt('by nobody')\n"
UNUSUAL = pytest.mark.parametrize(
    ("source", "reason"),
    [(STOP, "Stop: no more"), (INTERRUPT, "KeyboardInterrupt: by nobody")],
    ids=["BaseException", "KeyboardInterrupt"],
)
LEAVE = """
    elif path == "/leave":
        sys.exit(9)
    elif path == "/fail":
        raise RuntimeError("no database")"""


@UNUSUAL
@pytest.mark.parametrize("flags", [(), ("--preload",)], ids=["worker", "mold"])
def test_a_start_whose_import_raises_what_is_no_exception(
    source: str, reason: str, flags: tuple[str, ...]
) -> None:
    with started(source, "--workers", "2", *flags) as server:
        assert server.wait_exit() == 3
        assert reason in server.log() and "served.py, line " in server.log()
        assert len(server.log().splitlines()) <= MESSAGE_LINES, server.log()


@UNUSUAL
def test_a_reload_whose_import_raises_what_is_no_exception(source: str, reason: str) -> None:
    with running(site("1"), "--error-logfile", "error.log") as server:
        server.write(source)
        server.signal(signal.SIGHUP)
        log = server.path / "error.log"
        eventually(lambda: "the reload is given up" in log.read_text(), "its end")
        assert reason in log.read_text() and "Traceback" in log.read_text()
        assert said(server.get())[0] == "1"
        assert "Traceback" not in server.log(), "it is in the error log"


def test_a_warm_up_that_exits() -> None:
    with started(site("1", routes=LEAVE), "--warmup", "/leave") as server:
        assert server.wait_exit() == 3
        assert "GET /leave failed: SystemExit: 9" in server.log()


def test_a_start_that_fails_is_in_the_log_file_with_its_traceback() -> None:
    with started(site("1", routes=LEAVE), "--warmup", "/fail", "--error-logfile", "error.log") as server:
        assert server.wait_exit() == 3
        assert len(server.log().splitlines()) <= MESSAGE_LINES
        log = (server.path / "error.log").read_text()
        assert "GET /fail failed: RuntimeError: no database" in log
        assert 'raise RuntimeError("no database")' in log


@pytest.mark.parametrize("flags", [(), ("--no-master",)])
def test_the_traceback_of_a_start_that_fails_is_shown_where_that_is_said(flags: tuple[str, ...]) -> None:
    source = site("1", routes=LEAVE)
    with started(source, "--warmup", "/fail", *flags) as server:
        assert server.wait_exit() == 3
        assert len(server.log().splitlines()) <= MESSAGE_LINES
        assert "The whole traceback is shown with --log-level debug." in server.log()
    with started(source, "--warmup", "/fail", "--log-level", "debug", *flags) as server:
        assert server.wait_exit() == 3
        assert 'raise RuntimeError("no database")' in server.log()


@pytest.mark.parametrize(("flags", "gone"), [(("--chdir", "r/src"), "r/src"), ((), "r")])
def test_a_replacement_whose_directory_is_gone(flags: tuple[str, ...], gone: str) -> None:
    """Its --chdir, or where the server was started."""
    make = "mkdir -p r/src; mv served.py r/src" + ("" if flags else "; cd r; mv src/served.py .")
    with running(site("1"), *flags, wrapper=("sh", "-c", f'{make}; exec "$@"', "sh")) as server:
        old = said(server.get())[1]
        shutil.rmtree(server.path / gone)
        os.kill(old, signal.SIGKILL)
        server.wait_for_log(f"{gone}' cannot be entered: No such file or directory.")
        assert "Traceback" not in server.log()
        (server.path / gone).mkdir()
        (server.path / gone / "served.py").write_text(site("2"))
        server.wait_for_version("2")


@pytest.mark.parametrize("flags", [(), ("--chdir", "/"), ("--no-master",), ("--hooks", "served")])
def test_a_start_in_a_directory_that_is_gone(flags: tuple[str, ...]) -> None:
    wrapper = ("sh", "-c", 'mkdir gone; cd gone; rmdir ../gone; exec "$@"', "sh")
    with started(site("1"), *flags, wrapper=wrapper) as server:
        assert server.wait_exit() == 5
        assert "The working directory cannot be told: No such file or directory." in server.log()
        assert len(server.log().splitlines()) <= MESSAGE_LINES, server.log()
