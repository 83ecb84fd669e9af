"""What many connections cost when nothing happens on them, and when they are gone."""

import gc
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from pronghorn.observe.access import AccessLog
from pronghorn.serve import connection as connection_module
from pronghorn.serve import worker as worker_module
from pronghorn.serve.h1_exchange import H1Exchange
from tests.serving import head, serving, until


@pytest.fixture
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def exchanges() -> int:
    return sum(isinstance(each, H1Exchange) for each in gc.get_objects())


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("timeout", [0.0, 60.0], ids=["plain", "with deadlines"])
def test_a_closed_connection_is_no_work_for_the_collector(timeout: float) -> None:
    before = exchanges()
    with serving(hello, request_timeout=timeout) as server:
        for _ in range(10):
            assert server.get("/", "Connection: close").body == b"hello"
            # Several at once: their descriptors are not all used again.
            with ExitStack() as clients:
                for client in [clients.enter_context(server.connect()) for _ in range(5)]:
                    assert client.ask(head("GET", "/")).body == b"hello"
        until(lambda: not server.worker.connections, "all are closed")
        # The last one may still be in the hands of the thread that closed it.
        assert exchanges() - before <= 1


def test_who_has_been_idle_gives_back_what_it_remembers(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (worker_module, connection_module):
        monkeypatch.setattr(module, "DROWSY", 0.1)
    with serving(hello) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(head("GET", "/", "X-One: 1")).body == b"hello"
            until(lambda: all(each.h1.rests for each in server.worker.connections), "it rests")
            (connection,) = server.worker.connections
            assert connection.exchange.environ is None
            assert connection.exchange.request.fields == []


def test_an_empty_line_does_not_shorten_the_life_of_an_idle_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 9112 section 2.2: it means nothing."""
    for module in (worker_module, connection_module):
        monkeypatch.setattr(module, "DROWSY", 0.05)
    with serving(hello) as server, server.connect() as idle, server.connect() as client:
        client.send(b"\r\n")
        idle.ask(head("GET", "/"))
        until(lambda: any(each.h1.rests for each in server.worker.connections), "the other one rests")
        assert client.ask(head("GET", "/")).body == b"hello"


@pytest.mark.parametrize("size", [60, 60_000])
def test_texts_for_the_access_log_are_kept_only_where_they_are_short(size: int, tmp_path: Path) -> None:
    """Escaped, a head is four times as long as it came; and the next head may be slow to come."""
    path = tmp_path / "access.log"
    with serving(hello, access=AccessLog(str(path))) as server, server.connect() as client:
        for _ in range(2):
            assert client.ask(head("GET", "/", "User-Agent: " + "\xff" * size)).body == b"hello"
        (connection,) = server.worker.connections
        until(lambda: path.read_text().count("\n") == 2, "the lines have been made")
        asked = connection.exchange.asked
        assert asked is not None and (asked.request is not None and asked.fields != []) is (size == 60)


def test_texts_for_the_access_log_are_not_kept_through_a_slow_body() -> None:
    """They refer to the head of the last request."""
    with serving(hello, access=AccessLog("/dev/null")) as server, server.connect() as client:
        assert client.ask(head("GET", "/", "Cookie: " + "a" * 60_000)).body == b"hello"
        (connection,) = server.worker.connections
        until(lambda: connection.exchange.asked is not None, "they are kept")
        client.send(head("POST", "/", length=100) + b"a")
        until(lambda: connection.exchange.asked is None, "they are gone")
