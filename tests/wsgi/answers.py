"""The few lines that most of these applications share."""

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.serving import PATIENCE, Answer, serving

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
PLAIN = ("Content-Type", "text/plain")


def start(start_response: StartResponse, *fields: tuple[str, str], status: str = "200 OK") -> Any:
    return start_response(status, [PLAIN, *fields])


def hello(environ: Environ, start_response: StartResponse) -> list[bytes]:
    start(start_response)
    return [b"hello"]


def environ_of(target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Environ:
    """The environ that a request leads to."""
    seen: list[Environ] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        seen.append(dict(environ))
        return hello(environ, start_response)

    with serving(app) as server:
        answer = server.get(target, *fields, method=method, body=body)
    assert answer.status == 200
    assert len(seen) == 1
    return seen[0]


def answer_to(app: Callable[..., Any], target: str = "/", *fields: str, method: str = "GET") -> Answer:
    """What an application's one call leads to."""
    with serving(app) as server:
        return server.get(target, *fields, method=method)


class Body:
    """An iterable that counts its close() calls."""

    def __init__(self, blocks: Iterable[Any], before_close: Callable[[], object] = lambda: None) -> None:
        self.blocks = blocks
        self.before_close = before_close
        self.closed = threading.Event()
        self.closings = 0

    def __iter__(self) -> Iterator[Any]:
        return iter(self.blocks)

    def close(self) -> None:
        self.closings += 1
        self.closed.set()
        self.before_close()


def wait(event: threading.Event) -> None:
    """For use in an application: gives up so that a failing test ends."""
    if not event.wait(PATIENCE):
        raise TimeoutError("the test did not go on")
