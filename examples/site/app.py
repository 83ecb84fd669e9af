"""A small site that shows what the server does: plain WSGI, no framework.

    pronghorn --config examples/site/pronghorn.toml

Each route is a function from environ to (status, fields, body). Its files, and the facts at /api, come from
pronghorn.toml beside it.
"""

import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote
from wsgiref.util import request_uri

from forms import BadForm, parts

Environ = dict[str, Any]
Fields = list[tuple[str, str]]
Answer = tuple[str, Fields, Iterable[bytes]]

HERE = Path(__file__).parent
PAGE = Template((HERE / "page.html").read_text("utf-8"))
SAFETY: Fields = [
    ("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
     "connect-src 'self'; form-action 'self'; base-uri 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]  # fmt: skip
CURRENT = ' aria-current="page"'
PAUSE = 0.2
PRONGHORN_FACTS = (
    "The pronghorn lives on the open plains of North America.",
    "Its name in the books is Antilocapra americana.",
    "It looks like an antelope and is none:",
    "it is the last of a family that once had a dozen kinds.",
    "Its nearest living relatives are the giraffe and the okapi.",
    "No animal of its continent runs faster.",
    "Nearly 90 km/h over a short distance,",
    "and more than 50 km/h for many kilometres.",
    "A large heart, wide windpipe and big lungs see to that.",
    "Cheetahs may have taught it: America had its own,",
    "and they died out some twelve thousand years ago.",
    "It sheds the sheath of its horns each year; the core stays.",
    "The fork in them gave it its English name.",
    "Its eyes sit far out at the sides of its head",
    "and take in most of the horizon without a turn.",
    "In alarm it raises the white hair of its rump,",
    "a signal that others see from far away.",
    "It seldom jumps: at a fence it looks for the gap below.",
    "Some herds walk 200 km between summer and winter,",
    "and take the same path each year. That is all.",
)


def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The WSGI application."""
    path = environ.get("PATH_INFO", "") or "/"
    route, methods = find(path)
    method = environ["REQUEST_METHOD"]
    if method not in methods:
        status, fields, body = not_allowed(environ, methods)
    else:
        status, fields, body = route(environ)
    start_response(status, fields + SAFETY)
    return [] if method == "HEAD" else body


def find(path: str) -> tuple[Callable[[Environ], Answer], tuple[str, ...]]:
    """The route for a path, and the methods that it takes."""
    reading = ("GET", "HEAD")
    if path == "/upload":
        return upload, (*reading, "POST", "PUT")
    if path == "/environ" or path.startswith("/environ/"):
        return show_environ, (*reading, "POST")
    return {"/": home, "/stream": stream, "/stream/lines": stream_lines}.get(path, not_found), reading


# The pages


def home(environ: Environ) -> Answer:
    """What the routes show."""
    base = base_of(environ)
    cards = "".join(
        f'<li><a class="card" href="{base}{path}"><code>{path}</code><h2>{title}</h2><p>{about}</p></a></li>'
        for path, title, about in (
            ("/environ", "What the application is told",
             "The whole environ of your own request as a table, with a word on what each key means."),
            ("/stream", "A block at a time",
             "A generator that yields a line each 200 ms. You see them arrive one by one."),
            ("/upload", "A file and some text",
             "Send something big. It is read in blocks; the answer is its size, its SHA-256 and the speed."),
            ("/not-there", "A path that leads nowhere",
             "There is no such page, and the answer says so with status 404."),
        )
    )  # fmt: skip
    facts = definition_list(
        ("You asked", environ["REQUEST_METHOD"] + " " + environ.get("PATH_INFO", "")),
        ("From", environ.get("REMOTE_ADDR") or "a local socket"),
        ("Protocol", environ["SERVER_PROTOCOL"]),
        ("Threads", "several" if environ["wsgi.multithread"] else "one"),
    )
    url = escape(request_uri({**environ, "PATH_INFO": "/upload"}, include_query=False))
    main = f"""<section class="hero">
<p class="live">The server is running</p>
<h1>Hello from the plains.</h1>
<p class="lead">This page comes from a small WSGI application without a framework.
Each of its routes shows one thing that a server has to get right.</p>
<svg viewBox="0 0 1200 150" preserveAspectRatio="none" aria-hidden="true">
<path class="h1" d="M0 70C180 20 330 30 520 62S880 96 1200 22V150H0z"/>
<path class="h2" d="M0 98C220 60 420 118 640 96S1010 54 1200 84V150H0z"/>
<path class="h3" d="M0 132C160 106 330 104 520 124S930 150 1200 112V150H0z"/></svg>
</section>
<ul class="cards">{cards}</ul>
{facts}
<section class="try"><h2>From a terminal</h2>
<pre>curl -N {url.removesuffix("upload")}stream
curl -T some-file {url}</pre></section>"""
    return page(environ, "200 OK", "Hello", main)


MEANINGS = {
    "REQUEST_METHOD": "The method, as sent.",
    "SCRIPT_NAME": "The part of the path that leads to this application: empty at the root.",
    "PATH_INFO": "The rest of the path, percent-decoded once. Its bytes are one character each (latin-1).",
    "QUERY_STRING": "What follows the question mark, not decoded.",
    "CONTENT_TYPE": "The media type of the request's body.",
    "CONTENT_LENGTH": "The length of the request's body in bytes.",
    "SERVER_NAME": "Where the server listens. For links, use HTTP_HOST first.",
    "SERVER_PORT": "The port, as text.",
    "SERVER_PROTOCOL": "The version of the request.",
    "SERVER_SOFTWARE": "The name and version of the server.",
    "REMOTE_ADDR": "The address of the client's end of the connection.",
    "REMOTE_PORT": "The port of the client's end of the connection.",
    "REQUEST_URI": "The request target as sent, nothing decoded.",
    "RAW_URI": "The same under the name that other servers use.",
    "HTTP_HOST": "The host that the client asked for.",
    "wsgi.version": "The version of WSGI itself.",
    "wsgi.url_scheme": "http or https.",
    "wsgi.input": "The stream to read the request's body from.",
    "wsgi.errors": "The stream for messages to the operator.",
    "wsgi.multithread": "Whether this application may be called from several threads at once.",
    "wsgi.multiprocess": "Whether other processes may run the same application.",
    "wsgi.run_once": "Whether this process ends after one request.",
    "wsgi.file_wrapper": "Wraps a file so that the server can send it the fast way.",
    "wsgi.input_terminated": "Reading the input to its end is safe: the server ends it.",
    "wsgi.early_hints": "Sends a 103 answer with Link fields ahead of the real one.",
}


def show_environ(environ: Environ) -> Answer:
    """The request's environ in three tables."""
    groups: dict[str, list[str]] = {"The request": [], "Its header fields": [], "WSGI": []}
    for key in environ:
        if key.startswith("HTTP_"):
            groups["Its header fields"].append(key)
        elif "." in key:
            groups["WSGI"].append(key)
        elif key in MEANINGS or key == "HTTPS":
            groups["The request"].append(key)
    tables = "".join(
        table(title, [(key, environ[key]) for key in keys]) for title, keys in groups.items() if keys
    )
    sample = f"{base_of(environ)}/environ/{quote('café')}?name={quote('Zoë')}&name=2"
    main = f"""<section class="page"><h1>What the application is told</h1>
<p class="lead">The environ of the request that brought you here, for
<code>{escape(request_uri(environ))}</code>.
Try <a href="{escape(sample)}">a path with an accent</a> and compare the path and the query.</p>
{tables}</section>"""
    return page(environ, "200 OK", "environ", main)


def table(title: str, pairs: Iterable[tuple[str, object]]) -> str:
    rows = "".join(row(key, value) for key, value in pairs)
    return f'<h2>{escape(title)}</h2><div class="framed"><table>{rows}</table></div>'


def row(key: str, value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    shown = f'<span class="value">{escape(text)}</span>' if text else '<span class="empty">empty</span>'
    meaning = f"<small>{escape(MEANINGS[key])}</small>" if key in MEANINGS else ""
    return f'<tr><th scope="row">{escape(key)}</th><td>{shown}{meaning}</td></tr>'


def stream(environ: Environ) -> Answer:
    """The page for browsers; the lines for everybody else."""
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return stream_lines(environ)
    base = base_of(environ)
    main = f"""<section class="page"><h1>A block at a time</h1>
<p class="lead">The application yields one line, rests for 200 ms, and yields the next.
The server sends each as it comes, so the times below go up evenly.</p>
<div class="bar"><button id="again" type="button">Once more</button>
<span id="state" role="status"></span></div>
<ol id="lines" data-source="{base}/stream/lines"></ol>
<noscript><p>Without scripts: <a href="{base}/stream/lines">the lines themselves</a>.</p></noscript>
<script src="{base}/static/stream.js" defer></script></section>"""
    status, fields, body = page(environ, "200 OK", "stream", main)
    return status, [*fields, ("Vary", "Accept")], body


def stream_lines(environ: Environ) -> Answer:
    """A line each 200 ms, as plain text."""
    return "200 OK", [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")], lines()


def lines() -> Iterator[bytes]:
    for number, fact in enumerate(PRONGHORN_FACTS):
        if number:
            time.sleep(PAUSE)
        yield f"{fact}\n".encode()


def upload(environ: Environ) -> Answer:
    """The form, and what was found in it."""
    if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
        return page(environ, "200 OK", "upload", upload_form(environ))
    started = time.perf_counter()
    found = []
    try:
        for part in parts(environ):
            digest, size, text = hashlib.sha256(), 0, b""
            for block in part.blocks:
                digest.update(block)
                size += len(block)
                if not part.filename and len(text) < 400:
                    text += block[:400]
            found.append(
                (part.name, part.filename, size, digest.hexdigest(), text.decode("utf-8", "replace"))
            )
    except BadForm as error:
        main = f"""<section class="page"><h1>That was no form</h1>
<p class="lead">{escape(str(error))}</p></section>"""
        return page(environ, "400 Bad Request", "upload", main)
    seconds = time.perf_counter() - started
    if [name for name, *_ in found] == [""]:
        return plain_report(found[0][2], found[0][3], seconds)
    return page(environ, "200 OK", "upload", upload_report(environ, found, seconds))


def upload_form(environ: Environ) -> str:
    return f"""<section class="page"><h1>A file and some text</h1>
<p class="lead">The application reads what you send in blocks of 64 KiB and keeps none of it.</p>
<form method="post" action="{base_of(environ)}/upload" enctype="multipart/form-data">
<label>A file <input type="file" name="file"></label>
<label>Some text <textarea name="text" placeholder="Anything at all"></textarea></label>
<button>Send it</button></form></section>"""


def upload_report(environ: Environ, found: list[tuple[str, str, int, str, str]], seconds: float) -> str:
    total = sum(size for _, _, size, _, _ in found)
    tables = ""
    for name, filename, size, digest, text in found:
        shown = f"“{text[:200]}{'…' if len(text) > 200 else ''}”" if text else ""
        facts = [("Size", f"{size:,} bytes"), ("SHA-256", digest)]
        facts += [("File", filename)] if filename else [("Text", shown)] if shown else []
        tables += table(name, facts)
    summary = definition_list(
        ("Received", f"{total:,} bytes"),
        ("Read and hashed in", f"{seconds * 1000:,.1f} ms"),
        ("Speed", speed(total, seconds)),
    )
    return f"""<section class="page"><h1>It has arrived</h1>
<p class="lead">The speed is that of reading and hashing here, not of your line.</p>
{summary}{tables}
<p><a class="button" href="{base_of(environ)}/upload">Send another</a></p></section>"""


def plain_report(size: int, digest: str, seconds: float) -> Answer:
    text = f"size {size}\nsha256 {digest}\nspeed {speed(size, seconds)}\n".encode()
    fields = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(text)))]
    return "200 OK", fields, [text]


def speed(size: int, seconds: float) -> str:
    return f"{size / 1e6 / max(seconds, 1e-9):,.1f} MB/s"


def not_found(environ: Environ) -> Answer:
    asked = environ.get("PATH_INFO", "").encode("latin-1").decode("utf-8", "replace")
    main = f"""<section class="page"><h1>Nothing grazes here</h1>
<p class="lead">There is no page at <code>{escape(asked)}</code>. The status of this answer is 404.</p>
<p><a class="button" href="{base_of(environ)}/">Back to the start</a></p></section>"""
    return page(environ, "404 Not Found", "Not found", main)


def not_allowed(environ: Environ, methods: tuple[str, ...]) -> Answer:
    main = f"""<section class="page"><h1>Not with that method</h1>
<p class="lead">This page takes {escape(", ".join(methods))}.</p></section>"""
    status, fields, body = page(environ, "405 Method Not Allowed", "Not allowed", main)
    return status, [*fields, ("Allow", ", ".join(methods))], body


# What the pages share


def page(environ: Environ, status: str, title: str, main: str) -> Answer:
    """An answer in the site's frame. `main` is HTML: everything in it has been escaped."""
    base = base_of(environ)
    here = environ.get("PATH_INFO", "")
    nav = "".join(
        f'<a href="{base}{path}"{CURRENT if here.startswith(path) else ""}>{path[1:]}</a>'
        for path in ("/environ", "/stream", "/upload")
    )
    text = PAGE.substitute(
        title=escape(title),
        base=base,
        nav=nav,
        main=main,
        software=escape(environ.get("SERVER_SOFTWARE", "a WSGI server")),
        protocol=escape(environ["SERVER_PROTOCOL"]),
        python=platform.python_version(),
    ).encode()
    fields = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(text)))]
    return status, [*fields, ("Cache-Control", "no-store")], [text]


def base_of(environ: Environ) -> str:
    """What every link of the site starts with: where the application is mounted."""
    return escape(quote(environ.get("SCRIPT_NAME", ""), encoding="latin-1"))


def definition_list(*pairs: tuple[str, str]) -> str:
    return '<dl class="facts">' + "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs
    ) + "</dl>"  # fmt: skip
