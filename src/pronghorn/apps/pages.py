"""Error pages that a person can read: HTML for browsers, one line of text for everything else.

fields, body = error_answer("404 Not Found", "There is nothing at this address.", environ)
start_response("404 Not Found", fields)
return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
"""

import re
from html import escape
from typing import Any

Headers = list[tuple[str, str]]

_WEIGHT = re.compile(r";[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*(?:;|$)")

_MEMBERS_MOST = 64
"""Arbitrary: more members of Accept are more work than a client may ask for."""

_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{head}<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""

_STYLE = """\
body { margin: 20vh auto 0; max-width: 34rem; padding: 0 1.5rem; font: 1.05rem/1.6 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; font-weight: 600; }
h1 b { margin-right: .5rem; font-weight: 300; opacity: .6; }
p { margin: .5rem 0; overflow-wrap: anywhere; }
"""


def html_page(title: str, style: str, body: str, head: str = "") -> str:
    """A whole page. title: is escaped; style, body, head: are not."""
    return _FRAME.format(title=escape(title), style=style, body=body, head=head)


def wants_html(environ: dict[str, Any]) -> bool:
    """Whether a browser asks for a page: `*/*` alone is what scripts, images and tools send."""
    return weight(environ, "text/html") > 0


def weight(environ: dict[str, Any], kind: str) -> float:
    """What Accept gives a media type that it names: 0 to 1, and 0 where it does not name it.

    kind: in lower case. A weight that breaks the grammar (RFC 9110 section 12.4.2) is as none, which means 1.
    """
    highest = 0.0
    for member in environ.get("HTTP_ACCEPT", "").lower().split(",", _MEMBERS_MOST)[:_MEMBERS_MOST]:
        name, mark, parameters = member.partition(";")
        if name.strip(" \t") == kind:
            found = _WEIGHT.search(mark + parameters)
            highest = max(highest, float(found[1]) if found else 1.0)
    return highest


def error_answer(status: str, text: str, environ: dict[str, Any]) -> tuple[Headers, bytes]:
    """Header fields and content of an answer that says what went wrong. Any thread.

    status: with its reason, such as "404 Not Found". text: one sentence; it is escaped.
    """
    html = wants_html(environ)
    if html:
        code, _, reason = status.partition(" ")
        said = f"<h1><b>{escape(code)}</b>{escape(reason)}</h1>\n<p>{escape(text)}</p>"
        page = html_page(status, _STYLE, said)
    else:
        page = f"{status}\n\n{text}\n" if text else f"{status}\n"
    body = page.encode("utf-8", "backslashreplace")
    fields = [
        ("Content-Type", f"text/{'html' if html else 'plain'}; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-cache"),
        ("Vary", "Accept"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if html:
        fields.append(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))
    return fields, body
