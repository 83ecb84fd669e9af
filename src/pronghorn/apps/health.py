"""`--health /path`: what a load balancer asks, answered without the application.

200 ok          while requests are welcome
503 draining    from the moment the server prepares to leave: send the next request elsewhere
"""

from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[..., Iterable[bytes]]


class Health:
    """A WSGI application: answers one path, leaves the rest to `app`. Any thread.

    path: begins with "/", as it stands in PATH_INFO: percent-encoding undone.
    ready: is asked on each request to that path; any thread.
    """

    __slots__ = ("_app", "_path", "_ready")

    def __init__(self, app: Application, path: str, ready: Callable[[], bool]) -> None:
        self._app = app
        # PEP 3333, "Unicode Issues": environ holds octets as latin-1.
        self._path = path.encode().decode("latin-1")
        self._ready = ready

    def is_meant(self, environ: dict[str, Any]) -> bool:
        """Whether it is a question to us."""
        return environ["PATH_INFO"] == self._path and not environ.get("SCRIPT_NAME")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self.is_meant(environ):
            return self._app(environ, start_response)
        method = environ["REQUEST_METHOD"]
        extra: list[tuple[str, str]] = []
        if method not in ("GET", "HEAD"):
            status, body = "405 Method Not Allowed", b"GET or HEAD\n"
            extra = [("Allow", "GET, HEAD")]  # RFC 9110 section 15.5.6
        elif self._ready():
            status, body = "200 OK", b"ok\n"
        else:
            status, body = "503 Service Unavailable", b"draining\n"
        fields = [
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            *extra,
        ]
        start_response(status, fields)
        return [b"" if method == "HEAD" else body]
