"""One declaration per profile: what is asked, what must be answered, by how many clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench import apps, pages

Fields = tuple[tuple[str, str], ...]

# As Chrome sends them; a request of 812 bytes. {cookie} and {id} are 32 digits each.
BROWSER: Fields = (
    ("Connection", "keep-alive"),
    ("Cache-Control", "max-age=0"),
    ("sec-ch-ua", '"Chromium";v="118", "Google Chrome";v="118", "Not=A?Brand";v="99"'),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", '"Linux"'),
    ("Upgrade-Insecure-Requests", "1"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/118.0.0.0 Safari/537.36",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    ),
    ("Sec-Fetch-Site", "none"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-User", "?1"),
    ("Sec-Fetch-Dest", "document"),
    ("Accept-Encoding", "gzip, deflate, br"),
    ("Accept-Language", "en-US,en;q=0.9"),
    (
        "Cookie",
        "session={cookie}; theme=dark; csrftoken=5f8d04b3c1e94a7f9d2b6c80a17e43f2; consent=yes; region=eu",
    ),
    ("X-Request-Id", "{id}"),
)


Mode = Literal["command", "threaded", "several"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of load.

    kind: "load" is measured with wrk; "beside" is a quick request's latency while `background` is
    requested without pause; "crowd" is what many idle connections cost. `body` is the size of the request's
    body in bytes; `streams`: each block must arrive before the next is made (PEP 3333, "Buffering and
    Streaming"). Of a series (growth.py) this is the point at `x`.
    """

    name: str
    title: str
    app: str = "hello"
    answer: bytes = apps.HELLO
    path: str = "/"
    fields: Fields = ()
    vary: bool = False
    # So many requests that differ in each {id} take turns.
    rotate: int = 0
    body: int = 0
    batch: int = 1
    close: bool = False
    streams: bool = False
    connections: int = 64
    kind: Literal["load", "beside", "crowd"] = "load"
    background: str = ""
    # How the server is started (servers.py), and which servers: all but for a few if empty.
    mode: Mode = "command"
    threads: int = 8
    workers: int = 1
    # Several workers share the one core.
    packed: bool = False
    servers: tuple[str, ...] = ()
    # New clients must be answered during the load.
    newcomers: bool = True
    # 0: as the command line says.
    seconds: int = 0
    rounds: int = 0
    series: str = ""
    x: int = 0

    @property
    def target(self) -> str:
        """The application as servers want it."""
        return self.app if ":" in self.app else f"bench.apps:{self.app}"

    def template(self, port: int) -> str:
        """The text of one request, in which `vary` and `rotate` leave {cookie} and {id} to be filled in."""
        lines = [f"{'POST' if self.body else 'GET'} {self.path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.fields]
        if self.body:
            lines += ["Content-Type: application/octet-stream", f"Content-Length: {self.body}"]
        if self.close:
            lines.append("Connection: close")
        text = "\r\n".join(lines) + "\r\n\r\n" + "x" * self.body
        return text if self.vary or self.rotate else fill(text, 0)

    def request(self, port: int, number: int = 0) -> bytes:
        return fill(self.template(port), number).encode("ascii")


def fill(template: str, number: int) -> str:
    return template.replace("{cookie}", f"{number:032x}").replace("{id}", f"{number + 1:032x}")


PROFILES = (
    Profile("hello", "the smallest request, 14 bytes answered"),
    Profile("browser", "a browser's 17 header lines, equal each time", fields=BROWSER),
    Profile("varied", "the same, cookie and request id different each time", fields=BROWSER, vary=True),
    Profile("pipelined", "16 requests in one batch", batch=16),
    Profile("connection", "a new connection for each request", close=True),
    Profile("post1k", "POST of 1 KiB, read and counted", app="post", answer=b"1024", body=1024),
    Profile("post64k", "POST of 64 KiB, read and counted", app="post", answer=b"65536", body=65536),
    Profile("body100k", "100 kB answered", app="large", answer=apps.LARGE),
    Profile(
        "stream20",
        "20 blocks of 100 bytes, no length given",
        app="stream",
        answer=apps.CHUNK * apps.CHUNKS,
        streams=True,
    ),
    Profile("c1000", "hello on 1000 connections", connections=1000),
    Profile(
        "accesslog",
        "hello with the access log written to a file, and without",
        servers=("pronghorn", "compiled"),
    ),
    Profile(
        "django",
        "a page of Django's: a template and 5 queries on SQLite",
        app="bench.apps_django:app",
        answer=pages.expected(),
        connections=16,
    ),
    Profile(
        "flask",
        "a page of Flask's: a template and 5 queries on SQLite",
        app="bench.apps_flask:app",
        answer=pages.expected(),
        connections=16,
    ),
    Profile(
        "packed",
        "the Django page, four worker processes on one core, 64 connections",
        app="bench.apps_django:app",
        answer=pages.expected(),
        mode="several",
        workers=4,
        packed=True,
        servers=("pronghorn", "compiled", "granian", "uwsgi", "gunicorn"),
    ),
    Profile(
        "beside-slow",
        "a quick request beside 6 clients of a route that sleeps 0.3 s; 8 threads",
        app="beside",
        kind="beside",
        mode="threaded",
        background="/slow",
    ),
    Profile(
        "beside-busy",
        "a quick request beside 6 clients of a route that computes 30 ms; 8 threads",
        app="beside",
        kind="beside",
        mode="threaded",
        background="/busy",
    ),
    Profile(
        "crowd",
        "10,000 connections, one request each, then idle",
        kind="crowd",
        connections=10_000,
        rounds=2,
    ),
)

QUICK = ("hello", "browser", "varied", "pipelined", "post1k")
