"""gunicorn's access-log atoms: a format is compiled once into one function that makes whole lines.

    format = compile_format('%(h)s "%(r)s" %(s)s')
    texts = format.lines([(asked, request, head, sent, time.time(), ())])

What a client sent is escaped: a log line is one line, and its quotes are the format's (CVE-2020-7694).
"""

import binascii
import os
import re
import time
from collections.abc import Callable
from typing import Any

from pronghorn.observe.asked import Asked, FieldText, LineText
from pronghorn.observe.record import Exchange, Head, Line, Request
from pronghorn.option import nearest

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'

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


Ended = tuple[Asked, Request, Head, int, float, tuple[Any, ...]]
"""A request that was answered: its connection's texts, itself, the answer's head, octets of content,
time.time() of the end, and what the format's `see` saw."""


class Format:
    """One format, and what it wants of a request (asked.Wanted).

    lines: makes a line with its end for each of a list of `Ended`; it raises nothing. No two threads at once
    may give it the same `Asked`.
    see: takes of an exchange what is not to be had later, where the format wants such: how long it took, and
    texts of the environ. It raises whatever str() of an application's object raises, nothing else.
    """

    def __init__(self, text: str) -> None:
        """Raises ValueError with a sentence."""
        self.line_texts: list[LineText] = []
        self.field_texts: list[FieldText] = []
        self.places: dict[bytes, list[int]] = {}
        self._names: list[str] = []
        self._seen: list[str] = []
        parts: list[str] = []
        end = 0
        for match in _ATOM.finditer(text):
            parts += _literal(text[end : match.start()]), self._replace(match)
            end = match.end()
        scope: dict[str, Any] = {**_SCOPE, "names": self._names}
        exec(_LINES.format("".join(parts) + _literal(text[end:] + "\n")), scope)
        self.lines: Callable[[list[Ended]], list[str]] = scope["lines"]
        self.see: Callable[[Exchange], tuple[Any, ...]] | None = None
        if self._seen:
            exec(_SEE.format(", ".join(self._seen)), scope)
            self.see = scope["see"]

    def _replace(self, match: re.Match[str]) -> str:
        """What stands for it in an f-string."""
        if match[0] == "%%":
            return _literal("%")
        name, spec = match["name"], match["spec"]
        if name is None:
            raise ValueError(
                f"The access-log format has a lone '%' at {match.string[match.start() :][:20]!r}."
            )
        if spec[-1] != "s" and name not in _NUMBERS:
            raise ValueError(f"The access-log atom %({name}){spec} is not a number: write %({name})s.")
        expression = self._expression(name)
        if spec[-1] != "s":
            expression = f"int({expression})"
        return f"{{{expression}}}" if spec == "s" else f"{{'%{spec}' % ({expression},)}}"

    def _expression(self, name: str) -> str:
        """Python for an atom. No text of the format's gets into it, only numbers of what was put aside."""
        if name in _EXPRESSIONS:
            return _EXPRESSIONS[name]
        if name in _OF_DURATION:
            return self._take(_OF_DURATION[name])
        if name in _OF_LINE:
            self.line_texts.append(_OF_LINE[name])
            return f"asked.line[{len(self.line_texts) - 1}]"
        if name in _OF_FIELD:
            return self._field(*_OF_FIELD[name])
        if name.startswith("{") and name[-2:-1] == "}" and name[-1] in "ioe":
            if name[-1] == "i":
                return self._field(name[1:-2], escape)
            self._names.append(name[1:-2].lower() if name[-1] == "o" else name[1:-2])
            name, place = name[-1], len(self._names) - 1
            return f"_o(names[{place}], head)" if name == "o" else self._take(f"_e(names[{place}], exchange)")
        atoms = [*_EXPRESSIONS, *_OF_DURATION, *_OF_LINE, *_OF_FIELD]
        meant = nearest(name, atoms, 0.6)
        hint = f"did you mean %({meant})s?" if meant else f"there are {' '.join(atoms)}."
        raise ValueError(f"The access-log atom %({name})s is not known: {hint}")

    def _field(self, name: str, text: FieldText) -> str:
        place = len(self.field_texts)
        self.field_texts.append(text)
        self.places.setdefault(name.lower().encode("latin-1", "replace"), []).append(place)
        return f"fields[{place}]"

    def _take(self, expression: str) -> str:
        """Have `see` do it, and stand for what it saw."""
        self._seen.append(expression)
        return f"seen[{len(self._seen) - 1}]"


