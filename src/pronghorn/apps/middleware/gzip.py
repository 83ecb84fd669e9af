"""For text that an application generates, where no proxy in front compresses it.

    application = Gzip(application)

What an application streams is compressed block by block, and each block leaves at once. Not for pages that
show a secret beside what the request said (BREACH, docs/middleware.md).
"""

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from pronghorn.errors import ConfigError

Environ = dict[str, Any]
Headers = list[tuple[str, str]]

_TYPES = re.compile(
    r"text/.*|.*\+(?:json|xml|text)|application/(?:json|javascript|ecmascript|xml|x-javascript|wasm|x-ndjson|graphql"
    r"|ld\+json|manifest\+json|rtf|toml|yaml|x-sh|vnd\.ms-fontobject)|image/(?:svg\+xml|bmp|x-icon)|font/(?:ttf|otf)"
)
"""Types that shrink. All others are compressed already, or not known."""

_NEVER = frozenset(("204", "205", "206"))
_PROMISES = frozenset(
    ("content-encoding", "content-range", "content-md5", "digest", "content-digest", "repr-digest")
)
"""Fields that speak of the octets as they are."""

_QUALITY = re.compile(r"[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*", re.IGNORECASE)

_FORMAT = 31
"""zlib's number for the gzip format with the largest window."""


class Gzip:
    """A WSGI middleware. Any thread.

    level: 1 (fast) to 9 (small).
    min_size: octets; a shorter response, where its length is known, is left alone: it would hardly shrink.
    types: media types to compress instead of the text-like ones, such as ["text/html", "application/*"].
    """

    __slots__ = ("_app", "level", "min_size", "suits")

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        level: int = 6,
        min_size: int = 512,
        types: Sequence[str] | None = None,
    ) -> None:
        if level not in range(1, 10):
            raise ConfigError(f"gzip: level is {level!r}.", mend="It is a number from 1 (fast) to 9 (small).")
        if not isinstance(min_size, int) or min_size < 0:
            raise ConfigError(f"gzip: min_size is {min_size!r}.", mend="It is a number of octets.")
        if isinstance(types, str) or any("/" not in name for name in types or ()):
            raise ConfigError(
                f"gzip: types is {types!r}.", mend='It is a list such as ["text/*", "application/json"].'
            )
        self._app = app
        self.level = level
        self.min_size = min_size
        pattern = _TYPES if types is None else re.compile("|".join(map(_pattern, types)) or r"(?!)")
        # Any content type that an application makes up; there are few.
        self.suits: Callable[[str], bool] = lru_cache(128)(lambda given: _is_one_of(given, pattern))

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        response = _Response(self, environ, start_response)
        result = self._app(environ, response.start_response)
        return response.body(result)


def accepts_gzip(given: str) -> bool:
    """RFC 9110 section 12.5.3: gzip is acceptable, and not less welcome than no coding."""
    qualities: dict[str, float] = {}
    for member in given.lower().split(","):
        name, semicolon, parameter = member.partition(";")
        found = _QUALITY.fullmatch(parameter)
        if not semicolon or found:
            qualities[name.strip(" \t")] = float(found[1]) if found else 1.0
    gzip = qualities.get("gzip", qualities.get("x-gzip", qualities.get("*", 0.0)))
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


_accepts = lru_cache(256)(accepts_gzip)


