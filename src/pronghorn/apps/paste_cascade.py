"""Applications that are asked in turn: the next one answers where one before says 404.

    Cascade([Static("public"), site])
    Cascade([new, old], catch=(404, 405))

For an old site behind a new one, and for files of Paste that say `egg:Paste#cascade`. Files before an
application are better off with `Static(root, fallback=site)`, which asks nobody in vain.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, BinaryIO

from pronghorn.apps.mount import quick_of
from pronghorn.errors import ConfigError

Environ = dict[str, Any]
WSGIApplication = Callable[..., Iterable[bytes]]

_IN_MEMORY = 64 * 1024
"""Of a body; the rest is on disk. As much as the server itself keeps (wsgi/input.py)."""


class Cascade:
    """A WSGI application. Any thread.

    applications: asked in this order, each with its own copy of environ and with the body from its start.
    catch: status codes with which the next one is asked; the last one's answer is always sent.

    One that was asked may have done something already: what must not happen twice belongs in the last.
    """

    def __init__(self, applications: Sequence[WSGIApplication], catch: Iterable[int] = (404,)) -> None:
        if not applications:
            raise ConfigError("A Cascade without applications would answer nothing.", mend="Give it one.")
        *self._first, self._last = applications
        self._catch = frozenset(catch)
        self._quick: Callable[[Environ], WSGIApplication | None] | None = quick_of(applications[0])

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        body = _kept_body(environ)
        if body is not None:
            return _WithFile(self._ask(environ, start_response, body), body)
        return self._ask(environ, start_response, None)

    def _ask(
        self, environ: Environ, start_response: Callable[..., Any], body: BinaryIO | None
    ) -> Iterable[bytes]:
        for application in self._first:
            attempt = _Attempt(start_response, self._catch)
            answer = attempt.ask(application, _with_body(environ, body))
            if answer is not None:
                return answer
        return self._last(_with_body(environ, body), start_response)

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """Leader only. The first application's answer, if that needs no blocking and is not caught."""
        found = self._quick(dict(environ)) if self._quick is not None else None
        if found is None or not self._first:
            return found
        kept = _Kept()
        answer = _Attempt(kept.start_response, self._catch).ask(found, dict(environ))
        if answer is None:
            return None
        kept.body = answer
        return kept


class _Attempt:
    """One application's answer, which is not passed on if its status is to be caught."""

    def __init__(self, start_response: Callable[..., Any], catch: frozenset[int]) -> None:
        self._start_response = start_response
        self._catch = catch
        self._passed_on = False
        self._caught = False

    def ask(self, application: WSGIApplication, environ: Environ) -> Iterable[bytes] | None:
        """None: it was caught."""
        body = application(environ, self.start_response)
        if not (self._passed_on or self._caught):  # a generator: PEP 3333 has it until the first block
            body = _Begun(body)
        if not self._caught:
            return body
        close = getattr(body, "close", None)
        if close is not None:
            close()
        return None

    def start_response(self, status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], Any]:
        if not self._passed_on and status[:3].isdigit() and int(status[:3]) in self._catch:
            self._caught = True
            return _nobody
        self._passed_on, self._caught = True, False
        write: Callable[[bytes], Any] = (
            self._start_response(status, headers, exc_info)
            if exc_info
            else self._start_response(status, headers)
        )
        return write


def _nobody(data: bytes) -> None:
    """write() of an answer that nobody gets."""


class _Begun:
    """A body whose first block has been taken, so that its status is known."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        try:
            self._rest = iter(body)
            self._first = [block] if (block := next(self._rest, None)) is not None else []
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        yield from self._first
        yield from self._rest

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


class _WithFile:
    """An answer, and the request's body, which it may read until its end."""

    def __init__(self, body: Iterable[bytes], file: BinaryIO) -> None:
        self._body = body
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        with self._file:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()


class _Kept:
    """An answer that is there already, as an application."""

    def __init__(self) -> None:
        self.body: Iterable[bytes] = ()
        self._start: tuple[Any, ...] = ()

    def start_response(
        self,
        status: str,
        headers: Any,
        exc_info: tuple[type[BaseException], BaseException, TracebackType] | None = None,
    ) -> Callable[[bytes], Any]:
        self._start = (status, headers)
        return _nobody

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response(*self._start)
        return self.body


def _kept_body(environ: Environ) -> BinaryIO | None:
    """The request's body so that it can be read again; None if there is none."""
    length = environ.get("CONTENT_LENGTH", "")
    left = int(length) if length.isdecimal() else -1
    if left == 0 or (left < 0 and not environ.get("wsgi.input_terminated")):
        return None
    kept: Any = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with the request
    while left and (block := environ["wsgi.input"].read(min(left, _IN_MEMORY) if left > 0 else _IN_MEMORY)):
        kept.write(block)
        left -= len(block) if left > 0 else 0
    if not kept.tell():
        return None
    file: BinaryIO = kept
    return file


def _with_body(environ: Environ, body: BinaryIO | None) -> Environ:
    """For one application: what it changes, the next one does not see."""
    own = dict(environ)
    if body is not None:
        body.seek(0)
        own["wsgi.input"] = body
    return own
