"""Several applications on one address: which of them answers is decided by path and host.

    Mount({"/": site, "/api": api, ("*.example.org", "/"): blog})

The longest path wins, on whole segments; within one path an exact host before a wildcard before none.
What was matched moves from PATH_INFO to SCRIPT_NAME; the rest stays as it is, `//` too. docs/mount.md has
the rules.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pronghorn.apps.hosts import WRITTEN_MOST, HostPattern, normal_host
from pronghorn.apps.pages import error_answer
from pronghorn.apps.prefix import mounted_prefix
from pronghorn.errors import ConfigError

Environ = dict[str, Any]
WSGIApplication = Callable[..., Iterable[bytes]]
Key = str | tuple[str, str]

_NO_HOST = ("", "")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Found(NamedTuple):
    """Who answers, and how the path is divided. `key`: as it was given to Mount."""

    app: WSGIApplication
    script_name: str
    path_info: str
    key: Key


class _Target:
    """One application of the table."""

    __slots__ = ("app", "key", "quick")

    def __init__(self, app: WSGIApplication, key: Key) -> None:
        self.app = app
        self.key = key
        self.quick: Callable[[Environ], WSGIApplication | None] | None = quick_of(app)


def quick_of(app: Any) -> Any:
    """Its `quick`, where the same class defines `__call__`.

    A middleware that passes attributes on, or a subclass with a `__call__` of its own, would be passed
    by, and with it, perhaps, who may have the file.
    """
    for kind in type(app).__mro__:
        there = vars(kind)
        if "quick" in there or "__call__" in there:
            return app.quick if "quick" in there and "__call__" in there else None
    return None


class _Place:
    """All that is mounted at one path; nothing, where that is only on the way to a longer one."""

    __slots__ = ("anywhere", "deepest", "hosts")

    def __init__(self) -> None:
        self.anywhere: _Target | None = None
        self.hosts: _Hosts | None = None
        self.deepest = True
        """Nothing is mounted below."""


class _Hosts:
    """What is mounted at one path for single hosts."""

    __slots__ = ("_exact", "_wild", "_with_port")

    def __init__(self) -> None:
        self._exact: dict[str, _Target] = {}
        self._with_port: dict[tuple[str, str], _Target] = {}
        # By what the host ends in, from its dot on; there by port, "" for any.
        self._wild: dict[str, dict[str, _Target]] = {}

    def find(self, host: str, port: str) -> _Target | None:
        """An exact host before a wildcard, of those the longest; each with its port before any port."""
        target = self._with_port.get((host, port)) if self._with_port else None
        target = target or self._exact.get(host)
        if target is not None or not self._wild:
            return target
        # As many looks as the host has labels, however many hosts are mounted.
        dot = host.find(".", 1)
        while dot > 0:
            by_port = self._wild.get(host[dot:])
            if by_port is not None and (target := by_port.get(port) or by_port.get("")) is not None:
                return target
            dot = host.find(".", dot + 1)
        return None

    def add(self, pattern: HostPattern, target: _Target) -> bool:
        """False: that is taken."""
        if pattern.wild:
            by_port = self._wild.setdefault(pattern.name, {})
            free = pattern.port not in by_port
            by_port[pattern.port] = target
        elif pattern.port:
            free = (pattern.name, pattern.port) not in self._with_port
            self._with_port[pattern.name, pattern.port] = target
        else:
            free = pattern.name not in self._exact
            self._exact[pattern.name] = target
        return free


class Mount:
    """A WSGI application that passes each request to one of several. Any thread.

    applications: from "/path", or (host, "/path") with a host as "example.org", "*.example.org",
        "example.org:8080" or "[::1]", to a WSGI application. A slash at the end of a path means nothing.

    Raises ConfigError for a table that cannot be meant.
    """

    __slots__ = ("_by_host", "_places", "_root")

    def __init__(self, applications: Mapping[Any, WSGIApplication]) -> None:
        self._root = _Place()
        self._places: dict[str, _Place] = {}
        self._by_host = False
        for key, app in applications.items():
            self._add(key, app)
        if not applications:
            raise ConfigError("A Mount without applications would answer nothing.", mend="Give it one.")

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        found = self._search(path, environ)
        if found is None:
            return not_found(environ, start_response)
        target, cut = found
        if cut:
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + path[:cut]
            environ["PATH_INFO"] = path[cut:]
        return target.app(environ, start_response)

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """Who answers this without blocking, with SCRIPT_NAME and PATH_INFO set for it.

        None, with environ as it was, if nobody is known to.
        """
        path = environ.get("PATH_INFO", "")
        found = self._search(path, environ)
        if found is None:
            return not_found
        target, cut = found
        if target.quick is None:
            return None
        script_name = environ.get("SCRIPT_NAME")
        environ["SCRIPT_NAME"] = (script_name or "") + path[:cut]
        environ["PATH_INFO"] = path[cut:]
        answers = None
        try:
            answers = target.quick(environ)
        finally:
            if answers is None:
                environ["PATH_INFO"] = path
                if script_name is None:
                    del environ["SCRIPT_NAME"]
                else:
                    environ["SCRIPT_NAME"] = script_name
        return answers

    def key_of(self, environ: Environ) -> Key | None:
        """The key, as it was given, of who answers this; None if nobody does."""
        found = self._search(environ.get("PATH_INFO", ""), environ)
        return None if found is None else found[0].key

    def find(self, path: str, host: str = "", scheme: str = "http") -> Found | None:
        """Who would answer.

        path: as in PATH_INFO: decoded, one character for each octet; host: as in a Host field.
        """
        found = self._search(path, {"HTTP_HOST": host, "wsgi.url_scheme": scheme})
        if found is None:
            return None
        target, cut = found
        return Found(target.app, path[:cut], path[cut:], target.key)

    def _search(self, path: str, environ: Environ) -> tuple[_Target, int] | None:
        """The target, and how many characters of the path are its mount's."""
        place = self._root
        places = self._places
        host, port = _host_of(environ) if self._by_host else _NO_HOST
        best = place.anywhere
        if place.hosts is not None:
            best = place.hosts.find(host, port) or best
        length = 0
        cut = path.find("/", 1)
        while True:
            # From the left, and only as deep as something is mounted: most paths need one look.
            prefix = path if cut < 0 else path[:cut]
            there = places.get(prefix)
            if there is None:
                break
            place = there
            target = place.anywhere
            if place.hosts is not None:
                target = place.hosts.find(host, port) or target
            if target is not None:
                best = target
                length = len(prefix)
            if cut < 0 or place.deepest:
                break
            cut = path.find("/", cut + 1)
        return None if best is None else (best, length)

    def _add(self, key: Key, app: WSGIApplication) -> None:
        host, path = _parts(key)
        if not callable(app):
            raise ConfigError(
                f"What is mounted at {key!r} is {type(app).__name__}, not a WSGI application.",
                mend="Mount the callable itself; a name such as 'shop.api:app' has to be loaded first.",
            )
        place = self._place(mounted_prefix(path, key))
        target = _Target(app, key)
        pattern = HostPattern.parse(host)
        if not pattern.name:
            free = place.anywhere is None
            place.anywhere = target
        else:
            self._by_host = True
            place.hosts = place.hosts or _Hosts()
            free = place.hosts.add(pattern, target)
        if not free:
            raise ConfigError(
                f"{key!r} is mounted twice.",
                mend="Case, a dot after the host and a slash after the path make no difference.",
            )

    def _place(self, prefix: str) -> _Place:
        """Its place, made together with those on the way to it."""
        place = self._root
        cut = 0
        while cut < len(prefix):
            cut = prefix.find("/", cut + 1)
            cut = len(prefix) if cut < 0 else cut
            place.deepest = False
            place = self._places.setdefault(prefix[:cut], _Place())
        return place


def _parts(key: Any) -> tuple[str, str]:
    """(host, path) of a key as it was given."""
    match key:
        case str():
            return "", key
        case (str(host), str(path)):
            return host, path
    raise ConfigError(
        f"{key!r} says not where to mount.", mend='Write "/path", or ("example.org", "/path") for one host.'
    )


def _host_of(environ: Environ) -> tuple[str, str]:
    """(host, port) that the request is for; as in PEP 3333, "URL Reconstruction"."""
    host = environ.get("HTTP_HOST")
    if not host:
        name, port = environ.get("SERVER_NAME", ""), environ.get("SERVER_PORT", "")
        host = f"[{name}]:{port}" if ":" in name and name[0] != "[" else f"{name}:{port}"
    if len(host) > WRITTEN_MOST:
        return "", ""
    name, port = normal_host(host)
    return name, port or _DEFAULT_PORTS.get(environ.get("wsgi.url_scheme", ""), "")


def not_found(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI application. It does not say what is mounted where."""
    fields, body = error_answer("404 Not Found", "There is nothing at this address.", environ)
    start_response("404 Not Found", fields)
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]
