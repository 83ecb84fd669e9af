"""An application whose requests take longer than they may, and a server that has a --request-timeout."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from tests.serving import PATIENCE, Server, serving

TIMEOUT = 0.1
SOON = TIMEOUT + 1.0
"""When a 504 must be there, on a busy machine."""

THREADS = pytest.mark.parametrize("threads", [1, 8])


def spin(seconds: float = PATIENCE) -> None:
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        pass


class Site:
    """Routes that take their time, and what became of them."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.threads: list[int] = []
        self.entered = threading.Semaphore(0)
        self.released = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        route = environ["PATH_INFO"].strip("/").replace("-", "_") or "quick"
        self.threads.append(threading.get_ident())
        result: Iterable[bytes] = getattr(self, route)(environ, start_response)
        return result

    def quick(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [b"quick"]

    def spin(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.entered.release()
        try:
            spin()
        except Exception:
            self.said.append("swallowed")
        finally:
            self.said.append("finally")
        start_response("200 OK", [])
        return [b"too late"]

    def held(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Stuck in C: no exception reaches it."""
        self.entered.release()
        self.released.wait()
        self.said.append("survived")
        return self.quick(environ, start_response)

    def nap(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.entered.release()
        time.sleep(TIMEOUT * 0.7)
        return self.quick(environ, start_response)

    def stubborn(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            spin()
        except BaseException:
            self.released.wait()
        start_response("200 OK", [])(b"too late")
        return []

    def stream(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"first"
        try:
            spin()
        finally:
            self.said.append("finally")
        yield b"second"

    def stream_with_length(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "11")])
        yield b"first"
        spin()

    def slow_close(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])

        class Result:
            def __iter__(this) -> Iterator[bytes]:
                return iter([b"whole"])

            def close(this) -> None:
                spin()

        return Result()

    def closing(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        said = self.said

        class Result:
            def __iter__(this) -> Iterator[bytes]:
                start_response("200 OK", [])
                spin()
                yield b"too late"

            def close(this) -> None:
                said.append("close")

        return Result()

    def extended(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["pronghorn.extend_deadline"](float(environ["QUERY_STRING"]))
        time.sleep(TIMEOUT * 2.5)
        return self.quick(environ, start_response)

    def extend_and_spin(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["pronghorn.extend_deadline"](float(environ["QUERY_STRING"]))
        spin()
        return []

    def wrongly_extended(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        for wrong in (-1, float("nan")):
            with pytest.raises(ValueError, match="extend_deadline"):
                environ["pronghorn.extend_deadline"](wrong)
        return self.quick(environ, start_response)

    def hints(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["wsgi.early_hints"]([("Link", "</style.css>")])
        spin()
        return []

    def large(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [])
        for _ in range(64):
            yield bytes(1 << 18)

    def raises(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            spin()
        finally:
            raise KeyError("while it was unwound")


@contextlib.contextmanager
def timed(site: Site, threads: int = 8, timeout: float = TIMEOUT, **options: Any) -> Iterator[Server]:
    with serving(site, threads=threads, request_timeout=timeout, **options) as server:
        try:
            yield server
        finally:
            site.released.set()


def gone(server: Server) -> bool:
    """No call runs any more."""
    return not server.worker.calls.running()


def assert_504(server: Server, target: str, waited: bool = False, **request: Any) -> None:
    began = time.monotonic()
    answer = server.get(target, **request)
    took = time.monotonic() - began
    assert (answer.status, answer.reason) == (504, "Gateway Timeout")
    assert answer.closes
    assert TIMEOUT * 0.9 <= took < SOON + waited
