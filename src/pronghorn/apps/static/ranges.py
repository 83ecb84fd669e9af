"""Range requests (S12, RFC 9110 section 14): what a Range field asks for, and multipart/byteranges.

parse_ranges("bytes=0-3,-2", 10)   # [(0, 4), (8, 10)]: half-open, in the order of the request
"""

import re
import secrets

RANGES_MOST = 16
"""More are answered with the whole file: no player or download tool asks for so many (CVE-2011-3192)."""

_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_HUGE = 10**18
_BYTES = "bytes="

Range = tuple[int, int]


def parse_ranges(field: str, size: int) -> list[Range] | None:
    """The satisfiable ranges; empty where none is (416); None where the field is to be ignored (200)."""
    field = field.strip(" \t")
    if field[: len(_BYTES)].lower() != _BYTES or field.count(",") > 4 * RANGES_MOST:
        return None
    found: list[Range] = []
    specs = [spec.strip(" \t") for spec in field[len(_BYTES) :].split(",")]
    specs = [spec for spec in specs if spec]  # empty members mean nothing (section 5.6.1)
    if not specs or len(specs) > RANGES_MOST:
        return None
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or spec == "-":
            return None
        one = _satisfiable(match[1], match[2], size)
        if one is None:
            return None
        if one[0] < one[1]:
            found.append(one)
    return None if _too_much(found, size) else found


def _satisfiable(first: str, last: str, size: int) -> Range | None:
    """Half-open and clamped; empty if it cannot be satisfied; None if it is to be ignored."""
    if not first:
        length = _number(last)
        # Some octets of the end of an empty file: that is the file, and no Content-Range can say so.
        return None if length and not size else (max(0, size - length), size)
    start = _number(first)
    end = _number(last) + 1 if last else size
    if last and start >= end:
        return None
    return start, min(end, size)


def _number(digits: str) -> int:
    """Clamped: Python refuses to read thousands of digits."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else _HUGE


def _too_much(ranges: list[Range], size: int) -> bool:
    """Ranges that overlap and together are longer than the file: a request that is no good to anybody."""
    if len(ranges) < 2 or sum(end - start for start, end in ranges) <= size:
        return False
    reached = -1
    for start, end in sorted(ranges):
        if start < reached:
            return True
        reached = end
    return False


class Multipart:
    """The frame of a multipart/byteranges answer (RFC 9110 section 14.6)."""

    __slots__ = ("boundary", "last", "length", "parts")

    def __init__(self, ranges: list[Range], size: int, fields: list[tuple[str, str]]) -> None:
        """size: of the whole. fields: that describe each part."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        self.boundary = secrets.token_hex(12)
        """Random: the content of a file cannot hold it on purpose."""
        self.parts: list[tuple[bytes, int, int]] = []
        """(what stands before it, start, octets) of each range."""
        self.length = 0
        for start, end in ranges:
            before = (
                f"\r\n--{self.boundary}\r\n{lines}Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n"
            ).encode("latin-1")
            if not self.parts:
                before = before[2:]
            self.parts.append((before, start, end - start))
            self.length += len(before) + end - start
        self.last = f"\r\n--{self.boundary}--\r\n".encode()
        self.length += len(self.last)
