"""Static files: for what people put nginx or WhiteNoise beside an application.

site = Static("public", fallback=app)                       # a file if there is one, else the application
docs = Static("dist", try_=("$path", "$path.html", "/index.html"))     # a single-page application

A plain WSGI application under any server. Under Pronghorn, the I/O thread sends the files (`quick`).
"""

import os
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

from pronghorn.apps.pages import error_answer, wants_html
from pronghorn.apps.static.answer import FileAnswer, Refusal
from pronghorn.apps.static.cache import Answer, Cache, Entry, StartResponse, give_back
from pronghorn.apps.static.fields import Headers
from pronghorn.apps.static.lookup import PATH_MAX, Root, is_malformed
from pronghorn.apps.static.options import StaticOptions, with_names
from pronghorn.apps.static.places import Busy, Places
from pronghorn.apps.static.roots import checked_root
from pronghorn.apps.static.trying import Plan, plan_of
from pronghorn.errors import ConfigError

Environ = dict[str, Any]
WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

ALLOW = "GET, HEAD, OPTIONS"

_SAID = {
    "400": "This address cannot be understood.",
    "403": "This file may not be read.",
    "404": "There is nothing at this address.",
    "405": "Only GET and HEAD are answered here.",
    "406": "None of the encodings that are acceptable is at hand.",
    "412": "The file is another one than the request is for.",
    "416": "The file does not have the part that is asked for.",
    "503": "The server is short of resources. Try again in a moment.",
}


class Static:
    """A WSGI application that answers with the files below a directory. Any thread, any process."""

    def __init__(
        self,
        root: str | os.PathLike[str] | Sequence[str],
        *,
        fallback: WSGIApplication | None = None,
        try_: Sequence[str] = (),
        options: StaticOptions | None = None,
        **names: Any,
    ) -> None:
        """root: a directory, or several, searched in order. fallback: answers what no file does.

        try_: what to look for, in order: "$path", "$path.html", "$path/" (a directory's index or listing),
        "$path/index.html", "/index.html" (a page for browsers' navigations), "@app" (the fallback).
        names: fields of StaticOptions, such as max_age. Raises ConfigError.
        """
        self.options = with_names(options or StaticOptions(), names)
        given = [root] if isinstance(root, str | os.PathLike) else list(root)
        if not given:
            raise ConfigError("Static needs a root: a directory, or several.")
        paths = [checked_root(os.fspath(one), self.options.force) for one in given]
        plan: Plan = plan_of(try_, fallback is not None)
        roots = [Root(path, self.options.symlinks) for path in paths]
        self.fallback = fallback if plan.app else None
        self._pages = plan.pages
        self._places = Places(roots, plan.candidates, self.options, self._refuse)
        self._own_places = Places(roots, ("",), self.options, self._refuse, by_accept=True)
        """For the pages that options name: nothing else is tried for them."""
        # Where a page may answer, so does Accept decide who gets none.
        self._missing = Refusal("404 Not Found", self._refuse, [("Vary", "Accept")] if plan.pages else [])
        self._cache = Cache(self.options.cache_seconds, self.options.cache_entries, self.options.cache_memory)
        self._entries = self._cache.entries

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        answer = self._answer(environ)
        if answer is not None:
            return answer(environ, start_response)
        assert self.fallback is not None
        if self._pages and environ["REQUEST_METHOD"] in ("GET", "HEAD") and may_be_page(environ):
            start_response = varying(start_response)
        return self.fallback(environ, start_response)

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """What answers this request without waiting for anything but the disk, or None. The I/O thread.

        Never raises; leaves environ as it is.
        """
        try:
            answer = self._answer(environ)
            return answer if answer is not None and answer.is_quick(environ) else None
        except Exception:
            return None  # the same happens again in the call, where it is told

    def _answer(self, environ: Environ) -> Answer | None:
        """None: the fallback has to answer."""
        method = environ["REQUEST_METHOD"]
        if method != "GET" and method != "HEAD":
            return self._for_other_methods(method, environ)
        return self._of_path(environ) or self._otherwise(environ)

    def _of_path(self, environ: Environ) -> Answer | None:
        """The answer to GET; None: there is no such file."""
        path = environ.get("PATH_INFO", "")
        accept = environ.get("HTTP_ACCEPT_ENCODING")
        entry = self._entries.get(path)
        if entry is None or entry.expires < monotonic():
            entry = self._look_up(path, environ)
        answer = entry.answers.get(accept) or entry.choose(accept)
        if answer is None or answer.is_current():
            return answer
        self._cache.drop(path)
        return self._look_up(path, environ).choose(accept)

    def _look_up(self, path: str, environ: Environ) -> Entry:
        if len(path) > PATH_MAX:
            return Entry(None)  # before anything is done for each of its octets
        if is_malformed(path, environ.get("REQUEST_URI") or environ.get("RAW_URI")):
            return Entry(None if self.fallback else self._always("400 Bad Request"))
        # A `%` may have come from `%25` or from a malformed target: not to be mistaken for each other.
        return self._found(self._places, path, "" if "%" in path else path)

    def _found(self, places: Places, path: str, key: str) -> Entry:
        """key: under which it is remembered; empty for not at all."""
        try:
            entry = places.find(path)
        except Busy:
            give_back()  # gives back the descriptors that we hold
            try:
                entry = places.find(path)
            except Busy:
                return Entry(self._always("503 Service Unavailable", [("Retry-After", "1")]))
        if key:
            self._cache.put(key, entry)
        return entry

    def _always(self, status: str, more: Headers | None = None) -> Callable[[str | None], Answer]:
        refusal = Refusal(status, self._refuse, more or [])
        return lambda accept: refusal

    def _otherwise(self, environ: Environ) -> Answer | None:
        """There is no such file: a page for navigations, the fallback, or 404 (S17)."""
        if self._pages and is_navigation(environ):
            accept = environ.get("HTTP_ACCEPT_ENCODING")
            for page in self._pages:
                if (answer := self._page(page, accept)) is not None:
                    return answer
        return None if self.fallback else self._missing

    def _page(self, path: str, accept: str | None) -> Answer | None:
        """A page that an option names, if there is such a file."""
        key = "\0" + path  # no client's path is remembered with a NUL
        entry = self._entries.get(key)
        if entry is None or entry.expires < monotonic():
            entry = self._found(self._own_places, path, key)
        answer = entry.choose(accept)
        if answer is None or answer.is_current():
            return answer
        self._cache.drop(key)
        return self._found(self._own_places, path, key).choose(accept)

    def _for_other_methods(self, method: str, environ: Environ) -> Answer | None:
        """S9: OPTIONS of a file is answered; everything else is the fallback's, or 405."""
        if method == "OPTIONS":
            if self.fallback is None or self._of_path(environ) is not None:
                return _Options(self.options.cors == "all" or self.options.allow_all_origins)
            return None
        if self.fallback is not None:
            return None
        return Refusal("405 Method Not Allowed", self._refuse, [("Allow", ALLOW)])

    def _refuse(
        self, status: str, environ: Environ, start_response: StartResponse, more: Headers
    ) -> Iterable[bytes]:
        """An error page: the user's, if there is one for this status, else ours (S18)."""
        fields, body = self._own_page(status) or error_answer(status, _SAID.get(status[:3], ""), environ)
        start_response(status, merged(fields, more))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _own_page(self, status: str) -> tuple[Headers, bytes] | None:
        path = self.options.error_pages.get(int(status[:3]))
        answer = self._page(path, None) if path else None
        if not isinstance(answer, FileAnswer):
            return None
        try:
            return answer.error_page()
        except OSError:
            return None  # it has just shrunk


