"""The access log never hurts: buffering, rotation, full disks, pipes that nobody reads."""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pronghorn.observe.access import AccessLog
from tests.observe.exchanges import exchange, head


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Lines(logging.Handler):
    """What the error log was told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def errors() -> Iterator[Lines]:
    log, handler = logging.getLogger("pronghorn.error"), Lines()
    log.addHandler(handler)
    yield handler
    log.removeHandler(handler)


def add(log: AccessLog, number: int = 0, **environ: object) -> None:
    log.write(exchange(f"/{number}", environ=environ), head(), 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "access.log"


def test_lines_are_buffered_until_flush(path: Path) -> None:
    log = AccessLog(str(path), "%(U)s")
    add(log, 1)
    assert path.read_text() == ""
    log.flush()
    assert path.read_text() == "/1\n"
    add(log, 2)
    log.close()
    assert path.read_text() == "/1\n/2\n"


def test_it_appends(path: Path) -> None:
    path.write_text("before\n")
    log = AccessLog(str(path), "%(U)s")
    add(log, 1)
    log.close()
    assert path.read_text() == "before\n/1\n"


def test_eighty_lines_are_written_without_flush(path: Path) -> None:
    log = AccessLog(str(path), "%(U)s" + "x" * 100)
    for number in range(100):
        add(log, number)
    assert len(path.read_text().splitlines()) == 80
    log.close()
    assert len(path.read_text().splitlines()) == 100


def test_what_ends_while_another_thread_writes_does_not_wait_for_the_next_round(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = AccessLog(str(path), "%(U)s"), os.write
    meanwhile = iter([2])

    def and_another(file: int, data: bytes) -> int:
        for number in meanwhile:
            add(log, number)
            log.flush()
            assert path.read_text() == ""
        return write(file, data)

    monkeypatch.setattr(os, "write", and_another)
    add(log, 1)
    log.flush()
    assert path.read_text() == "/1\n/2\n"
    log.close()


def test_long_texts_are_not_kept_for_the_next_request(path: Path) -> None:
    log = AccessLog(str(path), "%(U)s")
    place = exchange("/" + "x" * 5000)
    for _ in range(2):
        log.write(place, head(), 0)
    log.flush()
    assert path.read_text() == ("/" + "x" * 5000 + "\n") * 2
    assert place.asked is not None and place.asked.line == [] and place.asked.request is None
    log.close()


def test_every_line_of_many_threads_is_there_and_whole(path: Path) -> None:
    log = AccessLog(str(path), "%(U)s " + "x" * 50)

    def write(start: int) -> None:
        for number in range(start, start + 500):
            add(log, number)

    threads = [threading.Thread(target=write, args=(start,)) for start in range(0, 4000, 500)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(path.read_text().splitlines()) == sorted(f"/{n} " + "x" * 50 for n in range(4000))


def test_reopen_goes_on_in_a_new_file(path: Path) -> None:
    log = AccessLog(str(path), "%(U)s")
    add(log, 1)
    moved = path.rename(path.with_suffix(".1"))
    log.reopen()
    add(log, 2)
    log.close()
    assert (moved.read_text(), path.read_text()) == ("/1\n", "/2\n")


def test_reopen_that_fails_stays_with_the_old_file(path: Path, errors: Lines) -> None:
    log = AccessLog(str(path), "%(U)s")
    moved = path.rename(path.with_suffix(".1"))
    path.mkdir()
    log.reopen()
    add(log, 1)
    log.close()
    assert moved.read_text() == "/1\n"
    assert len(errors.lines) == 1 and "cannot be reopened" in errors.lines[0]


def test_a_full_disk_loses_lines_and_says_so_once(errors: Lines) -> None:
    log = AccessLog("/dev/full", "%(U)s")
    for number in range(3):
        add(log, number)
        log.flush()
    assert len(errors.lines) == 1
    assert "No space left" in errors.lines[0]
    log.close()


def test_a_pipe_that_nobody_reads_never_blocks_and_lines_come_later(tmp_path: Path, errors: Lines) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(fifo), "%(U)s" + "x" * 1000)
    for number in range(200):  # more than a pipe holds
        add(log, number)
    received = b""
    while received.count(b"\n") < 200:
        received += os.read(reader, 65536)
        log.flush()
    assert [line.rstrip(b"x") for line in received.split()] == [b"/%d" % n for n in range(200)]
    for number in range(1200):  # more than is kept
        add(log, number)
    log.close()
    assert [line for line in errors.lines if "Nobody reads" in line] == errors.lines != []
    os.close(reader)


def test_a_pipe_that_has_no_reader_at_the_start_is_an_error_at_once(tmp_path: Path, errors: Lines) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with pytest.raises(OSError, match="nobody reads"):
        AccessLog(str(fifo))
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(fifo))
    os.close(reader)
    log.reopen()
    assert len(errors.lines) == 1 and "cannot be reopened: nobody reads" in errors.lines[0]
    log.close()


def test_a_pipe_without_a_reader_is_an_error_not_a_signal(tmp_path: Path, errors: Lines) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    log = AccessLog(str(fifo), "%(U)s")
    os.close(reader)
    add(log)
    log.close()
    assert len(errors.lines) == 1 and "cannot be written" in errors.lines[0]


def test_an_environ_that_cannot_be_formatted_costs_its_line_only(path: Path, errors: Lines) -> None:
    log = AccessLog(str(path), "%({x}e)s")
    add(log, x=Unprintable())
    add(log, x="fine")
    log.close()
    assert path.read_text() == "fine\n"
    assert len(errors.lines) == 1


def test_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    log = AccessLog("-", "%(U)s")
    add(log, 1)
    log.reopen()
    log.close()
    assert capfd.readouterr().out == "/1\n"
    os.fstat(1)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        AccessLog(str(tmp_path / "no" / "access.log"))
