"""`egg:Paste#urlmap` and its keys, with Mount to find the application.

    [composite:main]
    use = egg:Paste#urlmap
    / = site
    /api = api
    domain admin.example.org = admin
    domain example.org port 8080 /status = status

One rule differs from Mount's own: in Paste, a key with a domain comes before every key without one, however
long the other's path is. DomainMap keeps that.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pronghorn.apps.mount import Key, Mount
from pronghorn.apps.paste_places import PasteError

Environ = dict[str, Any]
WSGIApplication = Callable[..., Iterable[bytes]]

_FORMS = "Keys are `/path`, `domain example.org /path` and `domain example.org port 8080 /path`."


def parse_key(key: str) -> tuple[str, str]:
    """("example.org:8080", "/path") from "domain example.org port 8080 /path"; "" for no domain.

    Raises PasteError.
    """
    domain = port = path = ""
    words = key.split()
    while words:
        word = words.pop(0)
        if word in ("domain", "port"):
            if not words or (domain if word == "domain" else port):
                what = "twice" if words else "without a value"
                raise PasteError(f"{word!r} is there {what} in {key!r}.", mend=_FORMS, key=key)
            if word == "domain":
                domain = words.pop(0)
            else:
                port = words.pop(0)
        elif path or not word.startswith("/"):
            raise PasteError(f"{key!r} is no address of a urlmap.", mend=_FORMS, key=key)
        else:
            path = word
    if port and not (domain and port.isdecimal()):
        raise PasteError(f"{key!r} has a port, but not with a domain or not a number.", mend=_FORMS, key=key)
    # Paste makes one slash of several, and takes the last one away.
    return f"{domain.lower()}:{port}" if port else domain.lower(), "/" + "/".join(
        filter(None, path.split("/"))
    )


def urlmap_of(
    applications: Mapping[str, WSGIApplication], not_found: WSGIApplication | None = None
) -> WSGIApplication:
    """The application for the keys of a urlmap. Raises PasteError, ConfigError."""
    tables: dict[str, dict[Key, WSGIApplication]] = {}
    for key, application in applications.items():
        domain, path = parse_key(key)
        table = tables.setdefault(domain, {})
        place: Key = (domain, path) if domain else path
        if place in table:
            raise PasteError(f"{key!r} is the same address as another key.", mend="Leave one.", key=key)
        table[place] = application
    if not_found is not None:
        tables.setdefault("", {}).setdefault("/", not_found)
    if not tables:
        raise PasteError("This urlmap maps nothing.", mend=f"{_FORMS} The value names an application.")
    everywhere = Mount(tables.pop("")) if "" in tables else None
    if not tables and everywhere is not None:
        return everywhere
    return DomainMap([Mount(tables[domain]) for domain in sorted(tables)], everywhere)


class DomainMap:
    """A WSGI application: the first of `domains` that knows host and path, else `everywhere`. Any thread."""

    def __init__(self, domains: list[Mount], everywhere: Mount | None) -> None:
        self._domains = domains
        self._rest = everywhere or domains[-1]  # it answers 404: nothing of it fits

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self._mount(environ)(environ, start_response)

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """Leader only. As Mount.quick."""
        return self._mount(environ).quick(environ)

    def _mount(self, environ: Environ) -> Mount:
        host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
        path, scheme = environ.get("PATH_INFO", ""), environ["wsgi.url_scheme"]
        for mount in self._domains:
            if mount.find(path, host, scheme) is not None:
                return mount
        return self._rest
