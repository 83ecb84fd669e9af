"""The response of one application call: `start_response`, `write()`, and the rules for both.

    response = Response(exchange, heads, warn)
    for block in application(environ, response.start_response): ...

Nothing is sent before there is content (PEP 3333, "The start_response() Callable"), and what is sent
never breaks the framing that was announced.
"""

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from pronghorn.errors import ApplicationError, ClientDisconnected
from pronghorn.http.exchange import Exchange
from pronghorn.http.fields import DIGITS, HOP_BY_HOP, TOKEN, VALUE
from pronghorn.http.response import ResponseHead

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_making = threading.Lock()

_HEADS_MOST = 64
"""Statuses whose last head is remembered; an application uses a handful."""

_LINES_MOST = 2048
_OTHERS_MOST = 512
"""Arbitrary: heads that are remembered beside those, about as many as the files of a busy site."""


_NOT_IN_HINTS = HOP_BY_HOP | {"content-length"}
"""Framing and connection fields mean nothing in an interim response (RFC 9110 section 15.2)."""


class Heads:
    """The last head of each status, and some more: equal header lists are checked and written down once.

    Any thread: entries are replaced whole and never changed. Lists with Set-Cookie are not kept: they
    are personal and rarely repeat.
    """

    __slots__ = ("_many", "last", "others", "warned")

    def __init__(self, many: bool = False) -> None:
        """many: several lists of one status come in turns, as with files, and not a new one each time."""
        self._many = many
        self.last: dict[str, tuple[Headers, ResponseHead]] = {}
        self.others: dict[tuple[Any, ...], ResponseHead] = {}
        """By status and fields: files are asked for in turns, each with fields of its own."""
        self.warned: set[str] = set()

    def find(self, status: Any, headers: Any) -> ResponseHead | None:
        """The head of an equal list before the last one."""
        if not self._many or type(headers) is not list:
            return None
        try:
            return self.others.get((status, *headers))
        except TypeError:
            return None  # something in it cannot be compared: `make` says what

    def make(self, status: Any, headers: Any, warn: Callable[[str], None]) -> ResponseHead:
        """Check what an application gave and remember it. Raises ApplicationError."""
        status = _checked_status(status)
        fields = _checked_headers(headers)
        length = _content_length(fields)
        close = False
        for name, value in fields:
            lower = name.lower()
            if lower in HOP_BY_HOP:
                close = close or (lower == "connection" and "close" in value.lower())
                if lower not in self.warned and len(self.warned) < len(HOP_BY_HOP):
                    self.warned.add(lower)
                    warn(f"the application sets {name!r}, which is the server's to set: it is left out")
        head = ResponseHead(status, fields, length, close)
        known = status in self.last or len(self.last) < _HEADS_MOST
        if known and not any(name.lower() == "set-cookie" for name, _ in fields):
            self.last[status] = (fields, head)
            if self._many and len(head.lines) <= _LINES_MOST:
                if len(self.others) >= _OTHERS_MOST:
                    self.others.clear()
                self.others[status, *fields] = head
        return head


