"""The header fields of a file's answers: all but those that a range adds (S10, S13 to S16).

They are made once, when a file is looked up, and not for each request.
"""

import os
import re
from collections.abc import Callable
from typing import NamedTuple
from wsgiref.headers import Headers as HeadersObject

from pronghorn.apps.static.dates import http_date
from pronghorn.apps.static.options import StaticOptions
from pronghorn.apps.static.patterns import Pattern
from pronghorn.apps.static.precompressed import IDENTITY
from pronghorn.apps.static.types import content_type

Headers = list[tuple[str, str]]

_IMMUTABLE = "public, max-age=31536000, immutable"
"""A year: more means nothing to caches (RFC 9111 section 1.2.2 lets them cut it)."""

_YOUNG = 2_000_000_000
"""Nanoseconds. A file may change again without a new time stamp: FAT counts in steps of 2 s."""

_HASHED = re.compile(r"[.-](?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,64}\.[^/]*")
"""A hexadecimal hash before the ending. Letters and digits: "20240131" is a date, "deadbeef" a word."""

_NOT_IN_304 = frozenset(
    {"content-type", "content-length", "content-encoding", "last-modified", "accept-ranges"}
)
"""RFC 9110 section 15.4.5: what is not needed to update a cache is left out."""


class Target(NamedTuple):
    """What is known of a file before its status: the same for all its codings."""

    path: str
    """On disk."""
    url: str
    """Below the root."""
    vary: bool
    """Whether files with other codings stand beside it."""


class FieldsMaker:
    """Makes header fields as the options say. Any thread."""

    def __init__(self, options: StaticOptions, by_accept: bool = False) -> None:
        """by_accept: whether it is by the Accept field that these files are found."""
        self._options = options
        self._by_accept = by_accept
        self._cache = [(Pattern(glob), _cache_control(value)) for glob, value in options.cache.items()]
        self._more = [(Pattern(glob), list(fields.items())) for glob, fields in options.headers.items()]
        self._is_immutable = _immutable_test(options.immutable_file_test)
        self._mimetypes = {ending.lower(): kind for ending, kind in (options.mimetypes or {}).items()}
        self._cors = "all" if options.allow_all_origins else options.cors

    def make(self, target: Target, coding: str, status: os.stat_result, now: float) -> Headers:
        """The fields of a 200. now: seconds since 1970."""
        kind = content_type(target.url.rpartition("/")[2], self._mimetypes, self._options.charset)
        fields = [
            ("Content-Type", kind),
            ("Content-Length", str(status.st_size)),
            ("ETag", entity_tag(status, coding, now)),
            # RFC 9110 section 8.8.2.1: never later than the answer itself.
            ("Last-Modified", http_date(min(modified(status), int(now)))),
            ("Accept-Ranges", "bytes"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        control = self._cache_control(target, kind)
        if control:
            fields.append(("Cache-Control", control))
        fields += self.vary(target)
        if coding != IDENTITY:
            fields.append(("Content-Encoding", coding))
        if self._cors == "all" or (self._cors == "fonts" and _is_font(kind)):
            fields.append(("Access-Control-Allow-Origin", "*"))
        return self._with_more(fields, target, kind)

    def vary(self, target: Target) -> Headers:
        """What the choice of the answer hangs on (RFC 9110 section 12.5.5)."""
        names = ["Accept"] if self._by_accept else []
        if target.vary:
            names.append("Accept-Encoding")
        return [("Vary", ", ".join(names))] if names else []

    def _cache_control(self, target: Target, kind: str) -> str:
        for pattern, control in self._cache:
            if pattern.matches(target.url, kind):
                return control
        if self._is_immutable(target.path, target.url):
            return _IMMUTABLE
        if kind.startswith(("text/html", "application/xhtml+xml")):
            return "no-cache"
        age = self._options.max_age
        return "" if age is None else f"public, max-age={age}"

    def _with_more(self, fields: Headers, target: Target, kind: str) -> Headers:
        if not self._more and self._options.add_headers_function is None:
            return fields
        headers = HeadersObject(fields)
        for pattern, more in self._more:
            if pattern.matches(target.url, kind):
                for name, value in more:
                    before = headers.get("Vary") if name.lower() == "vary" else None
                    headers[name] = f"{before}, {value}" if before else value
        if self._options.add_headers_function is not None:
            self._options.add_headers_function(headers, target.path, target.url)
        return headers.items()


def entity_tag(status: os.stat_result, coding: str, now: float) -> str:
    """S10: strong, unless the file is so young that it may change once more within one time stamp."""
    suffix = "" if coding == IDENTITY else "-" + coding
    weak = "W/" if now * 1e9 - status.st_mtime_ns < _YOUNG else ""
    return f'{weak}"{status.st_mtime_ns:x}-{status.st_size:x}{suffix}"'


def modified(status: os.stat_result) -> int:
    """The time of the last change in whole seconds since 1970, as HTTP dates have it."""
    return max(0, status.st_mtime_ns // 1_000_000_000)


def of_not_modified(fields: Headers) -> Headers:
    """The fields of a 304, from those of the 200."""
    return [(name, value) for name, value in fields if name.lower() not in _NOT_IN_304]


def _cache_control(value: str | int) -> str:
    if isinstance(value, int) or (value.isascii() and value.isdecimal()):
        return f"public, max-age={value}"
    return _IMMUTABLE if value == "immutable" else value


def _immutable_test(test: str | Callable[[str, str], bool] | None) -> Callable[[str, str], bool]:
    if test is None:
        return lambda path, url: False
    if callable(test):
        return test
    if test == "auto":
        return lambda path, url: _HASHED.search(url.rpartition("/")[2]) is not None
    expression = re.compile(test)
    return lambda path, url: expression.search(url) is not None


def _is_font(kind: str) -> bool:
    return kind.startswith("font/") or kind == "application/vnd.ms-fontobject"
