"""For development: says where an application breaks PEP 3333 before another server or a proxy does.

    application = Lint(application)

A broken rule raises LintError: one sentence, what to do, and the application's file and line. With
`report=True` it is written to wsgi.errors instead, and the request goes on.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pronghorn.apps.middleware import lint_rules as rules
from pronghorn.apps.middleware.lint_rules import Broken
from pronghorn.errors import PronghornError

Environ = dict[str, Any]


class LintError(PronghornError):
    """A rule of PEP 3333 is broken. `where`: "File …, line …" of the application; may be empty."""

    def __init__(self, broken: Broken, where: str) -> None:
        super().__init__(f"{broken} {broken.mend}" + (f"\n  {where}" if where else ""))
        self.rule = str(broken)
        self.mend = broken.mend
        self.where = where


class Lint:
    """A WSGI middleware. Any thread.

    report: write what is wrong to wsgi.errors and go on, instead of raising.
    """

    __slots__ = ("app", "report")

    def __init__(self, app: Callable[..., Iterable[bytes]], *, report: bool = False) -> None:
        self.app = app
        self.report = report

    def __call__(self, *arguments: Any, **keywords: Any) -> Iterable[bytes]:
        if len(arguments) != 2 or keywords:
            raise LintError(rules.CALLED_WRONGLY, "")
        environ, start_response = arguments
        call = _Call(self, environ, start_response)
        call.check(
            rules.environ, environ, where="the server, or a middleware before this one, made the environ"
        )
        environ["wsgi.input"] = _Input(call, environ)
        environ["wsgi.errors"] = _Errors(call, environ["wsgi.errors"])
        result = self.app(environ, call.start_response)
        call.returned = True
        where = place_of(self.app)
        if not call.check(rules.result, result, where=where):
            return [] if result is None else result
        wrapper = environ.get("wsgi.file_wrapper")
        if isinstance(wrapper, type) and isinstance(result, wrapper):
            call.check(rules.started, call.status, where=where)
            return result  # the server has to recognise it
        return _Blocks(call, result)


class _Call:
    """One call of the application."""

    def __init__(self, lint: Lint, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._lint = lint
        self._start_response = start_response
        self._errors = environ["wsgi.errors"]
        self._method = environ.get("REQUEST_METHOD", "")
        self.status = ""
        self.length: int | None = None
        self.sent = 0
        self.returned = False
        """The application has returned; with a generator, before its first line ran."""
        self.iterating = False

    def check(self, rule: Callable[..., None], *about: Any, where: str = "") -> bool:
        """Whether the rule holds; if not, raises, or reports."""
        try:
            rule(*about)
        except Broken as broken:
            error = LintError(broken, where or _caller())
            if not self._lint.report:
                raise error from None
            self._errors.write(f"PEP 3333: {error}\n")
            self._errors.flush()
            return False
        return True

    def start_response(self, *arguments: Any, **keywords: Any) -> Callable[[bytes], Any]:
        """For the application."""
        if not self.check(rules.start_response, arguments, keywords, bool(self.status)):
            return self._start_response(*arguments, **keywords)  # type: ignore[no-any-return]
        good = self.check(rules.status, arguments[0]) & self.check(rules.fields, arguments[1])
        if good:
            self.check(rules.framing, arguments[0], arguments[1])
            self.length = rules.content_length(arguments[1])
        self.status = arguments[0] if isinstance(arguments[0], str) else "?"
        write = self._start_response(*arguments)

        def checked_write(*blocks: Any) -> None:
            self.check(rules.write, blocks, self.iterating)
            self.count(blocks[0], "")
            write(*blocks)

        return checked_write

    def count(self, block: Any, where: str) -> None:
        """One more block of content."""
        self.check(rules.block, block, where=where)
        if isinstance(block, bytes) and block:
            self.sent += len(block)
            self.check(rules.content, self.status, self._method, where=where)
            self.check(rules.not_too_much, self.sent, self.length, where=where)

    def finish(self, where: str) -> None:
        """The iterable has ended."""
        self.check(rules.started, self.status, where=where)
        if self._method != "HEAD" and self.status[:3] != "304":
            self.check(rules.enough, self.sent, self.length, where=where)


class _Blocks:
    """The application's result, as the server iterates over it."""

    def __init__(self, call: _Call, result: Iterable[bytes]) -> None:
        self._call = call
        self._result = result
        self._iterator: Iterator[bytes] | None = None
        self._ended = False
        self._closed = False
        self._shown = place_of(call._lint.app)

    def __iter__(self) -> Iterator[bytes]:
        self._call.check(rules.once, self._iterator is not None, where=_SERVER)
        return self

    def __next__(self) -> bytes:
        call = self._call
        call.check(rules.not_closed, self._closed, where=_SERVER)
        if self._iterator is None:
            self._iterator = iter(self._result)
        call.iterating = True
        try:
            block = next(self._iterator)
        except StopIteration:
            if not self._ended:
                self._ended = True
                call.finish(self._where())
            raise
        finally:
            call.iterating = False
        where = self._where()
        call.check(rules.started, call.status, where=where)
        call.count(block, where)
        return block

    def close(self) -> None:
        """PEP 3333: once, however the response ended."""
        again, self._closed = self._closed, True
        self._call.check(rules.closed_once, again, where=_SERVER)
        close = getattr(self._result, "close", None)
        if close is not None:
            close()

    def __del__(self) -> None:
        # Nobody is left to raise it to.
        if not self._closed:
            self._call._errors.write(f"PEP 3333: {LintError(rules.NEVER_CLOSED, _SERVER)}\n")

    def _where(self) -> str:
        """A generator says where it stands."""
        frame = getattr(self._result, "gi_frame", None)
        return f"File {frame.f_code.co_filename}, line {frame.f_lineno}" if frame else self._shown


