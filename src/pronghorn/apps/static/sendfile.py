"""An application decides, the server sends: X-Sendfile and X-Accel-Redirect (S18).

app = SendFile(app, roots=["/srv/private"])                     # X-Sendfile: /srv/private/report.pdf
app = SendFile(app, internal={"/protected/": "/srv/private"})   # X-Accel-Redirect: /protected/report.pdf

The application checks who may have the file and answers with one of these fields and no content. Conditions
and ranges are ours. Whatever is not below the given directories is a 404 and a line in the log.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import time
from typing import Any
from urllib.parse import unquote_to_bytes

from pronghorn.apps.pages import error_answer
from pronghorn.apps.static.answer import CONDITIONS, Environ, FileAnswer, read_small
from pronghorn.apps.static.cache import Descriptor, StartResponse
from pronghorn.apps.static.fields import FieldsMaker, Headers, Target
from pronghorn.apps.static.lookup import Opened, Root, components, outcome_of
from pronghorn.apps.static.options import StaticOptions
from pronghorn.apps.static.precompressed import IDENTITY
from pronghorn.apps.static.roots import checked_root

_FIELDS = ("x-sendfile", "x-accel-redirect")
_NOT_THE_APPLICATIONS = frozenset({*_FIELDS, "content-length", "transfer-encoding", "accept-ranges"})

_log = logging.getLogger("pronghorn.error")


class SendFile:
    """A middleware. Any thread."""

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        roots: Sequence[str] = (),
        internal: Mapping[str, str] | None = None,
        symlinks: str = "inside",
    ) -> None:
        """roots: directories whose files X-Sendfile may name. internal: prefixes of X-Accel-Redirect and
        the directories they stand for. Raises ConfigError."""
        options = StaticOptions(max_age=None, immutable_file_test=None, symlinks=symlinks)
        self._app = app
        self._roots = [Root(checked_root(root, False), symlinks) for root in roots]
        self._internal = {
            "/" + prefix.strip("/") + "/": Root(checked_root(root, False), symlinks)
            for prefix, root in (internal or {}).items()
        }
        self._maker = FieldsMaker(options)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        caught = _Caught(start_response)
        result = self._app(environ, caught)
        if caught.field is not None:
            _close(result)
            return self._send(environ, start_response, caught)
        return result if caught.called else self._late(result, environ, start_response, caught)

    def _late(
        self, result: Iterable[bytes], environ: Environ, start_response: StartResponse, caught: "_Caught"
    ) -> Iterator[bytes]:
        """A generator calls start_response only when it is asked for its first block."""
        try:
            for block in result:
                if caught.field is not None:
                    break
                yield block
        finally:
            _close(result)
        if caught.field is not None:
            yield from self._send(environ, start_response, caught)

    def _send(self, environ: Environ, start_response: StartResponse, caught: "_Caught") -> Iterable[bytes]:
        assert caught.field is not None
        answer = self._answer(*caught.field, caught.headers)
        if answer is None:
            return _refuse("404 Not Found", environ, start_response, [])
        status = caught.status
        if status[:3] == "200" and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return answer(environ, start_response)
        # Conditions and ranges are about a successful GET.
        plain = {key: value for key, value in environ.items() if key not in CONDITIONS}
        plain["REQUEST_METHOD"] = "HEAD" if environ["REQUEST_METHOD"] == "HEAD" else "GET"
        return answer(plain, lambda _, fields: start_response(status, fields))

    def _answer(self, name: str, value: str, headers: Headers) -> FileAnswer | None:
        """The file that a field names, with the application's header fields."""
        place = self._place(name, value)
        if place is None:
            _log.error("%s: %r is not below one of the directories that it may name", name, value)
            return None
        root, relative = place
        with root.view() as view:
            opened = view.open(relative)
        if not isinstance(opened, Opened):
            _log.error("%s: %r cannot be sent: %s", name, value, opened.value)
            return None
        descriptor = Descriptor(opened.fd)
        try:
            content, status = read_small(opened.fd, opened.status)
        except OSError as error:
            _log.error("%s: %r cannot be sent: %s", name, value, outcome_of(error).value)
            return None
        now = time()
        path = os.fsdecode(os.path.join(root.path, relative))
        ours = self._maker.make(Target(path, "/" + os.path.basename(path), False), IDENTITY, status, now)
        fields = _with_headers(ours, headers)
        return FileAnswer(fields, status, content, None if content is not None else descriptor, now, _refuse)

    def _place(self, name: str, value: str) -> tuple[Root, bytes] | None:
        """The root and the path below it; None if there is none that is allowed."""
        try:
            octets = value.encode("latin-1")
        except UnicodeEncodeError:
            return None
        if name == "x-sendfile":
            candidates = [(root.path.rstrip(b"/") + b"/", root) for root in self._roots]
        else:
            octets = unquote_to_bytes(octets.partition(b"?")[0])
            candidates = [(prefix.encode(), root) for prefix, root in self._internal.items()]
        # The longest first: "/protected/a/" may stand for another directory than "/protected/".
        for prefix, root in sorted(candidates, key=lambda one: -len(one[0])):
            if octets.startswith(prefix):
                relative = components(octets[len(prefix) :].decode("latin-1"), hidden=True)
                usable = relative and octets[len(prefix) : len(prefix) + 1] != b"/" and relative[-1:] != b"/"
                return (root, relative) if relative and usable else None
        return None


class _Caught:
    """start_response for the application: lets everything through but the fields that are for us."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.called = False
        self.field: tuple[str, str] | None = None
        self.status = ""
        self.headers: Headers = []

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], Any]:
        self.called = True
        self.field = next(
            ((name.lower(), value) for name, value in headers if name.lower() in _FIELDS and value), None
        )
        if self.field is None:
            write: Callable[[bytes], Any] = self._start_response(status, headers, *_given(exc_info))
            return write
        self.status, self.headers = status, list(headers)
        return lambda block: None


def _given(exc_info: Any) -> tuple[Any, ...]:
    return () if exc_info is None else (exc_info,)


def _with_headers(ours: Headers, theirs: Headers) -> Headers:
    """The application's fields, and of ours what it does not say."""
    kept = [(name, value) for name, value in theirs if name.lower() not in _NOT_THE_APPLICATIONS]
    said = {name.lower() for name, _ in kept}
    return [*((name, value) for name, value in ours if name.lower() not in said), *kept]


def _refuse(status: str, environ: Environ, start_response: StartResponse, more: Headers) -> Iterable[bytes]:
    text = "" if status[:3] != "404" else "There is nothing at this address."
    fields, body = error_answer(status, text, environ)
    start_response(status, [*fields, *more])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _close(result: Any) -> None:
    if hasattr(result, "close"):
        result.close()
