"""A request's head, as data. What it says never changes once it is made, and equal requests share it."""

from typing import Any


class RequestLine:
    """RFC 9112 section 3. Strings are latin-1 views of octets.

    method: as sent, case kept.
    target: the request target as sent.
    path: the target's path, percent-decoded once; "*" for the asterisk-form.
    query: verbatim, without its "?"; empty if there is none.
    version: the version that the server speaks for this request: "HTTP/1.1" or "HTTP/1.0".
    authority: of an absolute-form target, which replaces the Host field (section 3.2.2); else None.
    """

    __slots__ = ("authority", "method", "path", "query", "target", "version")

    def __init__(
        self, method: str, target: str, path: str, query: str, version: str, authority: str | None
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.version = version
        self.authority = authority


class FieldSection:
    """RFC 9112 section 5, and what its fields say about this connection for one HTTP version.

    fields: (name, value) as sent, in order; names with "_" are left out.
    content_length: None if there is none.
    persistent: whether the client lets the connection go on (section 9.3).
    common: whether several connections may have it (`h1/known`).
    as_environ: kept by whoever makes environs, if it is common: its keys there.
    """

    __slots__ = (
        "as_environ",
        "chunked",
        "common",
        "content_length",
        "expects_continue",
        "fields",
        "has_body",
        "persistent",
        "version",
    )

    def __init__(
        self,
        fields: list[tuple[bytes, bytes]],
        version: str,
        content_length: int | None,
        chunked: bool,
        persistent: bool,
        expects_continue: bool,
    ) -> None:
        self.fields = fields
        self.version = version
        self.content_length = content_length
        self.chunked = chunked
        self.has_body = chunked or bool(content_length)
        self.persistent = persistent
        self.expects_continue = expects_continue
        self.common = False
        self.as_environ: dict[str, Any] | None = None


class Request:
    """One request's head.

    section: its fields, or those of an earlier request of this connection that differ only in `changes`.
    changes: (index into section.fields, value) where this request differs from `section`.
    simple: HTTP/1.1, persistent, not HEAD: its answer needs no Connection field and may have content.
    common: whether several connections may have it (`h1/known`); it has no changes then.
    as_environ: kept by whoever makes environs, if it is common: for whom, and its environ there.
    """

    __slots__ = ("as_environ", "changes", "common", "line", "section", "simple")

    def __init__(
        self, line: RequestLine, section: FieldSection, changes: tuple[tuple[int, bytes], ...] = ()
    ) -> None:
        self.line = line
        self.section = section
        self.changes = changes
        self.simple = section.persistent and line.version == "HTTP/1.1" and line.method != "HEAD"
        self.common = False
        self.as_environ: tuple[dict[str, Any], dict[str, Any]] | None = None

    @property
    def has_body(self) -> bool:
        """Whether content follows the head (it may still turn out to be empty if it is chunked)."""
        return self.section.has_body

    @property
    def host(self) -> str:
        """The authority that is asked: the absolute-form target's, or the Host field's; may be empty."""
        if self.line.authority is not None:
            return self.line.authority
        return next((value.decode("latin-1") for name, value in self.fields if name.lower() == b"host"), "")

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The fields of this very request."""
        if not self.changes:
            return self.section.fields
        fields = list(self.section.fields)
        for index, value in self.changes:
            fields[index] = (fields[index][0], value)
        return fields


NO_REQUEST = Request(
    RequestLine("", "", "", "", "HTTP/1.1", None), FieldSection([], "HTTP/1.1", None, False, True, False)
)
"""Stands where there is none yet, or none any more."""
