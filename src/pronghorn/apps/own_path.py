"""A path that the server answers itself, before the application: `--health`, `--metrics`."""

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[..., Iterable[bytes]]


class OwnPath:
    """A WSGI application: answers one path, leaves the rest to `app`. Any thread.

    path: begins with "/", as it stands in PATH_INFO: percent-encoding undone.
    answer: status and content for a GET.
    """

    __slots__ = ("_answer", "_app", "_content_type", "_path")

    def __init__(
        self,
        app: Application,
        path: str,
        answer: Callable[[], tuple[str, bytes]],
        content_type: str = "text/plain",
    ) -> None:
        self._app = app
        self._answer = answer
        self._content_type = content_type
        # PEP 3333, "Unicode Issues": environ holds octets as latin-1.
        self._path = path.encode().decode("latin-1")

    def is_meant(self, environ: dict[str, Any]) -> bool:
        """Whether it is a question to us."""
        return environ["PATH_INFO"] == self._path and not environ.get("SCRIPT_NAME")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_meant(environ):
            return self._app(environ, start_response)
        method = environ["REQUEST_METHOD"]
        content_type = self._content_type
        extra: list[tuple[str, str]] = []
        if method in ("GET", "HEAD"):
            status, body = self._answer()
        else:
            status, body, content_type = "405 Method Not Allowed", b"GET or HEAD\n", "text/plain"
            extra = [("Allow", "GET, HEAD")]  # RFC 9110 section 15.5.6
        fields = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *extra,
        ]
        start_response(status, fields)
        return [b"" if method == "HEAD" else body]
