"""PEP 3333: the write() callable. CHECKLIST P-57 to P-59."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import head, serving
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
