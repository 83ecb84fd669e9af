"""A request to an application, without a server."""

import io
from collections.abc import Callable, Iterable
from typing import Any


def ask(
    app: Callable[..., Iterable[bytes]], path: str, host: str = "x", **environ: Any
) -> tuple[str, Any, bytes]:
    told: list[Any] = []
    body = app(
        {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "HTTP_HOST": host,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            **environ,
        },
        lambda status, fields, exc_info=None: told.extend((status, dict(fields))),
    )
    text = b"".join(body)
    getattr(body, "close", lambda: None)()
    return told[0], told[1], text
