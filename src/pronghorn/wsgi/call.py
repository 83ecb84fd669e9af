"""PEP 3333: one Exchange and one application call.

The only pipeline there is: whatever protocol the client speaks, whichever thread runs it.
"""

import logging
from collections.abc import Callable, Iterable
from types import FunctionType, GeneratorType, MethodType
from typing import Any

from pronghorn.errors import ApplicationError, ClientDisconnected, RequestTimeout
from pronghorn.http.exchange import Exchange
from pronghorn.http.response import ResponseHead
from pronghorn.wsgi.environ import Environ
from pronghorn.wsgi.file_wrapper import FileWrapper
from pronghorn.wsgi.response import Heads, Response, checked_block

WSGIApplication = Callable[[Environ, Any], Iterable[bytes]]

_JOIN_MOST = 65536
"""Lists of blocks up to this many octets leave as one; copying more costs more than it saves."""

_ERROR_BODY = b"500 Internal Server Error\n\nThe application failed. Its error log says how.\n"
_ERROR_HEAD = ResponseHead(
    "500 Internal Server Error", [("Content-Type", "text/plain; charset=utf-8")], len(_ERROR_BODY)
)


class Application:
    """A WSGI application and what its calls share. Any thread."""

    __slots__ = ("_app", "_heads", "_log", "_warn", "own")

    def __init__(self, app: WSGIApplication, log: logging.Logger, many_heads: bool = False) -> None:
        """many_heads: see Heads."""
        self._app = app
        self._log = log
        self._warn = log.warning
        self._heads = Heads(many_heads)
        self.own: dict[str, WSGIApplication] | None = None
        """Who answers in the application's place, by PATH_INFO. Not a WSGI application around it: 0.15 µs."""

    def call(self, exchange: Exchange, environ: Environ) -> None:
        """Call the application once and send what it returns. Raises nothing that the application caused."""
        response = Response(exchange, self._heads, self._warn)
        environ["wsgi.early_hints"] = response  # its __call__
        result: Any = None
        app = self._app
        if self.own is not None:
            app = self.own.get(environ["PATH_INFO"], app)
        try:
            result = app(environ, response.start_response)
            if type(result) is list and len(result) == 1 and type(result[0]) is bytes:
                block = result[0]
                response.done = True
                if response.sending is not None:  # only then: 0.05 µs
                    response.no_more()
                head = response.head
                if (
                    head is not None
                    and not response.begun
                    and (head.content_length is None or head.content_length == len(block))
                ):
                    response.begun = True
                    exchange.respond(head, block)
                else:
                    response.whole(block)
                return
            self._send(response, result)
        except ClientDisconnected:
            self._log.debug("the client left during %s", _name(exchange))
            if not response.complete:
                response.no_more()
                exchange.abort()
        except BaseException as error:
            # SystemExit, too: one request must not stop the server.
            self._fail(error, response, exchange, result)
        finally:
            response.done = True
            if type(result) is not list:
                self._close(result, exchange)

    def _send(self, response: Response, result: Any) -> None:
        """Any other iterable than a list of one block."""
        if type(result) is FileWrapper and response.head is not None:
            region = result.region()
            if region is not None:
                response.no_more()
                if not response.begun:
                    response.send_region(*region)
                    return
        if type(result) in (list, tuple) and response.head is not None:
            blocks = [checked_block(block) for block in result]
            if sum(map(len, blocks)) <= _JOIN_MOST:
                response.whole(b"".join(blocks))
                return
        if not hasattr(type(result), "__iter__") and not hasattr(type(result), "__getitem__"):
            raise ApplicationError(
                f"the application must return an iterable of bytes, not {type(result).__name__} (PEP 3333).",
                "Return a list, such as [body].",
            )
        turn = response.turn()
        acquire, release = turn.acquire, turn.release  # `with` costs 0.07 µs more for each block
        for item in result:
            block = checked_block(item)
            if block:
                acquire()
                try:
                    more = response.send(block)
                finally:
                    release()
                if not more:
                    break
        response.finish()

    def _fail(self, error: BaseException, response: Response, exchange: Exchange, result: Any) -> None:
        response.no_more()
        if isinstance(error, RequestTimeout):
            response.interrupted()  # who raised it in this thread has logged it, and answered
        elif isinstance(error, ApplicationError):
            where = _where(self._app, result, error)
            self._log.error("%s broke a rule: %s %s\n  at %s", _name(exchange), error.rule, error.mend, where)
        else:
            self._log.error("%s failed", _name(exchange), exc_info=error)
        try:
            if not response.begun:
                exchange.respond(_ERROR_HEAD, _ERROR_BODY, True)
            elif not response.complete:
                exchange.abort()
        except ClientDisconnected:
            exchange.abort()

    def _close(self, result: Any, exchange: Exchange) -> None:
        """PEP 3333: close() is called once, however the response ended."""
        try:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        except RequestTimeout:
            pass
        except BaseException as error:
            self._log.error("close() of the result of %s failed", _name(exchange), exc_info=error)


def _name(exchange: Exchange) -> str:
    line = exchange.request.line
    return f"{line.method} {line.target}"


def _where(app: Any, result: Any, error: BaseException | None) -> str:
    """The application's file and line that is nearest to a broken rule."""
    if isinstance(result, GeneratorType) and (frame := result.gi_frame) is not None:
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    nearest = ""
    traceback = error.__traceback__ if error is not None else None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] != "pronghorn":
            nearest = f"{code.co_filename}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    if not nearest:
        # By type: an application's own __getattr__ may raise anything.
        function = app.__func__ if isinstance(app, MethodType) else app
        if not isinstance(function, FunctionType):
            function = vars(type(app)).get("__call__")
        if isinstance(function, FunctionType):
            nearest = f"{function.__code__.co_filename}:{function.__code__.co_firstlineno}"
    return nearest or object.__repr__(app)
