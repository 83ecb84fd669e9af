"""The rules of PEP 3333, each a function that raises Broken: a sentence with its section, and what to do."""

import re
from typing import Any

from pronghorn.http.fields import HOP_BY_HOP

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS = re.compile(r"[2-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*")
_VALUE = re.compile(r"(?:[!-~\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[!-~\x80-\xff])?)?")

_REQUIRED = (
    "REQUEST_METHOD",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "wsgi.version",
    "wsgi.url_scheme",
    "wsgi.input",
    "wsgi.errors",
    "wsgi.multithread",
    "wsgi.multiprocess",
    "wsgi.run_once",
)


class Broken(Exception):
    """A broken rule: the sentence, and how to mend it."""

    def __init__(self, rule: str, mend: str = "") -> None:
        super().__init__(rule)
        self.mend = mend


CALLED_WRONGLY = Broken(
    "The application was not called with two positional arguments (PEP 3333, The Application Side).",
    "Call application(environ, start_response).",
)
NEVER_CLOSED = Broken(
    "close() of the result was never called (PEP 3333, Specification Details).",
    "Call it in a `finally`, however the response ends.",
)


def _insist(holds: Any, rule: str, mend: str = "") -> None:
    if not holds:
        raise Broken(rule, mend)


def _kind(value: Any) -> str:
    return type(value).__name__


# What the server hands over


def environ(environ: Any) -> None:
    """PEP 3333, environ Variables."""
    _insist(type(environ) is dict, f"environ must be a dict itself, not {_kind(environ)} (PEP 3333).")
    for key in _REQUIRED:
        _insist(key in environ, f"environ lacks {key} (PEP 3333, environ Variables).")
    for key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        _insist(
            key not in environ, f"environ has {key} (RFC 3875 section 4.1.18).", f"It is called {key[5:]}."
        )
    for key, value in environ.items():
        _insist(isinstance(key, str), f"environ's key {key!r} is not str (PEP 3333).")
        if "." not in key:
            _insist(type(value) is str, f"environ's {key} is {_kind(value)}, not str (PEP 3333).")
            _insist(
                value.isascii() or max(value) <= "\xff",
                f"environ's {key} has characters beyond latin-1 (PEP 3333, Unicode Issues).",
                "It holds octets: value.encode('utf-8').decode('latin-1').",
            )
    _environ_values(environ)
    _environ_path(environ)
    for key, names in (
        ("wsgi.input", ("read", "readline", "readlines", "__iter__")),
        ("wsgi.errors", ("write", "writelines", "flush")),
    ):
        for name in names:
            _insist(
                hasattr(environ[key], name), f"{key} has no {name}() (PEP 3333, Input and Error Streams)."
            )


def _environ_values(environ: dict[str, Any]) -> None:
    scheme, method = environ["wsgi.url_scheme"], environ["REQUEST_METHOD"]
    _insist(environ["wsgi.version"] == (1, 0), "wsgi.version must be (1, 0) (PEP 3333, environ Variables).")
    _insist(type(scheme) is str and scheme, f"wsgi.url_scheme is {scheme!r} (PEP 3333, environ Variables).")
    _insist(_TOKEN.fullmatch(method), f"REQUEST_METHOD is {method!r}, no token (RFC 9110 section 9.1).")
    for key in ("SERVER_NAME", "SERVER_PORT"):
        _insist(environ[key], f"{key} is empty (PEP 3333, environ Variables).")
    length = environ.get("CONTENT_LENGTH", "")
    _insist(
        not length or (length.isascii() and length.isdigit()),
        f"CONTENT_LENGTH is {length!r}, no number (RFC 3875 section 4.1.2).",
    )


