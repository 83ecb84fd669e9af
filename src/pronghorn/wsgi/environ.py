"""The environ of PEP 3333: one dict for each call, made from what the connection and the request say.

Most keys are the same for every request of a connection, so a template is kept and copied; only what
differs is set. Values are native strings with one character for each octet (latin-1).
"""

import sys
from io import BytesIO
from typing import Any

from pronghorn.http.request import FieldSection, Request, RequestLine
from pronghorn.wsgi.file_wrapper import FileWrapper

Environ = dict[str, Any]

_KEYS_MOST = 1024
"""Arbitrary, as for field names: more than one deployment's clients use."""

_keys: dict[bytes, str] = {}


def key_of(name: bytes) -> str:
    """The environ key of a field; empty for one that must not become a key.

    `Proxy` would become HTTP_PROXY, which programs started by the application obey (CVE-2016-5385).
    """
    key = _keys.get(name)
    if key is None:
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "" if key in ("PROXY", "TRANSFER_ENCODING") else "HTTP_" + key
        key = sys.intern(key)
        if len(_keys) < _KEYS_MOST and len(name) < 64:
            _keys[name] = key
    return key


def server_environ(
    *, software: str, errors: Any, multithread: bool, multiprocess: bool, scheme: str, name: str, port: str
) -> Environ:
    """What is the same for every request to one listener."""
    environ: Environ = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.errors": errors,
        "wsgi.multithread": multithread,
        "wsgi.multiprocess": multiprocess,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
        "SERVER_SOFTWARE": software,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SCRIPT_NAME": "",
        # Set for each call, as REMOTE_ADDR is; here, so that its copy need not grow (0.2 µs).
        "wsgi.input": None,
        "wsgi.early_hints": None,
    }
    if scheme == "https":
        environ["HTTPS"] = "on"
    return environ


class EnvironMaker:
    """Makes the environs of one connection. The connection's owner's thread."""

    __slots__ = ("_address", "_base", "_keys", "_line", "_own", "_port", "_section", "_template")

    def __init__(self, base: Environ, peer: tuple[str, int] | None, own: Environ | None = None) -> None:
        """base: of the listener, never changed; peer: the client's address and port, if it has one; own:
        what is in each environ of this connection."""
        self._base = base
        self._address = None if peer is None else peer[0]
        self._port = "" if peer is None else str(peer[1])
        self._own = own
        self.rest()

    def rest(self) -> None:
        """Forget the last request."""
        # The template holds the keys of _section and of _line.
        self._template: Environ = {}
        self._section: FieldSection | None = None
        self._keys: list[str] = []  # of the section's fields
        self._line: RequestLine | None = None

    def make(self, request: Request) -> Environ:
        """A fresh environ, without the body; the application may do with it what it likes."""
        line = request.line
        if request.common:
            kept = request.as_environ
            if kept is None or kept[0] is not self._base:
                kept = self._share(request)
            shared = kept[1]
            environ = shared.copy()
        elif request.section is not self._section:
            # Most connections of many idle ones never ask again: no template for them (2.5 KiB each).
            self.rest()
            self._section = request.section
            environ = self._anew(request.section)
            _set_line(environ, line)
        else:
            if not self._template:
                self._template = self._anew(request.section)
            if line is not self._line:
                _set_line(self._template, line)
                self._line = line
            environ = self._template.copy()
        if request.changes:
            self._set_changes(environ, request)
        if line.authority is not None:
            _set_authority(environ, line.authority)
        if self._address is not None:
            environ["REMOTE_ADDR"] = self._address
            environ["REMOTE_PORT"] = self._port
        elif "REMOTE_ADDR" in environ:  # it is shared
            del environ["REMOTE_ADDR"], environ["REMOTE_PORT"]
        if self._own is not None:
            environ.update(self._own)
        environ["wsgi.input"] = BytesIO()
        return environ

    def _share(self, request: Request) -> tuple[Environ, Environ]:
        """Keep what this request's environ is on all connections to the listener."""
        environ = self._anew(request.section)
        _set_line(environ, request.line)
        kept = request.as_environ = (self._base, environ)
        return kept

    def _anew(self, section: FieldSection) -> Environ:
        """Everything but the request line's keys; of the connection's, only that they are there."""
        environ = {**self._base, **(section.as_environ or _field_keys(section))}
        if self._address is not None:
            environ["REMOTE_ADDR"] = environ["REMOTE_PORT"] = ""
        return environ

    def _set_changes(self, environ: Environ, request: Request) -> None:
        if not self._keys:
            self._keys = [key_of(name) for name, _ in request.section.fields]
        for index, value in request.changes:
            if key := self._keys[index]:
                environ[key] = value.decode("latin-1")


def _set_line(environ: Environ, line: RequestLine) -> None:
    environ["REQUEST_METHOD"] = line.method
    environ["PATH_INFO"] = line.path
    environ["QUERY_STRING"] = line.query
    environ["SERVER_PROTOCOL"] = line.version
    environ["REQUEST_URI"] = environ["RAW_URI"] = line.target


def _set_authority(environ: Environ, authority: str) -> None:
    """RFC 9112 section 3.2.2: the target's authority replaces the Host field."""
    environ["HTTP_HOST"] = authority
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    environ["SERVER_NAME"] = host
    if port:
        environ["SERVER_PORT"] = port


def _field_keys(section: FieldSection) -> Environ:
    """Repeated fields are joined in order (RFC 9110 section 5.3); Cookie has its own separator."""
    environ: Environ = {}
    for name, value in section.fields:
        key = key_of(name)
        if not key:
            continue
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    if section.content_length is not None:
        environ["CONTENT_LENGTH"] = str(section.content_length)
    if section.common:
        section.as_environ = environ
    return environ
