"""How Static behaves. Every field has a default; WhiteNoise's names mean here what they mean there."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from pronghorn.errors import ConfigError
from pronghorn.http.fields import TOKEN, VALUE
from pronghorn.option import did_you_mean, nearest

CODINGS = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""Content codings and the ending of the files that hold them, in the order in which we prefer them."""

_CHOICES = {
    "hidden": ("deny", "allow"),
    "symlinks": ("inside", "follow", "deny"),
    "cors": ("none", "fonts", "all"),
}


_OURS = ("content-length", "transfer-encoding", "connection", "content-range", "content-encoding", "date")
"""What says how the answer is framed or coded."""

_DIRECTIVES = ("immutable", "no-cache", "no-store", "no-transform", "must-revalidate", "private", "public")
"""RFC 9111 section 5.2.2 and RFC 8246: those that stand without a value."""


@dataclass(frozen=True, slots=True)
class StaticOptions:
    """Settings of one Static."""

    # Look-up
    index_file: str | bool = "index.html"
    """What answers for a directory; True is "index.html", False or "" is none."""
    listing: bool = False
    """List a directory that has no index file."""
    hidden: str = "deny"
    """Names that begin with a dot: "deny" (404, except `/.well-known`) or "allow"."""
    symlinks: str = "inside"
    """Links that stay "inside" the root are followed; "follow" follows all, "deny" none."""
    force: bool = False
    """Serve `/` or the home directory all the same."""
    precompressed: tuple[str, ...] = tuple(CODINGS)
    """Codings whose files may stand beside a file and be sent in its place, in order of preference."""

    # Header fields
    max_age: int | None = 60
    """Seconds that clients may use a file without asking; None leaves Cache-Control out."""
    cache: Mapping[str, str | int] = field(default_factory=dict)
    """Glob or MIME type to Cache-Control: "immutable", "no-cache", seconds, or the field's whole value."""
    immutable_file_test: str | Callable[[str, str], bool] | None = "auto"
    """Which files never change: a regular expression for the URL, a function of (path, URL), or None.
    "auto" knows names with a hexadecimal content hash, as in app.5af66c1b.js."""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Glob or MIME type to more header fields."""
    add_headers_function: Callable[[Any, str, str], None] | None = None
    """Called with (wsgiref.headers.Headers, path, URL) when a file is looked up, not for each request."""
    cors: str = "none"
    """Which files other origins' pages may read: "none", "fonts", "all"."""
    allow_all_origins: bool = False
    """The same as cors="all"."""
    charset: str = "utf-8"
    """Said of text."""
    mimetypes: Mapping[str, str] = field(default_factory=dict)
    """Ending (".foo") or file name to Content-Type; before the built-in table."""
    error_pages: Mapping[int, str] = field(default_factory=dict)
    """Status to a file in the root, such as {404: "/404.html"}."""

    # Memory
    cache_seconds: float = 1.0
    """How old may be what is known of a file; at most 1."""
    cache_entries: int = 1024
    """Paths that are remembered; each large file among them holds a descriptor open."""
    cache_memory: int = 16 << 20
    """Octets of small files that are remembered."""

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                said = ", ".join(f'"{choice}"' for choice in choices)
                raise ConfigError(
                    f"{name} of a static root must be one of {said}, not {getattr(self, name)!r}."
                )
        for coding in self.precompressed:
            if coding not in CODINGS:
                raise ConfigError(f"precompressed knows {', '.join(CODINGS)}, not {coding!r}.")
        if not 0 <= self.cache_seconds <= 1:
            raise ConfigError(
                f"cache_seconds of a static root must be from 0 to 1, not {self.cache_seconds}."
            )
        for name in ("max_age", "cache_entries", "cache_memory"):
            if (getattr(self, name) or 0) < 0:
                raise ConfigError(f"{name} of a static root must not be negative.")
        if isinstance(self.max_age, bool):
            raise ConfigError(f"max_age of a static root must be seconds or None, not {self.max_age}.")
        self._check_fields()

    def _check_fields(self) -> None:
        """What ends in answers' fields must be able to stand there."""
        if isinstance(self.immutable_file_test, str) and self.immutable_file_test != "auto":
            try:
                re.compile(self.immutable_file_test)
            except re.error as error:
                raise ConfigError(f"immutable_file_test is no regular expression: {error}.") from error
        for pattern, more in self.headers.items():
            for name, value in more.items():
                if name.lower() in _OURS:
                    raise ConfigError(f"headers of {pattern!r}: {name} is the server's own to say.")
                _check_value(f"headers of {pattern!r}: {name}", value)
                if not name or name.encode("utf-8").translate(None, TOKEN):
                    raise ConfigError(f"headers of {pattern!r}: {name!r} is not the name of a field.")
        for ending, kind in (self.mimetypes or {}).items():
            _check_value(f"mimetypes: {ending}", kind)
            if not re.match(r"[^\s/;]+/[^\s/;]+", kind):
                raise ConfigError(f"mimetypes: {kind!r} is not a media type, such as text/plain.")
        for pattern, said in (self.cache or {}).items():
            _check_cache(pattern, said)
        _check_value("charset", self.charset)
        for status in self.error_pages:
            if not 400 <= status <= 599:
                raise ConfigError(f"error_pages: {status} is no status of an error, 400 to 599.")

    @property
    def index(self) -> str:
        """The index file's name; empty for none."""
        given = self.index_file
        return given if isinstance(given, str) else "index.html" if given else ""


def _check_cache(pattern: str, said: str | int) -> None:
    """Seconds are not negative (RFC 9111 section 1.2.2); text is a directive, or a whole value.

    A single word may be a directive that we do not know, but hardly one that is nearly one of these.
    """
    if isinstance(said, bool) or not isinstance(said, int | str) or str(said).lstrip(" \t").startswith("-"):
        raise ConfigError(
            f"cache of {pattern!r}: {said!r} is neither a number of seconds nor a value of Cache-Control.",
            mend='Such as 3600, "immutable", "no-cache" or "private, max-age=60".',
        )
    if isinstance(said, str) and said not in _DIRECTIVES:
        _check_value(f"cache of {pattern!r}", said)
        meant = nearest(said, _DIRECTIVES, 0.8)
        if meant and said.lower() not in _DIRECTIVES:
            raise ConfigError(
                f"cache of {pattern!r}: {said!r} is no directive of Cache-Control.",
                mend=f"Did you mean {meant!r}?",
            )


def _check_value(what: str, value: str) -> None:
    """RFC 9110 section 5.5."""
    try:
        octets = value.encode("latin-1")
    except UnicodeEncodeError:
        octets = b"\0"
    if octets.translate(None, VALUE):
        raise ConfigError(f"{what} has characters that cannot stand in a field, such as a line break.")


def with_names(options: StaticOptions, names: dict[str, Any]) -> StaticOptions:
    """The options with some replaced by name. Raises ConfigError for a name that is none."""
    known = [one.name for one in fields(StaticOptions)]
    for name in names:
        if name not in known:
            raise ConfigError(f"Static has no option {name!r}.", mend=did_you_mean(name, known))
    return replace(options, **names) if names else options
