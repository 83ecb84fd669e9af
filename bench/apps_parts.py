"""What a mount and each middleware add to a call, without sockets: `python -m bench.apps_parts` prints µs.

Each line is the difference to the same call of the bare application.
"""

import io
import random
import timeit
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from bench.profiles import BROWSER
from pronghorn.apps.middleware.basic_auth import BasicAuth
from pronghorn.apps.middleware.gzip import Gzip
from pronghorn.apps.middleware.lint import Lint
from pronghorn.apps.middleware.passwords import make
from pronghorn.apps.middleware.proxy_fix import ProxyFix
from pronghorn.apps.middleware.request_id import RequestId
from pronghorn.apps.mount import Mount
from pronghorn.wsgi.environ import key_of

BODY = b"Hello, World!\n"
WORDS = [f"word{number}" for number in range(500)]
PAGE = " ".join(random.Random(1).choices(WORDS, k=1400)).encode()
STREAMS = {
    "SERVER_PROTOCOL": "HTTP/1.1",
    "wsgi.version": (1, 0),
    "wsgi.input": io.BytesIO(),
    "wsgi.errors": io.StringIO(),
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}
FIELDS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]


def hello(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", FIELDS)
    return [BODY]


def environ_of(path: str, **extra: Any) -> dict[str, Any]:
    """As for a browser's request."""
    environ = {key_of(name.encode()): value for name, value in BROWSER}
    environ |= {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
    environ |= {"HTTP_HOST": "www.example.org", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "40000"}
    environ |= {"SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    return environ | extra


def ignore(status: str, fields: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
    return lambda block: None


def cost(app: Callable[..., Any], environ: dict[str, Any], number: int = 20_000) -> float:
    """µs of one call with a fresh environ: the best of seven times `number`."""

    def call() -> None:
        result = app(environ.copy(), ignore)
        for _ in result:
            pass
        if hasattr(result, "close"):
            result.close()

    return min(timeit.repeat(call, number=number, repeat=7)) / number * 1e6


def mounts() -> list[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """(what, application, environ)."""
    fifty: dict[Any, Any] = {f"/section{number}/part": hello for number in range(48)}
    by_path = Mount({**fifty, "/": hello, "/api": hello})
    by_host = Mount(
        {
            **{(f"h{number}.example.org", "/"): hello for number in range(48)},
            "/": hello,
            ("*.example.org", "/api"): hello,
        }
    )
    return [
        ("mount, 50 paths, /api/users/7", by_path, environ_of("/api/users/7")),
        ("mount, 50 paths, /section7/part/x", by_path, environ_of("/section7/part/x")),
        ("mount, 50 paths, none but /", by_path, environ_of("/a/b/c/d/e/f")),
        ("mount, 50 paths, 4,000 slashes", by_path, environ_of("/a" * 4_000)),
        ("mount, 50 hosts, exact", by_host, environ_of("/x", HTTP_HOST="h7.example.org")),
        ("mount, 50 hosts, wildcard", by_host, environ_of("/api/x")),
    ]


def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """10 KiB of text that shrinks as text does."""
    start_response("200 OK", [("Content-Type", "text/html")])
    return [PAGE]


def middlewares() -> list[tuple[str, Callable[..., Any], dict[str, Any]]]:
    """(what, application, environ)."""
    plain = environ_of("/", HTTP_ACCEPT_ENCODING="gzip, deflate, br", **STREAMS)
    x_forwarded = {"HTTP_X_FORWARDED_FOR": "192.0.2.7", "HTTP_X_FORWARDED_PROTO": "https"}
    forwarded = {"HTTP_FORWARDED": "for=192.0.2.7;proto=https;host=www.example.org"}
    authorized = {"HTTP_AUTHORIZATION": "Basic " + b64encode(b"ann:secret").decode()}
    x_fix = ProxyFix(hello, trusted=["127.0.0.1"])
    return [
        ("request-id", RequestId(hello), plain),
        ("proxy-fix, no such fields", x_fix, plain),
        ("proxy-fix, X-Forwarded-For and -Proto", x_fix, plain | x_forwarded),
        (
            "proxy-fix, Forwarded",
            ProxyFix(hello, trusted=["127.0.0.1"], header="forwarded"),
            plain | forwarded,
        ),
        ("gzip, too short", Gzip(hello), plain),
        ("gzip, 10 KiB", Gzip(page), plain),
        ("gzip, 10 KiB, not accepted", Gzip(page), plain | {"HTTP_ACCEPT_ENCODING": "br"}),
        ("lint", Lint(hello), plain),
        (
            "basic-auth, known credentials",
            BasicAuth(hello, users={"ann": make("secret")}),
            plain | authorized,
        ),
    ]


def main() -> None:
    """Print the table."""
    for what, app, environ in mounts() + middlewares():
        number = 500 if "10 KiB" in what else 20_000
        print(f"{what:40}{cost(app, environ, number) - cost(hello, environ):7.2f} µs")


if __name__ == "__main__":
    main()
