"""`try`: what to look for, in order (S17).

"$path"              the file itself
"$path.html"         the file with this ending
"$path/"             the directory: its index file or listing, after a redirect to the address with a slash
"$path/index.html"   this file in the directory, without a redirect
"/index.html"        a page for whatever a browser navigates to; never in place of a missing script
"@app"               the application
"""

from collections.abc import Sequence
from typing import NamedTuple

from pronghorn.errors import ConfigError

_PATH = "$path"


class Plan(NamedTuple):
    """What `try` says, sorted out."""

    candidates: tuple[str, ...]
    """What is put behind the path."""
    pages: tuple[str, ...]
    """Paths of pages for navigations."""
    app: bool
    """Whether the application is asked at the end."""


def plan_of(given: Sequence[str], fallback: bool) -> Plan:
    """Raises ConfigError. fallback: whether there is an application."""
    if not given:
        return Plan(("", "/"), (), fallback)
    candidates: list[str] = []
    pages: list[str] = []
    for index, one in enumerate(given):
        if one.startswith("@"):
            if not fallback or index != len(given) - 1:
                raise ConfigError(
                    f"{one!r} in `try` "
                    + ("has nothing behind it that is ever tried." if fallback else "has no application."),
                    mend="The application comes last, because it answers everything.",
                )
            return Plan(tuple(candidates), tuple(pages), True)
        if one.startswith(_PATH):
            if pages:
                raise ConfigError(f"{one!r} in `try` must stand before {pages[0]!r}.")
            candidates.append(_behind(one))
        elif one.startswith("/"):
            pages.append(one)
        else:
            raise ConfigError(
                f"{one!r} in `try` is nothing that can be tried.",
                mend='Known are "$path", "$path.html", "$path/", "$path/index.html", "/page.html", "@app".',
            )
    return Plan(tuple(candidates), tuple(pages), False)


def _behind(one: str) -> str:
    behind = one[len(_PATH) :]
    names = behind.strip("/").split("/") if behind.strip("/") else []
    if any(name in ("", ".", "..") for name in names) or "\0" in behind or behind.startswith("//"):
        raise ConfigError(f"{one!r} in `try` is no path below the root.")
    return behind
