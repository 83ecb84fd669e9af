"""The error log: its form, rotation, and applications that configure logging themselves."""

import logging
import logging.config
import os
import pty
import re
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pronghorn.observe import logs
from pronghorn.observe.logs import LogOptions
from tests.serving import PATIENCE


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    log = logging.getLogger(logs.NAME)
    before = log.__class__, log.level, log.propagate
    yield
    for handler in log.handlers[:]:
        log.removeHandler(handler)
        if isinstance(handler, logs.Handler):
            handler.discard()
    log.__class__, log.level, log.propagate = before


def test_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    logs.setup(LogOptions()).info("Hello %s", "you")
    line = capfd.readouterr().err
    form = r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}\] \[(\d+)\] \[INFO\] Hello you\n"
    found = re.fullmatch(form, line)
    assert found and int(found[1]) == os.getpid()


def test_the_level(capfd: pytest.CaptureFixture[str]) -> None:
    log = logs.setup(LogOptions(log_level="warning"))
    log.info("quiet")
    log.warning("loud")
    assert "quiet" not in (text := capfd.readouterr().err) and "loud" in text


def test_a_file_and_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    log = logs.setup(LogOptions(error_logfile=str(path)))
    log.error("one")
    moved = path.rename(tmp_path / "error.log.1")
    logs.reopen(log)
    log.error("two")
    assert "one" in moved.read_text() and "two" in path.read_text() and "two" not in moved.read_text()


def test_a_text_that_is_being_written_meets_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread between looking up the descriptor and writing, while the leader reopens and accepts clients."""
    path = tmp_path / "error.log"
    log = logs.setup(LogOptions(error_logfile=str(path)))
    write = os.write
    clients: list[int] = []

    def late(fd: int, data: bytes) -> int:
        if not clients:
            path.rename(tmp_path / "error.log.1")
            logs.reopen(log)
            clients.extend(os.open(tmp_path / f"client{n}", os.O_RDWR | os.O_CREAT) for n in range(3))
        return write(fd, data)

    monkeypatch.setattr(os, "write", late)
    logs.write_text(log, "for the log")
    for client in clients:
        assert os.fstat(client).st_size == 0
        os.close(client)
    assert path.read_text() == "for the log"


def test_reopen_that_fails_stays_with_the_old_file_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    log = logs.setup(LogOptions(error_logfile=str(path)))
    moved = path.rename(tmp_path / "error.log.1")
    path.mkdir()
    logs.reopen(log)
    log.error("still")
    assert "cannot be reopened" in moved.read_text() and "still" in moved.read_text()


def test_a_second_setup_replaces_the_first(tmp_path: Path) -> None:
    logs.setup(LogOptions(error_logfile=str(tmp_path / "one")))
    logs.setup(LogOptions(error_logfile=str(tmp_path / "two"))).error("x")
    assert (tmp_path / "one").read_text() == "" and (tmp_path / "two").read_text().count("x") == 1


def test_an_application_that_calls_dict_config_does_not_silence_it(tmp_path: Path) -> None:
    path = tmp_path / "error.log"
    log = logs.setup(LogOptions(error_logfile=str(path)))
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    log.error("still here")
    assert "still here" in path.read_text()


def test_control_characters_cannot_steer_a_terminal_but_tracebacks_keep_their_lines(
    capfd: pytest.CaptureFixture[str],
) -> None:
    logs.setup(LogOptions()).error("bad \x1b[31m\nsecond line")
    text = capfd.readouterr().err
    assert "\x1b" not in text and r"bad \x1b[31m" in text and text.endswith("\nsecond line\n")


@pytest.mark.parametrize(
    ("variable", "colour"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_on_a_terminal_only_and_never_with_no_color(
    variable: dict[str, str], colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    ours, theirs = pty.openpty()
    try:
        assert logs.wants_colour(theirs) is colour
    finally:
        os.close(ours)
        os.close(theirs)


def test_no_colour_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with (tmp_path / "x").open("w") as file:
        assert not logs.wants_colour(file.fileno())
    assert not logs.wants_colour(12345)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Its path, and a descriptor to read from."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reader
    os.close(reader)


@pytest.mark.parametrize("device", ["a FIFO", "stderr"])
def test_a_pipe_that_nobody_reads_holds_nobody_up_and_tells_its_loss_later(
    device: str, fifo: tuple[Path, int]
) -> None:
    path, reader = fifo
    writer, stderr = os.open(path, os.O_WRONLY), os.dup(2)
    if device == "stderr":
        os.dup2(writer, 2)
    try:
        log = logs.setup(LogOptions(error_logfile="-" if device == "stderr" else str(path)))

        def fill() -> None:
            for number in range(200):  # more than a pipe holds
                log.error("%d" + "x" * 1000, number)
            logs.write_text(log, "of the application\n" * 2)

        thread = threading.Thread(target=fill, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        held = os.read(reader, 1 << 20)
        log.error("again")
        later = os.read(reader, 1 << 20)
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(writer)
    first = re.findall(r"(\d+)x+\n", held.decode())
    assert first == [str(number) for number in range(len(first))] != []
    loss, again = later.decode().splitlines()
    assert loss.endswith(f"lines lost: {202 - len(first)}") and again.endswith("again")


def test_a_reader_who_is_only_slower_loses_nothing(
    fifo: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reader = fifo
    monkeypatch.setattr(logs, "_GRACE", PATIENCE)
    log = logs.setup(LogOptions(error_logfile=str(path)))
    text = "x" * 100 + "\n"
    thread = threading.Thread(target=logs.write_text, args=(log, text * 2000), daemon=True)
    thread.start()
    received = b""
    poller = select.poll()
    poller.register(reader, select.POLLIN)
    while len(received) < 2000 * len(text) and poller.poll(PATIENCE * 1000):
        received += os.read(reader, 1 << 16)
    assert received == text.encode() * 2000
    thread.join(PATIENCE)


def test_a_fifo_that_nobody_reads_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="nobody reads"):
        logs.setup(LogOptions(error_logfile=str(tmp_path / "fifo")))


def test_a_reader_who_has_left_holds_up_no_rotation(tmp_path: Path) -> None:
    path, new = tmp_path / "log", tmp_path / "log.1"
    log = logs.setup(LogOptions(error_logfile=str(path)))
    path.rename(new)
    os.mkfifo(path)
    logs.reopen(log)
    log.error("still")
    assert "cannot be reopened: nobody reads" in new.read_text() and "still" in new.read_text()


def test_a_file_is_written_as_a_file(tmp_path: Path) -> None:
    logs.setup(LogOptions(error_logfile=str(tmp_path / "log")))
    (handler,) = logging.getLogger(logs.NAME).handlers
    assert isinstance(handler, logs.Handler) and os.get_blocking(handler.fd)
