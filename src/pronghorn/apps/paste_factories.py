"""Our applications and middlewares as PasteDeploy's factories: `use = egg:pronghorn#NAME`.

    urlmap, cascade                                          paste.composite_factory
    static                                                   paste.app_factory
    request-id, proxy-fix, gzip, lint, basic-auth            paste.filter_factory

They are entry points (pyproject.toml), for other people's files and for pserve. Where Paste is not installed,
those in PASTE also answer for `egg:Paste#…` (paste_loader.py).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from pronghorn.apps.middleware.registry import NAMES
from pronghorn.apps.mount import not_found
from pronghorn.apps.paste_cascade import Cascade
from pronghorn.apps.paste_places import PasteError
from pronghorn.apps.paste_urlmap import parse_key, urlmap_of
from pronghorn.apps.paste_values import typed
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.options import StaticOptions
from pronghorn.option import did_you_mean

WSGIApplication = Callable[..., Iterable[bytes]]


def urlmap(loader: Any, global_conf: Mapping[str, str], **keys: str) -> WSGIApplication:
    """Each key an address, its value the name of an application; not_found_app for all others."""
    other = keys.pop("not_found_app", None) or global_conf.get("not_found_app")
    for key in keys:
        parse_key(key)  # before any application is made: some take their time
    applications = {key: loader.get_app(name, global_conf=global_conf) for key, name in keys.items()}
    return urlmap_of(applications, loader.get_app(other, global_conf=global_conf) if other else None)


def cascade(loader: Any, global_conf: Mapping[str, str], catch: str = "404", **keys: str) -> WSGIApplication:
    """app1, app2, … are asked in the order of their keys, while they answer with a status in `catch`."""
    codes = catch.replace(",", " ").split()
    if not codes or not all(code.isdecimal() and len(code) == 3 for code in codes):
        raise PasteError(f"catch: {catch!r} is not a list of status codes.", mend="404 500", key="catch")
    for key in keys:
        if not key.startswith("app"):
            mend = (
                did_you_mean(key, ["catch", "app1"])
                or "Applications are app1, app2, …; the other key is catch."
            )
            raise PasteError(f"A cascade has no option {key!r}.", mend=mend, key=key)
    if not keys:
        raise PasteError("This cascade names no application.", mend="Add `app1 = …` and `app2 = …`.")
    applications = [loader.get_app(keys[key], global_conf=global_conf) for key in sorted(keys)]
    return Cascade(applications, map(int, codes))


def static(global_conf: Mapping[str, str], **keys: str) -> WSGIApplication:
    """root (in Paste: document_root), and the options of a static route; lists are separated by spaces."""
    roots = [keys.pop(key) for key in ("root", "document_root") if key in keys]
    if len(roots) != 1:
        raise PasteError(
            "static needs one `root`, the directory with the files.", mend="root = %(here)s/public"
        )
    age = keys.pop("cache_max_age", None)  # Paste's name
    if age is not None:
        keys.setdefault("max_age", age)
    application: WSGIApplication = Static(
        roots[0], options=StaticOptions(**typed(StaticOptions, keys, "static"))
    )
    return application


def _filter(name: str, global_conf: Mapping[str, str], **keys: str) -> Callable[[WSGIApplication], Any]:
    middleware: Any = NAMES[name]
    made = partial(middleware, **typed(middleware, keys, name, but=1))
    made(not_found)  # a wrong option is told now, with its own section, and not with the pipeline's
    return made


request_id = partial(_filter, "request-id")
proxy_fix = partial(_filter, "proxy-fix")
gzip = partial(_filter, "gzip")
lint = partial(_filter, "lint")
basic_auth = partial(_filter, "basic-auth")

PASTE: dict[str, tuple[str, Callable[..., WSGIApplication]]] = {
    "urlmap": ("paste.composite_factory", urlmap),
    "cascade": ("paste.composite_factory", cascade),
    "static": ("paste.app_factory", static),
}
"""What we have of Paste's own entry points: the protocol and the factory."""
