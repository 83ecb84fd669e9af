"""gunicorn's access-log atoms, compiled once into a template and one function for each atom.

    template, getters = compile_format('%(h)s "%(r)s" %(s)s')
    line = template % tuple(get(record) for get in getters)

What a client sent is escaped: a log line is one line, and its quotes are the format's (CVE-2020-7694).
"""

import binascii
import difflib
import os
import re
import time
from collections.abc import Callable

from pronghorn.observe.record import Record

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

Getter = Callable[[Record], str | int | float]

_ATOM = re.compile(r"%(?:%|\((?P<name>[^)]*)\)(?P<spec>[-+0 ]?\d*(?:\.\d+)?[sdf])|)")
_UNSAFE = re.compile(r"[^ !#-\[\]-~]")


def escape(text: str) -> str:
    r"""`text` as printable ASCII: \" and \\ for themselves, \xNN or \uNNNN for all that is not."""
    return _UNSAFE.sub(_escaped, text) if _UNSAFE.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    if letter in '"\\':
        return "\\" + letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def compile_format(text: str) -> tuple[str, tuple[Getter, ...]]:
    """A %-template for a tuple, and what fills it. Raises ValueError with a sentence."""
    getters: list[Getter] = []

    def replace(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%%"
        if match["name"] is None:
            raise ValueError(f"The access-log format has a lone '%' at {text[match.start() :][:20]!r}.")
        getters.append(_getter(match["name"], match["spec"]))
        return "%" + match["spec"]

    template = _ATOM.sub(replace, text)
    return template, tuple(getters)


def _getter(name: str, spec: str) -> Getter:
    if spec[-1] != "s" and name not in _NUMBERS:
        raise ValueError(f"The access-log atom %({name}){spec} is not a number: write %({name})s.")
    if name in _ATOMS:
        return _ATOMS[name]
    if name.startswith("{") and name[-2:-1] == "}" and name[-1] in _NAMED:
        return _NAMED[name[-1]](name[1:-2])
    nearest = difflib.get_close_matches(name, _ATOMS, 1)
    hint = f"did you mean %({nearest[0]})s?" if nearest else f"there are {' '.join(_ATOMS)}."
    raise ValueError(f"The access-log atom %({name})s is not known: {hint}")


class _Clock:
    """[day/month/year:hour:minute:second zone], worked out once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def __call__(self, record: Record) -> str:
        second = int(record.started + record.duration)
        if second == self._second:
            return self._text
        now = time.localtime(second)
        month = "JanFebMarAprMayJunJulAugSepOctNovDec"[now.tm_mon * 3 - 3 : now.tm_mon * 3]
        text = time.strftime(f"[%d/{month}/%Y:%H:%M:%S %z]", now)
        # Two stores, no lock: the text first, so that no other thread sees a second with an old text.
        self._text, self._second = text, second
        return text


def _request_line(record: Record) -> str:
    line = f"{record.method} {record.target} {record.version}"
    return escape(line) if record.version else "-"


def _request_field(name: str) -> Getter:
    """By way of the environ where there is one: a dictionary finds it faster than a list."""
    key = "HTTP_" + name.upper().replace("-", "_")
    if key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
        key = key[5:]
    wanted = name.lower().encode("latin-1", "replace")

    def get(record: Record) -> str:
        if record.environ is not None:
            value = record.environ.get(key)
            return escape(value) if isinstance(value, str) and value else "-"
        for field, content in record.fields:
            if field.lower() == wanted:
                return escape(content.decode("latin-1")) or "-"
        return "-"

    return get


def _response_field(name: str) -> Getter:
    wanted = name.lower()

    def get(record: Record) -> str:
        for field, content in record.response_fields:
            if field.lower() == wanted:
                return escape(content)
        return "-"

    return get


def _variable(name: str) -> Getter:
    def get(record: Record) -> str:
        value = (record.environ or {}).get(name)
        return "-" if value is None else escape(str(value))

    return get


_authorization = _request_field("authorization")


def _user(record: Record) -> str:
    """The name of Basic authentication (RFC 7617 section 2), whether or not it was accepted."""
    scheme, _, credentials = str(_authorization(record)).partition(" ")
    if scheme.lower() != "basic":
        return "-"
    try:
        name, colon, _ = binascii.a2b_base64(credentials.strip()).decode("utf-8").partition(":")
    except ValueError:
        return "-"
    return escape(name).replace(" ", "\\x20") or "-" if colon else "-"


_ATOMS: dict[str, Getter] = {
    "h": lambda record: record.peer or "-",
    "l": lambda record: "-",
    "u": _user,
    "t": _Clock(),
    "r": _request_line,
    "m": lambda record: escape(record.method) or "-",
    "U": lambda record: escape(record.path),
    "q": lambda record: escape(record.query),
    "H": lambda record: record.version or "-",
    "s": lambda record: record.status,
    "B": lambda record: record.sent,
    "b": lambda record: record.sent,
    "f": _request_field("referer"),
    "a": _request_field("user-agent"),
    "T": lambda record: int(record.duration),
    "D": lambda record: int(record.duration * 1_000_000),
    "M": lambda record: int(record.duration * 1_000),
    "L": lambda record: f"{record.duration:.6f}",
    "p": lambda record: f"<{os.getpid()}>",
}

_NUMBERS = frozenset("sBbTDM")

_NAMED: dict[str, Callable[[str], Getter]] = {
    "i": _request_field,
    "o": _response_field,
    "e": _variable,
}