class _Options:
    """The answer to OPTIONS (RFC 9110 section 9.3.7), also a browser's before it asks across origins."""

    __slots__ = ("_cors",)

    def __init__(self, cors: bool) -> None:
        self._cors = cors

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        fields = [("Allow", ALLOW), ("X-Content-Type-Options", "nosniff")]
        if self._cors:
            fields += [("Access-Control-Allow-Origin", "*"), ("Access-Control-Allow-Methods", "GET, HEAD")]
        start_response("204 No Content", fields)
        return []

    def is_quick(self, environ: Environ) -> bool:
        return True

    def is_current(self) -> bool:
        return True


def is_navigation(environ: Environ) -> bool:
    """Whether a browser goes to a page: a missing script must be a 404 and not HTML (S17)."""
    return wants_html(environ) and may_be_page(environ)


def may_be_page(environ: Environ) -> bool:
    """Whether a page would answer, were it asked for HTML."""
    return "." not in environ.get("PATH_INFO", "").rpartition("/")[2]


def varying(start_response: StartResponse) -> StartResponse:
    """For an application that answers where a page would, had Accept been another: caches have to know."""

    def start(status: str, fields: Headers, *more: Any) -> Any:
        return start_response(status, merged(fields, [("Vary", "Accept")]), *more)

    return start


def merged(fields: Headers, more: Headers) -> Headers:
    """Both, with one Vary field that has all their members."""
    vary: dict[str, str] = {}
    for name, value in (*fields, *more):
        if name.lower() == "vary":
            vary.update({one.strip(" \t").lower(): one.strip(" \t") for one in value.split(",")})
    others = [(name, value) for name, value in (*fields, *more) if name.lower() != "vary"]
    return [*others, ("Vary", ", ".join(vary.values()))] if vary else others