class _Input:
    """wsgi.input, as the application may use it."""

    def __init__(self, call: _Call, environ: Environ) -> None:
        self._call = call
        self._input = environ["wsgi.input"]
        self._terminated = bool(environ.get("wsgi.input_terminated"))

    def read(self, *size: Any) -> bytes:
        self._call.check(rules.read, size, self._terminated)
        return self._input.read(*size)  # type: ignore[no-any-return]

    def readline(self, *size: Any) -> bytes:
        self._call.check(rules.sizes, "readline", size)
        return self._input.readline(*size)  # type: ignore[no-any-return]

    def readlines(self, *hint: Any) -> list[bytes]:
        self._call.check(rules.sizes, "readlines", hint)
        return self._input.readlines(*hint)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._input)

    def __getattr__(self, name: str) -> Any:
        self._call.check(rules.stream_attribute, "wsgi.input", name)
        return _nothing if name == "close" else getattr(self._input, name)


class _Errors:
    """wsgi.errors, as the application may use it."""

    def __init__(self, call: _Call, errors: Any) -> None:
        self._call = call
        self._errors = errors

    def write(self, *text: Any) -> Any:
        self._call.check(rules.error_text, text)
        return self._errors.write(*text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._errors.flush()

    def __getattr__(self, name: str) -> Any:
        self._call.check(rules.stream_attribute, "wsgi.errors", name)
        return _nothing if name == "close" else getattr(self._errors, name)


def _nothing() -> None:
    """What closes nothing: the stream is the server's."""


_SERVER = "the server, or a middleware before this one, did this"


def place_of(app: Any) -> str:
    """Where an application is defined, as well as it can be found."""
    app = getattr(app, "func", app)  # functools.partial
    app = getattr(app, "__wrapped__", app)
    code = getattr(app, "__code__", None)
    if code is None:
        code = getattr(vars(type(app)).get("__call__"), "__code__", None)
    return f"File {code.co_filename}, line {code.co_firstlineno}" if code is not None else repr(app)


def _caller() -> str:
    """The line outside of this module from which it was called."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    return f"File {frame.f_code.co_filename}, line {frame.f_lineno}" if frame is not None else ""
