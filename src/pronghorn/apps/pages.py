"""Error pages that a person can read: HTML for browsers, one line of text for everything else.

fields, body = error_answer("404 Not Found", "There is nothing at this address.", environ)
start_response("404 Not Found", fields)
return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]
"""

from html import escape
from typing import Any

Headers = list[tuple[str, str]]

_HTML = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{status}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 20vh auto 0; max-width: 34rem; padding: 0 1.5rem; font: 1.05rem/1.6 system-ui, sans-serif; }}
h1 {{ margin: 0; font-size: 1.5rem; font-weight: 600; }}
h1 b {{ margin-right: .5rem; font-weight: 300; opacity: .6; }}
p {{ margin: .5rem 0; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1><b>{code}</b>{reason}</h1>
<p>{text}</p>
</body>
</html>
"""


def wants_html(environ: dict[str, Any]) -> bool:
    """Whether a browser asks for a page: `*/*` alone is what scripts, images and tools send."""
    return "text/html" in environ.get("HTTP_ACCEPT", "").lower()


def error_answer(status: str, text: str, environ: dict[str, Any]) -> tuple[Headers, bytes]:
    """Header fields and content of an answer that says what went wrong. Any thread.

    status: with its reason, such as "404 Not Found". text: one sentence; it is escaped.
    """
    html = wants_html(environ)
    if html:
        code, _, reason = status.partition(" ")
        page = _HTML.format(
            status=escape(status), code=escape(code), reason=escape(reason), text=escape(text)
        )
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
