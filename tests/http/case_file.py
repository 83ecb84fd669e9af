"""Reads the parser cases of `tests/cases/h1`; their format is described in the README there."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from pronghorn.http.limits import Limits
from tests.http.wire import Seen, Verdict

FOLDER = Path(__file__).parent.parent / "cases" / "h1"

_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|([rnt\\])|\{(.*?)\*(\d+)\})", re.DOTALL)
_LETTERS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
_TEXT_KEYS = ("path", "query", "authority")
_FLAG_KEYS = {"persistent": "persistent", "continue": "expects_continue", "chunked": "chunked"}
_LIMITS = {name: f"limit_request_{name}" for name in ("line", "head", "fields", "body")}
_YES_NO = {"yes": True, "no": False}


@dataclass
class Expected:
    """One request that a case expects; what it does not mention is not compared, except body and persistence."""

    start_line: str
    facts: dict[str, object] = field(default_factory=lambda: {"body": b"", "persistent": True})
    fields: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass
class Case:
    name: str
    data: bytes
    clause: str = ""
    limits: Limits = field(default_factory=Limits)
    scheme: str = "http"
    requests: list[Expected] = field(default_factory=list)
    ends: tuple[str, ...] = ()

    def differences(self, verdict: Verdict) -> list[str]:
        """What the verdict has wrong, one sentence for each; empty when it is as expected."""
        found = []
        if verdict.end not in self.ends:
            found.append(f"it ended {verdict.end}, not {' or '.join(self.ends)}")
        if len(verdict.requests) != len(self.requests):
            found.append(f"it gave {len(verdict.requests)} requests, not {len(self.requests)}")
        for expected, request in zip(self.requests, verdict.requests, strict=False):
            found += _differences(expected, request)
        return found


def _differences(expected: Expected, request: Seen) -> list[str]:
    start_line = f"{request.method} {request.target} {request.version}"
    found = [] if start_line == expected.start_line else [f"{start_line!r} is not {expected.start_line!r}"]
    for name, value in expected.facts.items():
        if getattr(request, name) != value:
            found.append(f"{name} is {getattr(request, name)!r}, not {value!r}")
    if expected.fields and list(request.fields) != expected.fields:
        found.append(f"fields are {request.fields!r}, not {expected.fields!r}")
    return found


def unescape(text: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        code, letter, repeated, count = match.groups()
        if code:
            return bytes([int(code, 16)])
        return _LETTERS[letter] if letter else unescape(repeated) * int(count)

    return _ESCAPE.sub(one, text)


def load(path: Path) -> Case:
    head, mark, raw = path.read_bytes().partition(b"\n---\n")
    if not mark:
        raise ValueError(f"{path.name}: there is no line ---")
    case = Case(path.stem, unescape(raw.replace(b"\n", b"")))
    for line in head.decode("ascii").splitlines():
        if line.startswith("#"):
            case.clause += line[1:]
        else:
            _understand(case, *line.split(": ", 1))
    if not case.ends:
        case.ends = ("closed",) if case.requests and not case.requests[-1].facts["persistent"] else ("done",)
    return case


def _understand(case: Case, key: str, value: str = "") -> None:
    key = key.rstrip(":")
    text = unescape(value.encode("ascii"))
    if key == "limits":
        pairs = (pair.split("=") for pair in value.split())
        case.limits = Limits(**{_LIMITS[name]: int(number) for name, number in pairs})
    elif key == "on":
        case.scheme = value
    elif key == "end":
        case.ends = tuple(value.split())
    elif key == "request":
        case.requests.append(Expected(text.decode("latin-1")))
    else:
        _understand_fact(case.requests[-1], key, text)


def _understand_fact(expected: Expected, key: str, text: bytes) -> None:
    if key == "field":
        name, _, value = text.partition(b":")
        expected.fields.append((name, value.removeprefix(b" ")))
    elif key == "body":
        expected.facts["body"] = text
    elif key in _TEXT_KEYS:
        expected.facts[key] = text.decode("latin-1")
    elif key in _FLAG_KEYS:
        expected.facts[_FLAG_KEYS[key]] = _YES_NO[text.decode()]
    else:
        raise ValueError(f"a case has no {key!r}")
