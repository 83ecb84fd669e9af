"""WhiteNoise's own signature, for a project that has it: change the import, and nothing else.

from pronghorn.apps.static.whitenoise import WhiteNoise

app = WhiteNoise(app, root="static", prefix="static/", max_age=3600)
app.add_files("more", prefix="more/")
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

from pronghorn.apps.static.app import Environ, Static, WSGIApplication
from pronghorn.apps.static.cache import StartResponse

_WITHOUT_MEANING = ("autorefresh",)
"""Files are always looked up when they are asked for, and never all at the start."""

_BEFORE = "pronghorn.static.before"


class WhiteNoise:
    """A middleware: files below some prefixes, the application for everything else. Any thread."""

    def __init__(
        self, application: WSGIApplication, root: str | None = None, prefix: str | None = None, **options: Any
    ) -> None:
        """options: WhiteNoise's names, or fields of StaticOptions. Raises ConfigError."""
        for name in _WITHOUT_MEANING:
            options.pop(name, None)
        if options.pop("allow_unsafe_symlinks", False):
            options["symlinks"] = "follow"
        # WhiteNoise's own defaults.
        self._options = {"index_file": False, "allow_all_origins": True, **options}
        self._places: list[tuple[str, Static]] = []
        self.application = application
        if root is not None:
            self.add_files(root, prefix)

    def add_files(self, root: str, prefix: str | None = None) -> None:
        """Files of one more directory; where two have a file of the same address, the later one counts."""
        inner = (prefix or "").strip("/")
        place = f"/{inner}/" if inner else "/"
        static = Static(root, fallback=self._back, **_with_whole_urls(self._options, place))
        self._places.insert(0, (place, static))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        return self._next(environ, start_response, 0)

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """As Static's. The I/O thread."""
        path = environ.get("PATH_INFO", "")
        for prefix, static in self._places:
            if path.startswith(prefix):
                inner = _shifted(environ, prefix, 0)
                found = static.quick(inner)
                if found is not None:
                    return _with_environ(found, inner)
        return None

    def _next(self, environ: Environ, start_response: StartResponse, index: int) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        for place in range(index, len(self._places)):
            prefix, static = self._places[place]
            if path.startswith(prefix):
                return static(_shifted(environ, prefix, place), start_response)
        return self.application(environ, start_response)

    def _back(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """One place has no such file: the next one, with the environ as it was."""
        before, index = environ[_BEFORE]
        return self._next(before, start_response, index + 1)


def _with_whole_urls(options: dict[str, Any], place: str) -> dict[str, Any]:
    """The options, with functions that get WhiteNoise's URLs: with prefix, without an index file's name."""
    index = options["index_file"]
    index = "index.html" if index is True else index

    def whole(url: str) -> str:
        url = place + url.removeprefix("/")
        return url.removesuffix(index) if index and url.endswith("/" + index) else url

    new = dict(options)
    test, add = options.get("immutable_file_test"), options.get("add_headers_function")
    if isinstance(test, str) and test != "auto" and _is_expression(test):
        new["immutable_file_test"] = lambda path, url: re.search(test, whole(url)) is not None
    elif callable(test):
        new["immutable_file_test"] = lambda path, url: test(path, whole(url))
    if add is not None:
        new["add_headers_function"] = lambda headers, path, url: add(headers, path, whole(url))
    return new


def _is_expression(test: str) -> bool:
    """One that is none goes to StaticOptions, which says so."""
    try:
        re.compile(test)
    except re.error:
        return False
    return True


def _shifted(environ: Environ, prefix: str, index: int) -> Environ:
    """As the files below a prefix see the request."""
    return {
        **environ,
        "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix[:-1],
        "PATH_INFO": environ["PATH_INFO"][len(prefix) - 1 :],
        _BEFORE: (environ, index),
    }


def _with_environ(app: WSGIApplication, inner: Environ) -> Callable[..., Iterable[bytes]]:
    return lambda environ, start_response: app(inner, start_response)