def _environ_path(environ: dict[str, Any]) -> None:
    script_name, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    _insist(
        not script_name or (script_name.startswith("/") and script_name != "/"),
        f"SCRIPT_NAME is {script_name!r} (PEP 3333, environ Variables).",
        "It is empty or begins with a slash; the root is '' with PATH_INFO '/'.",
    )
    _insist(
        not path or path.startswith("/") or path == "*",
        f"PATH_INFO is {path!r}, which does not begin with a slash (RFC 3875 section 4.1.5).",
    )
    _insist(script_name or path, "SCRIPT_NAME and PATH_INFO are both empty (PEP 3333, environ Variables).")


def once(again: bool) -> None:
    _insist(not again, "The result was iterated over twice (PEP 3333).")


def not_closed(closed: bool) -> None:
    _insist(not closed, "The result was asked for a block after close() (PEP 3333).")


def closed_once(again: bool) -> None:
    _insist(not again, "close() of the result was called twice (PEP 3333).")


# start_response


def start_response(arguments: tuple[Any, ...], keywords: dict[str, Any], called: bool) -> None:
    """PEP 3333, The start_response() Callable. Always raised: nothing sensible could follow."""
    where = "(PEP 3333, The start_response() Callable)"
    _insist(
        len(arguments) in (2, 3) and not keywords,
        f"start_response() takes two or three positional arguments {where}.",
        "start_response(status, headers) or start_response(status, headers, exc_info)",
    )
    exc_info = arguments[2] if len(arguments) == 3 else None
    _insist(
        exc_info is None or (isinstance(exc_info, tuple) and len(exc_info) == 3),
        f"exc_info is {_kind(exc_info)} and not what sys.exc_info() gives {where}.",
    )
    _insist(
        not called or exc_info is not None,
        f"start_response() was called again without exc_info {where}.",
        "Call it once, or pass sys.exc_info() when replacing the response by an error page.",
    )


def status(status: Any) -> None:
    """Three digits, a space, a reason."""
    _insist(
        type(status) is str, f"The status is {_kind(status)}, not str (PEP 3333, A Note On String Types)."
    )
    _insist(
        _STATUS.fullmatch(status),
        f"The status {status!r} is not three digits from 200 to 599, a space and a reason"
        " (PEP 3333, The start_response() Callable).",
        "Write it as '200 OK'.",
    )


def fields(fields: Any) -> None:
    """A list of pairs of native strings."""
    _insist(
        type(fields) is list,
        f"The headers are {_kind(fields)}, not a list (PEP 3333, The start_response() Callable).",
        "Pass list(headers).",
    )
    for item in fields:
        _insist(
            type(item) is tuple and len(item) == 2,
            f"The header {item!r} is not a tuple of name and value (PEP 3333, start_response).",
        )
        _field(*item)


def _field(name: Any, value: Any) -> None:
    _insist(type(name) is str, f"The header name {name!r} is {_kind(name)}, not str (PEP 3333).")
    _insist(
        type(value) is str, f"The value of {name} is {_kind(value)}, not str (PEP 3333).", "Use str(value)."
    )
    _insist(_TOKEN.fullmatch(name), f"The header name {name!r} is no token (RFC 9110 section 5.1).")
    _insist(
        value.isascii() or max(value) <= "\xff",
        f"The value of {name} has characters beyond latin-1 (PEP 3333, Unicode Issues).",
        "Encode it first: text.encode('utf-8').decode('latin-1'), or a form the field defines.",
    )
    _insist(
        _VALUE.fullmatch(value),
        f"The value {value!r} of {name} has a control character, or space at an end (RFC 9110 section 5.5).",
        "Never put unchecked input into a header.",
    )
    lower = name.lower()
    _insist(
        lower != "status", "Status is a header of CGI (PEP 3333).", "Give it to start_response as its first."
    )
    _insist(
        lower not in HOP_BY_HOP,
        f"{name} is the server's to set (PEP 3333, Other HTTP Features).",
        "Leave it out: it speaks of the connection, which the application does not know.",
    )