class _Response:
    """One response. It is held until there is content: only then is it known whether it is worth it."""

    __slots__ = (
        "_accepted",
        "_gzip",
        "_head",
        "_held",
        "_original",
        "_start",
        "_started",
        "_tags",
        "_write",
        "_zipper",
    )

    def __init__(self, gzip: Gzip, environ: Environ, start_response: Callable[..., Any]) -> None:
        self._gzip = gzip
        self._start = start_response
        self._accepted = "HTTP_ACCEPT_ENCODING" in environ and _accepts(environ["HTTP_ACCEPT_ENCODING"])
        self._head = environ.get("REQUEST_METHOD") == "HEAD"
        self._tags: str = environ.get("HTTP_IF_NONE_MATCH", "")
        self._held: tuple[Any, ...] | None = None
        """What to call the server's start_response with; None: it was called, or there is nothing yet."""
        self._original: Headers = []
        self._started = False
        self._write: Callable[[bytes], Any] = _ignore
        self._zipper: Any = None
        """Compresses what follows; None: it goes as it is."""

    def start_response(self, status: str, fields: Headers, exc_info: Any = None) -> Callable[[bytes], Any]:
        """For the application."""
        if exc_info is None:
            self._as_it_is()  # a second call, which is for the server to refuse
        if self._started:
            write: Callable[[bytes], Any] = self._start(status, fields, exc_info)
            return write
        eligible, length = _look(status, fields, self._gzip.suits)
        extra = () if exc_info is None else (exc_info,)
        if not eligible:
            return self._pass(status, fields, *extra)
        if status[:3] == "304":
            known_by = self._tags if self._accepted else ""
            return self._pass(status, _with_vary(not_modified_fields(fields, known_by)), *extra)
        if not self._accepted or not self._is_long(length):
            return self._pass(status, _with_vary(fields), *extra)
        self._original = fields
        self._held = (status, compressed_fields(fields), *extra)
        return self._pass(*self._held) if self._head else self.write

    def _is_long(self, length: int | None) -> bool:
        """Worth it, or perhaps. To HEAD nothing may be said that GET would not say."""
        return not self._head if length is None else length >= self._gzip.min_size

    def _pass(self, *arguments: Any) -> Callable[[bytes], Any]:
        self._held = None
        self._started = True
        self._write = self._start(*arguments)
        return self._write

    def write(self, block: bytes) -> None:
        """PEP 3333, "The write() Callable": for the application, where it is not the server's own."""
        self._begin()
        if block:
            self._write(self._zipped(block))

    def body(self, result: Any) -> Iterable[bytes]:
        """What the server gets in place of the application's result."""
        if self._held is not None and type(result) in (list, tuple):
            return self._whole(result)
        if self._started and self._zipper is None:
            passed: Iterable[bytes] = result  # nothing to do: it may be a file_wrapper's
            return passed
        return _Stream(self, result)

    def _whole(self, blocks: Sequence[bytes]) -> Iterable[bytes]:
        """All of it is there: its length too."""
        try:
            content = b"".join(blocks)
        except TypeError:  # for the server to explain
            content = b""
        if len(content) >= self._gzip.min_size and self._held is not None:
            small = zlib.compress(content, self._gzip.level, _FORMAT)
            if len(small) < len(content):
                status, fields, *extra = self._held
                self._pass(status, [*fields, ("Content-Length", str(len(small)))], *extra)
                return [small]
        self._as_it_is()
        return blocks

    def _as_it_is(self) -> None:
        if self._held is not None:
            status, _, *extra = self._held
            self._pass(status, _with_vary(self._original), *extra)

    def _begin(self) -> None:
        """There is content, and more may come."""
        if self._held is not None:
            self._zipper = zlib.compressobj(self._gzip.level, zlib.DEFLATED, _FORMAT)
            self._pass(*self._held)

    def blocks(self, result: Iterable[bytes]) -> Iterator[bytes]:
        """Each block as soon as the application yields it."""
        for block in result:
            if block:
                self._begin()
                yield self._zipped(block)
            elif self._started:  # before that there must be nothing (PEP 3333)
                yield block
        if self._held is not None:
            self._as_it_is()
        elif self._zipper is not None:
            yield self._zipper.flush()

    def _zipped(self, block: bytes) -> bytes:
        if self._zipper is None:
            return block
        zipped: bytes = self._zipper.compress(block) + self._zipper.flush(zlib.Z_SYNC_FLUSH)
        return zipped


class _Stream:
    """The blocks of one response, and the close() of the application's own result."""

    __slots__ = ("_blocks", "close")

    def __init__(self, response: _Response, result: Iterable[bytes]) -> None:
        self._blocks = response.blocks(result)
        self.close: Callable[[], Any] = getattr(result, "close", _nothing)

    def __iter__(self) -> Iterator[bytes]:
        return self._blocks


def _nothing() -> None:
    """There is nothing to close."""


def _ignore(block: bytes) -> None:
    """Before there is a write()."""


def _look(status: str, fields: Headers, suits: Callable[[str], bool]) -> tuple[bool, int | None]:
    """Whether this response may be compressed, and its Content-Length.

    304 is for a response that may have been: its type is seldom said, and is taken for one that suits.
    """
    length, kind = None, None
    for name, value in fields:
        lower = name.lower()
        if lower == "content-type":
            kind = value
        elif lower == "content-length":
            length = int(value) if value.isascii() and value.isdigit() else None
        elif lower in _PROMISES or (lower == "cache-control" and "no-transform" in value.lower()):
            return False, None
    if status[:3] in _NEVER or (kind is None and status[:3] != "304"):
        return False, None
    return kind is None or suits(kind), length


def compressed_fields(fields: Headers) -> Headers:
    """The fields of the same response in gzip, without its length.

    An entity tag becomes weak: the octets are others, the meaning is the same (RFC 9110 section 8.8.1), and
    what the client sends back still fits the application's own (section 13.1.2).
    """
    changed = []
    for name, value in fields:
        lower = name.lower()
        if lower == "etag" and not value.startswith("W/"):
            value = "W/" + value
        if lower not in ("content-length", "accept-ranges"):
            changed.append((name, value))
    changed.append(("Content-Encoding", "gzip"))
    return _with_vary(changed)


def not_modified_fields(fields: Headers, known_by: str) -> Headers:
    """The fields of 304, with the entity tag that 200 would have now (RFC 9110 section 15.4.5).

    known_by: If-None-Match. A client that has the compressed content names the weak tag; under the strong one
    a cache would find nothing to freshen (RFC 9111 section 4.3.4).
    """
    return [
        (name, "W/" + value)
        if name.lower() == "etag" and value[:1] == '"' and "W/" + value in known_by
        else (name, value)
        for name, value in fields
    ]


def _with_vary(fields: Headers) -> Headers:
    """RFC 9110 section 12.5.5: also on what is not compressed, for a cache that keeps both."""
    at = None
    for index, (name, value) in enumerate(fields):
        if name.lower() == "vary":
            members = [member.strip().lower() for member in value.split(",")]
            if "*" in members or "accept-encoding" in members:
                return fields
            at = index
    if at is None:
        return [*fields, ("Vary", "Accept-Encoding")]
    name, value = fields[at]
    return [
        *fields[:at],
        (name, f"{value}, Accept-Encoding" if value else "Accept-Encoding"),
        *fields[at + 1 :],
    ]


def _is_one_of(given: str, pattern: re.Pattern[str]) -> bool:
    return pattern.fullmatch(given.partition(";")[0].strip().lower()) is not None


def _pattern(name: str) -> str:
    return re.escape(name.lower()).replace(r"\*", ".*")
