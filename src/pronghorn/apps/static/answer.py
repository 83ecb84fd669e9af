"""The answers that Static gives: a file, in one coding; a redirect; a refusal."""

import os
from collections.abc import Callable, Iterable, Iterator
from time import time
from typing import Any

from pronghorn.apps.static import ranges
from pronghorn.apps.static.cache import Descriptor, StartResponse
from pronghorn.apps.static.conditional import FAILED, NOT_MODIFIED, evaluate, range_applies
from pronghorn.apps.static.dates import parse_http_date
from pronghorn.apps.static.fields import Headers, modified, of_not_modified
from pronghorn.apps.static.quoting import Quoter
from pronghorn.wsgi.file_wrapper import FilePart, FileWrapper

SMALL = 65536
"""Files up to this many octets are held in memory and leave with their head in one call."""

_BLOCK = 65536
CONDITIONS = frozenset(
    {
        "HTTP_RANGE",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_MATCH",
        "HTTP_IF_UNMODIFIED_SINCE",
    }
)
"""Without these, and with GET, the answer is the whole file. If-Range means nothing without Range."""

_OF_PARTS = frozenset({"content-type", "content-encoding"})
_NOT_IN_ERRORS = frozenset({"etag", "last-modified", "accept-ranges", "cache-control", "vary"})

_PARTS_MOST = 1 << 20
_TRIES = 8
Environ = dict[str, Any]

_quote_path = Quoter("/!$&'()*+,;=:@")
_quote_query = Quoter("/!$&'()*+,;=:@?%[]")

Refuse = Callable[[str, Environ, StartResponse, Headers], Iterable[bytes]]
"""Answers with an error page: (status, environ, start_response, more fields)."""


