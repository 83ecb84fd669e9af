"""PEP 3333: the write() callable. CHECKLIST P-57 to P-59."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.errors import ApplicationError, ClientDisconnected, RequestTimeout
from pronghorn.http.exchange import Exchange
from pronghorn.wsgi.call import Application
from pronghorn.wsgi.file_wrapper import FileWrapper
from tests.serving import PATIENCE, head, serving
from tests.wsgi.answers import answer_to, start, wait


@pytest.mark.parametrize(
    "result",
    [[], [b"three", b"four"], (b for b in (b"three", b"", b"four"))],
    ids=["none", "list", "generator"],
)
def test_p57_written_data_comes_first(result: Any) -> None:
    """P-57: all that was written, then the iterable."""

    def app(environ: Any, start_response: Any) -> Any:
        write = start(start_response)
        write(b"one")
        write(b"two")
        return result

    assert answer_to(app).body == (b"onetwo" if result == [] else b"onetwothreefour")


def test_p57_written_data_is_on_its_way() -> None:
    """P-57: the client has it while the application goes on."""
    received = threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response)(b"early")
        wait(received)
        return [b"late"]

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/"))
        client.buffer = client.read_until(b"early") + client.buffer
        received.set()
        assert client.read_answer().body == b"earlylate"


def test_p57_with_a_length_of_its_own() -> None:
    """P-57: written data counts towards Content-Length."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start(start_response, ("Content-Length", "9"))
        write(b"early")
        return [b"late"]

    answer = answer_to(app)
    assert (answer.body, answer.one("Content-Length")) == (b"earlylate", "9")


def test_p57_in_a_generator() -> None:
    """P-57: write() may also be used between two blocks."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        write = start(start_response)
        write(b"1")
        yield b"2"
        write(b"3")
        yield b"4"

    assert answer_to(app).body == b"1234"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_p58_writing_nothing_sends_nothing(method: str) -> None:
    """P-58: an empty write is no empty chunk, and no head either."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start(start_response)
        write(b"")
        write(b"one")
        write(b"")
        return [b"two"]

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(head(method, "/")).body == (b"onetwo" if method == "GET" else b"")


def test_p58_a_large_write_arrives_whole() -> None:
    """P-57: more than any buffer holds."""
    data = bytes(range(256)) * 40_000

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response)(data)
        return []

    assert answer_to(app).body == data


@pytest.mark.parametrize("data", ["text", None, 5], ids=["str", "None", "int"])
def test_p59_only_bytes_can_be_written(data: Any) -> None:
    """P-59: an error that the application sees."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start(start_response)
        try:
            write(data)
        except Exception as error:
            seen.append(error)
        return [b"after"]

    assert answer_to(app).body == b"after"
    assert len(seen) == 1


def test_p59_writing_after_the_end_is_an_error() -> None:
    """P-59: and hurts no later response on the connection."""
    kept: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start(start_response)
        if environ["PATH_INFO"] == "/first":
            kept.append(write)
        else:
            with pytest.raises(Exception, match=r"\S"):
                kept[0](b"EVIL")
        return [b"fine"]

    with serving(app) as server, server.connect() as client:
        assert client.ask(head("GET", "/first")).body == b"fine"
        with pytest.raises(Exception, match=r"\S"):
            kept[0](b"EVIL")
        assert client.ask(head("GET", "/second")).body == b"fine"


class Recorded(Exchange):
    """Notes what is sent. The first block takes until the response has ended, or a moment if it waits."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.sending = threading.Event()
        self._ended = threading.Event()

    def _slowly(self, what: str) -> None:
        self.sending.set()
        self._ended.wait(0.1)
        self.told.append(what)

    def _end(self, what: str) -> None:
        self.told.append(what)
        self._ended.set()

    def inform(self, lines: bytes) -> None:
        self._slowly("hints")

    def begin(self, head: object, length: object) -> bool:
        self.told.append("begin")
        return True

    def send(self, block: bytes) -> None:
        if block == b"late":
            self._slowly("late")
        else:
            self.told.append("block")

    def respond(self, head: object, block: bytes, goes_on: bool = False) -> None:
        self._end("respond")

    def send_file(self, file: int, offset: int, count: int) -> None:
        self._slowly("file")

    def end(self) -> None:
        self._end("end")

    def abort(self) -> None:
        self._end("abort")


def broken() -> Iterator[bytes]:
    raise ValueError("on purpose")
    yield b""