def _literal(text: str) -> str:
    """`text` within an f-string: nothing but escapes, so that nothing of it can be Python."""
    return "".join(f"\\U{ord(letter):08x}" for letter in text)


def compile_format(text: str) -> Format:
    """Raises ValueError with a sentence."""
    return Format(text)


class Stamp:
    """The time, [day/month/year:hour:minute:second zone], worked out once a second. Any thread.

    known: since when, until when, and its text; replaced whole.
    """

    def __init__(self) -> None:
        self.known = (0.0, 0.0, "")

    def work_out(self, now: float) -> tuple[float, float, str]:
        """`known` for the time `now`, of time.time()."""
        second = int(now)
        at = time.localtime(second)
        month = "JanFebMarAprMayJunJulAugSepOctNovDec"[at.tm_mon * 3 - 3 : at.tm_mon * 3]
        text = time.strftime(f"[%d/{month}/%Y:%H:%M:%S %z]", at)
        self.known = (second, second + 1, text)
        return self.known


def _request_line(line: Line) -> str:
    return escape(f"{line.method} {line.target} {line.version}") if line.version else "-"


def _response_field(wanted: str, head: Head) -> str:
    for name, value in head.fields:
        if name.lower() == wanted:
            return escape(value)
    return "-"


def _variable(name: str, exchange: Exchange) -> str:
    value = (exchange.environ or {}).get(name)
    # Not a subclass of str, whose own __format__ could put anything into the line.
    return "-" if value is None else escape(str.__str__(str(value)))


def _user(authorization: str) -> str:
    """The name of Basic authentication (RFC 7617 section 2), whether or not it was accepted."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "-"
    try:
        name, colon, _ = binascii.a2b_base64(credentials.strip()).decode("utf-8").partition(":")
    except ValueError:
        return "-"
    return escape(name).replace(" ", "\\x20") if colon else "-"


_SCOPE = {
    "stamp": Stamp(),
    "codes": tuple(map(str, range(1000))),  # to make each anew takes 0.05 µs
    "monotonic": time.monotonic,
    "getpid": os.getpid,
    "_o": _response_field,
    "_e": _variable,
}
"""What the expressions may name, beside the arguments."""

# One function for many lines, of one f-string: 0.3 µs for a line of the default format. Each line right after
# its request was 0.3 µs more under load: then little of this is in the processor's caches.
_LINES = """def lines(ended):
    made = []
    add = made.append
    since, until, at = stamp.known
    for asked, request, head, sent, now, seen in ended:
        if asked.request is not request:
            asked.read(request)
        if not since <= now < until:
            since, until, at = stamp.work_out(now)
        fields = asked.fields
        add(f"{}")
        if asked.large:
            asked.forget()
    return made
"""

_SEE = """def see(exchange):
    lasted = monotonic() - exchange.started if exchange.started else 0.0
    return ({},)
"""

_EXPRESSIONS = {
    "h": "asked.peer",
    "l": "'-'",
    "t": "at",
    "s": "codes[head.code]",
    "B": "sent",
    "b": "sent",
    "p": "f'<{getpid()}>'",
}

_OF_DURATION = {
    "T": "int(lasted)",
    "D": "int(lasted * 1_000_000)",
    "M": "int(lasted * 1_000)",
    "L": "f'{lasted:.6f}'",
}

_OF_LINE: dict[str, LineText] = {
    "r": _request_line,
    "m": lambda line: escape(line.method) or "-",
    "U": lambda line: escape(line.path),
    "q": lambda line: escape(line.query),
    "H": lambda line: line.version or "-",
}

_OF_FIELD: dict[str, tuple[str, FieldText]] = {
    "u": ("authorization", _user),
    "f": ("referer", escape),
    "a": ("user-agent", escape),
}

_NUMBERS = frozenset("sBbTDM")