def framing(status: str, fields: list[tuple[str, str]]) -> None:
    """RFC 9110 section 8.6."""
    lengths = [value for name, value in fields if name.lower() == "content-length"]
    _insist(
        len(lengths) < 2 and all(value.isascii() and value.isdigit() for value in lengths),
        "Content-Length is repeated or no number (RFC 9110 section 8.6).",
    )
    _insist(
        not lengths or status[:3] != "204", "A 204 must not have a Content-Length (RFC 9110 section 8.6)."
    )
    types = [value for name, value in fields if name.lower() == "content-type"]
    _insist(len(types) < 2, "Content-Type is repeated (RFC 9110 section 5.3).")


def content_length(fields: list[tuple[str, str]]) -> int | None:
    """Of fields that are checked."""
    values = [value for name, value in fields if name.lower() == "content-length"]
    return int(values[0]) if values and values[0].isascii() and values[0].isdigit() else None


# Content


def result(result: Any) -> None:
    """PEP 3333, Specification Details."""
    _insist(result is not None, "The application returned None (PEP 3333).", "Is there a `return` missing?")
    _insist(
        not isinstance(result, str | bytes | bytearray),
        f"The application returned {_kind(result)}, which is sent octet by octet (PEP 3333, Buffering).",
        "Return [body].",
    )
    _insist(
        hasattr(result, "__iter__") or hasattr(result, "__getitem__"),
        f"The application returned {_kind(result)}, which is no iterable (PEP 3333).",
        "Return a list, such as [body].",
    )


def block(block: Any) -> None:
    _insist(
        type(block) is bytes,
        f"A block of the response is {_kind(block)}, not bytes (PEP 3333, Unicode Issues).",
        "Encode it: text.encode('utf-8')." if isinstance(block, str) else "Use bytes(block).",
    )


def write(blocks: tuple[Any, ...], iterating: bool) -> None:
    _insist(len(blocks) == 1, "write() takes one block (PEP 3333, The write() Callable).")
    _insist(
        not iterating,
        "write() was called from within the result's iteration (PEP 3333, The write() Callable).",
        "Yield the block.",
    )


def started(status: str) -> None:
    _insist(
        status,
        "start_response() was not called before the first content (PEP 3333, The start_response() Callable).",
        "Call start_response(status, headers) before returning or yielding content.",
    )


def content(status: str, method: str) -> None:
    _insist(
        status[:3] not in ("204", "304"),
        f"A {status[:3]} has content (RFC 9110 section 6.4.1).",
        "Return an empty list.",
    )


def not_too_much(sent: int, length: int | None) -> None:
    _insist(
        length is None or sent <= length,
        f"There are {sent} octets of content, and Content-Length says {length} (PEP 3333).",
        "Leave it out, or count the encoded octets.",
    )


def enough(sent: int, length: int | None) -> None:
    _insist(
        length is None or sent >= length,
        f"There are only {sent} octets of content, and Content-Length says {length} (PEP 3333).",
        "Leave it out, or count the encoded octets.",
    )


# The streams


def read(size: tuple[Any, ...], terminated: bool) -> None:
    """PEP 3333, Input and Error Streams."""
    sizes("read", size)
    _insist(
        size or terminated,
        "wsgi.input.read() without a size may wait for ever on servers other than this one"
        " (PEP 3333, Input and Error Streams).",
        "Pass int(environ.get('CONTENT_LENGTH') or 0).",
    )


def sizes(name: str, given: tuple[Any, ...]) -> None:
    _insist(
        not given or (len(given) == 1 and (given[0] is None or isinstance(given[0], int))),
        f"wsgi.input.{name}() takes a size, not {given!r} (PEP 3333, Input and Error Streams).",
    )


def stream_attribute(stream: str, name: str) -> None:
    _insist(
        name.startswith("__"),
        f"{stream}.{name} is not among what every server has (PEP 3333, Input and Error Streams).",
        "The server closes its streams itself." if name == "close" else "Use what PEP 3333 names.",
    )


def error_text(text: tuple[Any, ...]) -> None:
    _insist(
        len(text) == 1 and isinstance(text[0], str),
        "wsgi.errors.write() takes one str (PEP 3333, Input and Error Streams).",
    )