@pytest.mark.parametrize(
    ("made", "fields", "ending"),
    [
        (list, (), "end"),
        (lambda: [b"one"], (), "end"),
        (lambda: [b"one", b"two"], (), "end"),
        (lambda: iter([b"one"]), (), "end"),
        (lambda: FileWrapper(Path(__file__).open("rb")), (), "end"),  # noqa: SIM115
        (broken, (), "abort"),
        (list, (("Content-Length", "9"),), "abort"),
    ],
    ids=["nothing", "one block", "two blocks", "iterator", "file", "error", "too short"],
)
def test_p59_the_end_waits_for_a_write_in_another_thread(
    made: Callable[[], Iterable[bytes]], fields: Any, ending: str
) -> None:
    """P-59: a block that is being sent cannot come after the end, into the next response."""
    exchange = Recorded()
    refused = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start(start_response, *fields)

        def go_on() -> None:
            write(b"late")
            try:
                while True:
                    write(b"later")
            except Exception as error:
                refused.append(error)

        thread = threading.Thread(target=go_on)
        thread.start()
        wait(exchange.sending)
        threads.append(thread)
        return made()

    threads: list[threading.Thread] = []
    Application(app, logging.getLogger("quiet")).call(exchange, {})
    threads[0].join()
    assert [one for one in exchange.told if one != "block"] == ["begin", "late", ending]
    assert exchange.told[-1] == ending
    assert len(refused) == 1


def test_p59_nothing_is_written_into_a_file_that_is_being_sent() -> None:
    """P-59: from there on, the response is the server's."""
    exchange = Recorded()
    refused: list[Exception] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write = start(start_response)

        def go_on() -> None:
            wait(exchange.sending)
            try:
                write(b"late")
            except ApplicationError as error:
                refused.append(error)

        threads.append(threading.Thread(target=go_on))
        threads[0].start()
        return FileWrapper(Path(__file__).open("rb"))

    threads: list[threading.Thread] = []
    Application(app, logging.getLogger("quiet")).call(exchange, {})
    threads[0].join()
    assert exchange.told == ["begin", "file", "end"]
    assert len(refused) == 1


def test_p59_hints_in_another_thread_come_before_the_response() -> None:
    """RFC 8297: as with write(), what is being sent has its turn."""
    exchange = Recorded()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        hints = threading.Thread(target=environ["wsgi.early_hints"], args=([("Link", "</a>")],))
        hints.start()
        threads.append(hints)
        wait(exchange.sending)
        start(start_response)
        return [b"content"]

    threads: list[threading.Thread] = []
    Application(app, logging.getLogger("quiet")).call(exchange, {})
    threads[0].join()
    assert exchange.told == ["hints", "respond"]


class Gone(Recorded):
    """The client is no longer there."""

    def respond(self, head: object, block: bytes, goes_on: bool = False) -> None:
        raise ClientDisconnected("on purpose")


def swallow(write: Callable[[bytes], object]) -> list[bytes]:
    with pytest.raises(ClientDisconnected):
        write(b"content")
    return []


def replace(write: Callable[[bytes], object]) -> list[bytes]:
    swallow(write)
    raise ValueError("on purpose")


def leave(write: Callable[[bytes], object]) -> list[bytes]:
    write(b"content")
    return []


@pytest.mark.parametrize("answer", [swallow, replace, leave])
def test_p59_a_client_that_has_left_is_told_of_once(answer: Callable[[Any], list[bytes]]) -> None:
    """By `abort`, which the access log has its line from; also where the application keeps it to itself."""
    exchange = Gone()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        return answer(start(start_response, ("Content-Length", "7")))

    Application(app, logging.getLogger("quiet")).call(exchange, {})
    assert exchange.told == ["abort"]


def test_p59_a_timeout_between_two_steps_leaves_no_thread_waiting() -> None:
    """RequestTimeout may come when the lock is taken and not yet held by any `with`."""
    exchange = Recorded()
    responses: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        responses.append(start(start_response).__self__)
        responses[0].turn().acquire()
        raise RequestTimeout

    Application(app, logging.getLogger("quiet")).call(exchange, {})
    refused: list[Exception] = []

    def write_late() -> None:
        try:
            responses[0].write(b"late")
        except ApplicationError as error:
            refused.append(error)

    late = threading.Thread(target=write_late, daemon=True)
    late.start()
    late.join(PATIENCE)
    assert len(refused) == 1