class FileAnswer:
    """A file as it was found, in one coding. Any thread, many at once: nothing here changes."""

    __slots__ = (
        "_content",
        "_descriptor",
        "_fields",
        "_modified",
        "_refuse",
        "_size",
        "_stamp",
        "etag",
    )

    def __init__(
        self,
        fields: Headers,
        status: os.stat_result,
        content: bytes | None,
        descriptor: Descriptor | None,
        now: float,
        refuse: Refuse,
    ) -> None:
        """Either content or descriptor. fields: of a 200. now: seconds since 1970, as for the fields."""
        self._fields = fields
        self._size = status.st_size
        self._stamp = stamp_of(status)
        # RFC 9110 sections 13.1.3 to 13.1.5 compare with what the answer says, which may not be the file's.
        said = parse_http_date(value_of(fields, "last-modified"), now)
        self._modified = min(modified(status), int(now)) if said is None else said
        self._content = content
        self._descriptor = descriptor
        self._refuse = refuse
        self.etag = value_of(fields, "etag")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "GET" and environ.keys().isdisjoint(CONDITIONS):
            # A copy: whoever stands between us and the server may add to it.
            start_response("200 OK", self._fields.copy())
            content = self._content
            return self._body(0, self._size, environ) if content is None else [content]
        return self._conditional(environ, start_response)

    def is_quick(self, environ: Environ) -> bool:
        """A file that cannot be handed over as such would be produced at the client's pace."""
        if self._content is not None:
            return True
        return environ.get("wsgi.file_wrapper") is FileWrapper and "," not in environ.get("HTTP_RANGE", "")

    def is_current(self) -> bool:
        if self._descriptor is None:
            return True
        return stamp_of(os.fstat(self._descriptor.fileno())) == self._stamp

    def error_page(self) -> tuple[Headers, bytes]:
        """Fields and content for an answer that is about another path: no validators, no ranges.

        Raises OSError. The content is read at once: no error waits for a client.
        """
        fields = [(name, value) for name, value in self._fields if name.lower() not in _NOT_IN_ERRORS]
        content = b"".join(self._blocks(0, self._size)) if self._content is None else self._content
        return [*fields, ("Cache-Control", "no-cache")], content

    def _conditional(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        now = time()
        verdict = evaluate(environ, self.etag, self._modified, now)
        if verdict is NOT_MODIFIED:
            start_response("304 Not Modified", of_not_modified(self._fields))
            return []
        if verdict is FAILED:
            return self._refuse("412 Precondition Failed", environ, start_response, self._vary())
        get = environ["REQUEST_METHOD"] == "GET"
        asked = environ.get("HTTP_RANGE") if get else None  # RFC 9110 section 14.2: GET only
        if asked is not None and range_applies(environ, self.etag, self._modified, now):
            found = ranges.parse_ranges(asked, self._size)
            if found is not None and not self._is_too_long(found):
                return self._partial(found, environ, start_response)
        start_response("200 OK", self._fields.copy())
        return self._body(0, self._size, environ) if get else []

    def _is_too_long(self, found: list[ranges.Range]) -> bool:
        """Several parts pass through a thread or a temporary file; the whole file through neither."""
        return len(found) > 1 and sum(end - start for start, end in found) > _PARTS_MOST

    def _partial(
        self, found: list[ranges.Range], environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if not found:
            more = [("Content-Range", f"bytes */{self._size}"), *self._vary()]
            return self._refuse("416 Range Not Satisfiable", environ, start_response, more)
        if len(found) == 1:
            start, end = found[0]
            fields = self._replaced({"content-length": str(end - start)})
            fields.append(("Content-Range", f"bytes {start}-{end - 1}/{self._size}"))
            start_response("206 Partial Content", fields)
            return self._body(start, end - start, environ)
        # What is coded is the file, not the multipart message: the parts say so.
        described = [(name, value) for name, value in self._fields if name.lower() in _OF_PARTS]
        frame = ranges.Multipart(found, self._size, described)
        new = {
            "content-length": str(frame.length),
            "content-type": f"multipart/byteranges; boundary={frame.boundary}",
        }
        fields = [field for field in self._replaced(new) if field[0].lower() != "content-encoding"]
        start_response("206 Partial Content", fields)
        blocks = self._multipart(frame)
        return [b"".join(blocks)] if frame.length <= SMALL else blocks

    def _multipart(self, frame: ranges.Multipart) -> Iterator[bytes]:
        for before, start, count in frame.parts:
            yield before
            yield from self._blocks(start, count)
        yield frame.last

    def _body(self, start: int, count: int, environ: Environ) -> Iterable[bytes]:
        if self._content is not None:
            return [self._content[start : start + count]]
        assert self._descriptor is not None
        wrapper = environ.get("wsgi.file_wrapper")
        if wrapper is FileWrapper:
            return FileWrapper(FilePart(self._descriptor, start, count))
        # Other servers' wrappers move the file's position, which all answers share.
        return self._blocks(start, count)

    def _blocks(self, start: int, count: int) -> Iterator[bytes]:
        if self._content is not None:
            yield self._content[start : start + count]
        elif self._descriptor is not None:
            part = FilePart(self._descriptor, start, count)
            while block := part.read(_BLOCK):
                yield block

    def _replaced(self, new: dict[str, str]) -> Headers:
        return [(name, new.get(name.lower(), value)) for name, value in self._fields]

    def _vary(self) -> Headers:
        """S13: on every answer of a negotiated path."""
        return [(name, value) for name, value in self._fields if name.lower() == "vary"]


class Redirect:
    """To the same address with a slash at its end (S6)."""

    __slots__ = ()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        where = location(environ)
        body = f"301 Moved Permanently\n\n{where}\n".encode("latin-1")
        fields = [
            ("Location", where),
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response("301 Moved Permanently", fields)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def is_quick(self, environ: Environ) -> bool:
        return True

    def is_current(self) -> bool:
        return True


class Refusal:
    """An error page."""

    __slots__ = ("_more", "_refuse", "_status")

    def __init__(self, status: str, refuse: Refuse, more: Headers) -> None:
        self._status = status
        self._refuse = refuse
        self._more = more

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._refuse(self._status, environ, start_response, self._more)

    def is_quick(self, environ: Environ) -> bool:
        return True

    def is_current(self) -> bool:
        return True


def location(environ: Environ) -> str:
    """Quoted anew, octet by octet, with exactly one slash at the start: `//host` is another site."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    where = "/" + _quote_path(path.strip("/").encode("latin-1", "replace"))
    where = where if where == "/" else where + "/"
    query = environ.get("QUERY_STRING", "")
    if query:
        where += "?" + _quote_query(query.encode("latin-1", "replace"))
    return where


def value_of(fields: Headers, name: str) -> str:
    """A field's value, empty where there is none. name: in lower case."""
    for key, value in fields:
        if key.lower() == name:
            return value
    return ""


def stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    """What differs when a file has changed."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns


def read_small(fd: int, status: os.stat_result) -> tuple[bytes | None, os.stat_result]:
    """The content that belongs to a status; None for a large file. Raises OSError.

    A file that changes while it is read is read again. One that never rests is taken as it is: its entity
    tag is weak then, and its length is that of what was read.
    """
    content = b""
    for _ in range(_TRIES):
        if status.st_size > SMALL:
            return None, status
        content = _pread(fd, status.st_size)
        after = os.fstat(fd)
        if stamp_of(after) == stamp_of(status) and len(content) == status.st_size:
            return content, status
        status = after
    return content, _with_size(status, len(content))


def _pread(fd: int, count: int) -> bytes:
    blocks = []
    offset = 0
    while count > offset and (block := os.pread(fd, count - offset, offset)):
        blocks.append(block)
        offset += len(block)
    return blocks[0] if len(blocks) == 1 else b"".join(blocks)


def _with_size(status: os.stat_result, size: int) -> os.stat_result:
    """A status with another size; Python's keeps times in nanoseconds apart from its sequence."""
    return os.stat_result(
        (*status[:6], size, *status[7:10]),
        {"st_mtime_ns": status.st_mtime_ns, "st_ctime_ns": status.st_ctime_ns},
    )
