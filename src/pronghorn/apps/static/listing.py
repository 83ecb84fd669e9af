"""A directory as a page for people or as JSON for programs, where the option `listing` asks for it (S5)."""

import json
import os
import time
from collections.abc import Iterable
from html import escape
from itertools import islice
from typing import Any
from urllib.parse import quote

from pronghorn.apps.pages import error_answer, html_page, wants_html, weight
from pronghorn.apps.static.cache import StartResponse
from pronghorn.apps.static.lookup import Opened, Outcome, Root, View, is_malformed, outcome_of

_ENTRIES_MOST = 10_000
"""Arbitrary: names that are read of one directory. More would be a page that no browser likes."""

_STYLE = """\
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.2rem; font-weight: 600; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 500; opacity: .7; }
td, th { padding: .3rem .5rem; border-bottom: 1px solid #8883; }
td:first-child { overflow-wrap: anywhere; }
td + td, th + th { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr:hover td { background: #8881; }
a { text-decoration: none; }
"""

_BODY = """\
<h1>{title}</h1>
<table>
<thead><tr><th>Name</th><th>Size</th><th>Last change (UTC)</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
{more}"""


_Found = tuple[bytes, bool, os.stat_result]


class Listing:
    """What is in one directory, read for each request. Any thread."""

    __slots__ = ("_hidden", "_name", "_root")

    def __init__(self, root: Root, name: bytes, hidden: bool) -> None:
        self._root = root
        self._name = name
        self._hidden = hidden

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        html = wants_html(environ) and weight(environ, "text/html") >= weight(environ, "application/json")
        try:
            found, more = self._entries()
        except OSError as error:
            status, text = {
                Outcome.FORBIDDEN: ("403 Forbidden", "This directory may not be read."),
                Outcome.BUSY: ("503 Service Unavailable", "Try again in a moment."),
            }.get(outcome_of(error), ("404 Not Found", "There is nothing at this address."))
            fields, body = error_answer(status, text, environ)
        else:
            title = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode(
                "latin-1", "replace"
            )
            page = as_html(title.decode("utf-8", "replace"), found, more) if html else as_json(found)
            status, body = "200 OK", page.encode("utf-8", "replace")
            fields = [
                ("Content-Type", "text/html; charset=utf-8" if html else "application/json"),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-cache"),
                ("Vary", "Accept"),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"),
            ]
        start_response(status, fields)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def is_quick(self, environ: dict[str, Any]) -> bool:
        """Thousands of files take a while."""
        return False

    def is_current(self) -> bool:
        return True

    def _entries(self) -> tuple[list[_Found], bool]:
        """(name, whether a directory, status), directories first, and whether there are more than were read.

        Only what a request would get. Of a larger directory, some: which ones, its file system decides.
        """
        found: list[_Found] = []
        with self._root.view() as view:
            directory = view.open_directory(self._name)
            try:
                with os.scandir(directory) as entries:
                    for entry in islice(entries, _ENTRIES_MOST):
                        name = os.fsencode(entry.name)
                        hidden = name.startswith(b".") and not self._hidden
                        if hidden or is_malformed(name.decode("latin-1"), None):
                            continue
                        one = self._one(view, entry, name)
                        if one is not None:
                            found.append(one)
                    more = next(entries, None) is not None
            finally:
                os.close(directory)
        return sorted(found, key=lambda one: (not one[1], one[0].lower())), more

    def _one(self, view: View, entry: os.DirEntry[str], name: bytes) -> _Found | None:
        try:
            if entry.is_symlink() and not self._leads_somewhere(view, name):
                return None
            if entry.is_dir() or entry.is_file():
                return name, entry.is_dir(), entry.stat()
        except OSError:
            pass  # it is gone
        return None

    def _leads_somewhere(self, view: View, name: bytes) -> bool:
        opened = view.open(b"/".join(part for part in (self._name, name) if part))
        if isinstance(opened, Opened):
            os.close(opened.fd)
            return True
        return opened is Outcome.DIRECTORY


def as_json(found: list[_Found]) -> str:
    """A list of objects: name, type, size in octets, mtime as RFC 3339 says."""
    return json.dumps(
        [
            {
                "name": name.decode("utf-8", "replace"),
                "href": _href(name, directory),
                "type": "directory" if directory else "file",
                "size": None if directory else status.st_size,
                "mtime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime)),
            }
            for name, directory, status in found
        ]
    )


def as_html(title: str, found: list[_Found], more: bool = False) -> str:
    """A table; everything that a file's name may hold is escaped. more: whether some are left out."""
    rows = [] if title.strip("/") == "" else ['<tr><td><a href="../">..</a></td><td></td><td></td></tr>']
    for name, directory, status in found:
        shown = escape(name.decode("utf-8", "replace")) + ("/" if directory else "")
        size = "" if directory else _size(status.st_size)
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(status.st_mtime))
        link = f'<a href="{escape(_href(name, directory))}">{shown}</a>'
        rows.append(f"<tr><td>{link}</td><td>{size}</td><td>{when}</td></tr>")
    said = f"<p>There is more: only {_ENTRIES_MOST} names are listed.</p>\n" if more else ""
    body = _BODY.format(title=escape(title), rows="\n".join(rows), more=said)
    return html_page(title, _STYLE, body.rstrip("\n"))


def _href(name: bytes, directory: bool) -> str:
    """Relative, and never a scheme: `javascript:x` is a file's name, too."""
    return "./" + quote(name, safe="~") + ("/" if directory else "")


def _size(octets: int) -> str:
    size = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
