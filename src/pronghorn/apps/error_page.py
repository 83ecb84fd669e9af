"""What a development server shows while the new code cannot be imported.

The page asks for itself again each second, so that the save that mends the code shows in the browser too.
It shows source lines and paths: for `--reload` only, never for a server that strangers reach.
"""

import traceback
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from pronghorn.apps import blame
from pronghorn.apps.pages import html_page, wants_html
from pronghorn.errors import StartupError

_HEADLINE = "The application cannot be loaded"
_HINT = "Mend it and save: the server tries again by itself."

_STYLE = """\
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.1rem; font-weight: 600; color: #b3261e; }
.what { font-size: 1.35rem; font-weight: 600; overflow-wrap: anywhere; }
.where, pre { font: .9rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.mend { white-space: pre-line; }
pre { padding: 1rem; overflow-x: auto; border: 1px solid #8886; border-radius: .4rem; background: #8881;
  overflow-wrap: normal; }
.hint { opacity: .75; }
@media (prefers-color-scheme: dark) { h1 { color: #ff8a80; } }
"""

_REFRESH = '<meta http-equiv="refresh" content="1">\n'


class ErrorPage:
    """A WSGI application that answers every request with 500 and what went wrong. Any thread."""

    __slots__ = ("_html", "_text")

    def __init__(self, error: StartupError) -> None:
        # Now, and not per request: the frames of a failed import would keep all it made.
        told = users_traceback(error.__cause__) if error.__cause__ else ""
        self._html = _encoded(_as_html(error, told))
        self._text = _encoded(_as_text(error, told))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        html = wants_html(environ)
        body = self._html if html else self._text
        fields = [
            ("Content-Type", f"text/{'html' if html else 'plain'}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        start_response("500 Internal Server Error", fields)
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def users_traceback(error: BaseException) -> str:
    """As Python prints it, without the frames that imported the user's code."""
    told = traceback.TracebackException.from_exception(error, compact=True)
    _leave_out_ours(told)
    return "".join(told.format()).rstrip()


def _leave_out_ours(told: traceback.TracebackException) -> None:
    waiting: list[traceback.TracebackException | None] = [told]
    while waiting:
        one = waiting.pop()
        if one is not None:
            one.stack[:] = [frame for frame in one.stack if not blame.is_machinery(frame.filename)]
            # `exceptions` is there from 3.11 on, and None unless it is a group.
            waiting += [one.__cause__, one.__context__, *(one.exceptions or ())]


def _mend(error: StartupError) -> str:
    """Without the advice to look for the traceback elsewhere: here it is."""
    return error.mend.replace(blame.WHOLE, "").strip()


def _as_html(error: StartupError, told: str) -> str:
    parts = [
        f'<{tag} class="{name}">{escape(text)}</{tag}>'
        for tag, name, text in (
            ("p", "what", error.what),
            ("p", "where", error.where),
            ("p", "mend", _mend(error)),
            ("pre", "traceback", told),
        )
        if text
    ]
    body = "\n".join([f"<h1>{_HEADLINE}</h1>", *parts, f'<p class="hint">{_HINT}</p>'])
    return html_page(_HEADLINE, _STYLE, body, _REFRESH)


def _as_text(error: StartupError, told: str) -> str:
    said = "\n".join(text for text in (error.what, error.where, _mend(error)) if text)
    return "\n\n".join(text for text in (f"{_HEADLINE}.", said, told, _HINT) if text) + "\n"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a path may hold what UTF-8 does not have
