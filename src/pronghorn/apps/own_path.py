"""A path that the server answers itself, before the application: `--health`, `--metrics`."""

from collections.abc import Callable, Iterable
from typing import Any


class OwnPath:
    """A WSGI application: the answer of one path. Any thread.

    answer: status and content for a GET.
    """

    __slots__ = ("_answer", "_content_type")

    def __init__(self, answer: Callable[[], tuple[str, bytes]], content_type: str = "text/plain") -> None:
        self._answer = answer
        self._content_type = content_type

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
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


def as_path_info(path: str) -> str:
    """A path that begins with "/", percent-encoding undone, as PATH_INFO has it: octets as latin-1 (PEP 3333,
    "Unicode Issues")."""
    return path.encode().decode("latin-1")