class Response:
    """One call's response. The thread that runs the call."""

    __slots__ = (
        "_called",
        "_exchange",
        "_follows",
        "_heads",
        "_left",
        "_warn",
        "begun",
        "complete",
        "done",
        "head",
        "sending",
    )

    def __init__(self, exchange: Exchange, heads: Heads, warn: Callable[[str], None]) -> None:
        self._exchange = exchange
        self._heads = heads
        self._warn = warn
        self._called = False
        self._follows = True  # whether this response may have content at all
        self._left: int | None = None  # content still owed under the application's Content-Length
        self.head: ResponseHead | None = None
        self.begun = False
        """The head has been sent."""
        self.complete = False
        """So has all the content, or it was cut off; the exchange is over, while the iterable may go on."""
        self.done = False
        """write() can send nothing more."""
        self.sending: Any = None
        """Held by whoever sends: write() may be called by any thread. Made when first needed."""

    def start_response(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """PEP 3333, "The start_response() Callable". Stores the head; sends nothing."""
        if exc_info is not None:
            try:
                if self.begun:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # no cycle through the traceback
        elif self._called:
            raise ApplicationError(
                "start_response() was called again without exc_info (PEP 3333, start_response).",
                "Call it once, or pass sys.exc_info() when replacing the response by an error page.",
            )
        self._called = True
        if type(status) is str and (last := self._heads.last.get(status)) is not None and last[0] == headers:
            self.head = last[1]
        else:
            self.head = None
            heads = self._heads
            self.head = heads.find(status, headers) or heads.make(status, headers, self._warn)
        return self.write

    def __call__(self, headers: Headers) -> None:
        """`wsgi.early_hints`: send 103 with these fields (RFC 8297), checked like a final response's."""
        fields = _checked_headers(headers)
        lines = [f"{name}: {value}\r\n" for name, value in fields if name.lower() not in _NOT_IN_HINTS]
        text = "HTTP/1.1 103 Early Hints\r\n" + "".join(lines) + "\r\n"
        with self.turn():
            if not self.begun and not self.done:
                self._exchange.inform(text.encode("latin-1"))

    def turn(self) -> Any:
        """The lock `sending`. Not there from the start: most responses are one block, and need none."""
        if self.sending is None:
            with _making:
                if self.sending is None:
                    self.sending = threading.RLock()
        return self.sending

    def no_more(self) -> None:
        """write() sends nothing from now on; whoever is at it in another thread ends first."""
        self.done = True
        # Who writes makes the lock before it looks at `done`, and we the other way round.
        if self.sending is not None:
            with self.sending:
                pass

    def interrupted(self) -> None:
        """RequestTimeout, which comes anywhere, may have kept this thread from letting go of `sending`."""
        with contextlib.suppress(RuntimeError):  # it is not held, or no longer
            while self.sending is not None:
                self.sending.release()

    def write(self, block: bytes) -> None:
        """The imperative way to send (PEP 3333, "The write() Callable"). Any thread."""
        with self.turn():
            self._write(block)

    def _write(self, block: bytes) -> None:
        if self.done:
            raise ApplicationError(
                "write() was called after the response was complete (PEP 3333, write).",
                "Send everything before the iterable ends.",
            )
        block = checked_block(block)
        try:
            sent = not block or self.send(block)
        except (ApplicationError, ClientDisconnected):
            raise
        except BaseException:
            self._cut()
            raise
        if not sent and self._follows:
            raise ApplicationError(
                "write() exceeds the Content-Length of the response (PEP 3333, Content-Length).",
                "Mend the Content-Length, or leave it out.",
            )

    def send(self, block: bytes) -> bool:
        """Send a non-empty block, the head before the first. False: there must be no more.

        Under the lock `turn`, or after `no_more`.
        """
        if not self.begun:
            head = self.head
            if head is not None and head.content_length == len(block):
                # All of it, as from most frameworks: they wrap their one block into an iterator.
                self.begun = True
                self._left = 0
                try:
                    self._exchange.respond(head, block, True)
                except ClientDisconnected:
                    self._exchange.abort()  # here: who called write() may keep this to itself
                    self.complete = True
                    raise
                self.complete = True  # not before: what was not sent must be seen to be missing
                return True
            self.begin(None)
        if not self._follows:
            return False
        left = self._left
        if left is not None:
            if len(block) > left:
                if left:
                    self._exchange.send(block[:left])
                self._left = 0
                self._warn("the application sends more than its Content-Length: the rest is cut off")
                return False
            self._left = left - len(block)
        self._exchange.send(block)
        return True

    def _cut(self) -> None:
        """A block may be missing, and who wrote it could catch the exception and go on."""
        if self.begun and not self.complete:
            self.done = True
            self._follows = False
            self._exchange.abort()
            self.complete = True

    def begin(self, length: int | None) -> bool:
        """Send the head; whether content may follow. `length`: its octets, where the server knows."""
        head = self.head
        if head is None:
            raise _not_started()
        self.begun = True
        self._left = head.content_length
        self._follows = self._exchange.begin(
            head, length if head.content_length is None else head.content_length
        )
        return self._follows

    def whole(self, block: bytes) -> None:
        """The response's whole content is at hand."""
        self.no_more()
        head = self.head
        if head is None:
            raise _not_started()
        if not self.begun and (head.content_length is None or head.content_length == len(block)):
            self.begun = True
            self._exchange.respond(head, block)
            return
        if block:
            self.send(block)
        self.finish()

    def send_region(self, file: int, offset: int, count: int) -> None:
        """The whole content is this part of a file."""
        if self.begin(count):
            left = self._left
            count = count if left is None else min(count, left)
            self._exchange.send_file(file, offset, count)
            if left is not None:
                self._left = left - count
        self.finish()

    def finish(self) -> None:
        """The iterable has ended."""
        self.no_more()
        head = self.head
        if head is None:
            raise _not_started()
        if not self.begun:
            if not head.content_length:
                self.begun = True
                self._exchange.respond(head, b"", True)
                return
            self.begin(None)
        if self.complete:
            return
        if self._follows and self._left:
            # RFC 9112 section 6.3: the next response must never fill the gap.
            self._warn(f"the application sent {self._left} octets less than its Content-Length")
            self._exchange.abort()
        else:
            self._exchange.end()


def checked_block(block: Any) -> bytes:
    """A block of content as exact bytes."""
    if type(block) is bytes:
        return block
    if isinstance(block, bytes):
        return bytes(block)
    hint = "Encode it: text.encode('utf-8')." if isinstance(block, str) else "Yield bytes."
    raise ApplicationError(
        f"the response's blocks must be bytes, not {type(block).__name__} (PEP 3333, Unicode Issues).",
        hint,
    )


def _not_started() -> ApplicationError:
    return ApplicationError(
        "start_response() was not called before the first content (PEP 3333, start_response).",
        "Call start_response(status, headers) before returning or yielding content.",
    )


def _text(value: Any, what: str, legal: bytes) -> str:
    """A native string of legal characters; a subclass is taken at its plain value."""
    if not isinstance(value, str):
        raise ApplicationError(
            f"{what} must be str, not {type(value).__name__} (PEP 3333, A Note On String Types).",
            "Pass a native string.",
        )
    text: str = str.__str__(value)
    try:
        octets = text.encode("latin-1")
    except UnicodeEncodeError:
        raise ApplicationError(
            f"{what} has characters beyond latin-1 (PEP 3333, Unicode Issues).",
            "Encode it first: text.encode('utf-8').decode('latin-1'), or a form the field defines.",
        ) from None
    if octets.translate(None, legal):
        raise ApplicationError(
            f"{what} has characters that may not stand there, such as CR or LF (RFC 9110 section 5.5).",
            "Never put unchecked input into a status or a header.",
        )
    return text


def _checked_status(given: Any) -> str:
    status = _text(given, "the status", VALUE)
    code = status[:3]
    # int() and isdigit() take other scripts' digits; these are latin-1 octets.
    if len(code) < 3 or code.encode("latin-1").translate(None, DIGITS) or status[3:4] not in ("", " "):
        raise ApplicationError(
            "the status must be three digits, a space and a reason, as '200 OK' (PEP 3333, start_response).",
            "Mend the first argument of start_response().",
        )
    if not 200 <= int(code) <= 599:
        raise ApplicationError(
            f"{code} is no status of a final response (RFC 9110 section 15).",
            "Use 200 to 599; for 103, call environ['wsgi.early_hints'].",
        )
    return status


def _checked_headers(headers: Any) -> Headers:
    """A copy, so that nothing can be put into the list behind our back."""
    if not isinstance(headers, list):
        raise ApplicationError(
            f"the headers must be a list, not {type(headers).__name__} (PEP 3333, start_response).",
            "Pass a list of (name, value) tuples.",
        )
    fields = []
    for item in headers:
        if not isinstance(item, tuple) or len(item) != 2:
            raise ApplicationError(
                "each header must be a tuple of a name and a value (PEP 3333, start_response).",
                "Pass a list of (name, value) tuples.",
            )
        name = _text(item[0], "a header's name", TOKEN)
        if not name:
            raise ApplicationError("a header has no name (RFC 9110 section 5.1).", "Give it one.")
        value = _text(item[1], f"the value of {name}", VALUE)
        plain = value.strip(" \t")
        # The same tuple where nothing is to be changed: comparing it with itself is quick.
        same = type(item) is tuple and item[0] is name and item[1] is plain
        fields.append(item if same else (name, plain))
    return fields


def _content_length(fields: Headers) -> int | None:
    values = [value for name, value in fields if name.lower() == "content-length"]
    if not values:
        return None
    value = values[0]
    if len(values) > 1 or not value or value.encode("latin-1").translate(None, DIGITS) or len(value) > 18:
        raise ApplicationError(
            "the Content-Length is repeated or no number (RFC 9110 section 8.6).",
            "Set it once, to the number of octets, or leave it out.",
        )
    return int(value)
