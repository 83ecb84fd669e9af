"""For an application behind a proxy: the client's address, scheme and host instead of the proxy's.

    application = ProxyFix(application, trusted=["10.0.0.0/8"], fields=["for", "proto", "host"])

Everybody can send these fields. So they count only if they come from an address that is named here, only
those of one family, and only as far back as `hops` says; all others are removed from the environ.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from pronghorn.apps.middleware.forwarded import as_address, as_port, parse_forwarded, parse_node
from pronghorn.apps.pages import error_answer
from pronghorn.errors import ConfigError
from pronghorn.http.fields import is_authority
from pronghorn.http.h1.head import percent_decoded

Environ = dict[str, Any]

_X = "HTTP_X_FORWARDED_"
_KEYS = (
    "HTTP_FORWARDED",
    *(
        _X + name
        for name in (
            "FOR",
            "PROTO",
            "HOST",
            "PORT",
            "PREFIX",
            "BY",
            "SCHEME",
            "SSL",
            "SERVER",
            "URI",
            "PROTOCOL",
        )
    ),
    "HTTP_X_REAL_IP",
    "HTTP_X_FORWARDED",
    "HTTP_FORWARDED_FOR",
)
"""What applications and their frameworks take for a proxy's word."""

_FIELDS = {"forwarded": ("for", "proto", "host"), "x-forwarded": ("for", "proto", "host", "port", "prefix")}
_DEFAULT = {"forwarded": ("for", "proto", "host"), "x-forwarded": ("for", "proto")}

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORTS = {"http": "80", "https": "443"}

_PREFIX = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-._~!$&'()*+=:@%")
"""RFC 3986 section 3.3, without the comma and the semicolon."""


class ProxyFix:
    """A WSGI middleware. Any thread.

    trusted: the proxies' addresses and networks; "unix" for a Unix socket. There is no default.
    header: "x-forwarded" or "forwarded" (RFC 7239): the family that the proxies set. Never both.
    fields: of "for", "proto", "host", "port", "prefix" those that the nearest proxy sets or removes itself.
    hops: how many proxies there are at most, one behind the other, all of them trusted.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        trusted: str | Sequence[str],
        header: str = "x-forwarded",
        fields: Sequence[str] | None = None,
        hops: int = 1,
    ) -> None:
        names = [name.strip() for name in trusted.split(",")] if isinstance(trusted, str) else list(trusted)
        _check(names, header, fields, hops)
        self._app = app
        self._hops = hops
        self._forwarded = header == "forwarded"
        self._fields = frozenset(fields if fields is not None else _DEFAULT[header])
        self._unix = "unix" in names
        self._networks = [_network(name) for name in names if name != "unix"]
        # Bounded: proxies are few, but who is not one may come from anywhere.
        self._trusts = lru_cache(1024)(self._is_trusted)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        said = {key: environ.pop(key) for key in _KEYS if key in environ}
        if said and self._trusts(environ.get("REMOTE_ADDR", "")):
            if not self._forwarded:
                self._x_forwarded(environ, said)
            elif "HTTP_FORWARDED" in said and not self._rfc_7239(environ, said["HTTP_FORWARDED"]):
                return _refuse(environ, start_response)
        return self._app(environ, start_response)

    def _is_trusted(self, text: str) -> bool:
        if not text:
            return self._unix
        address = as_address(text)
        return address is not None and any(address in network for network in self._networks)

    def _believed(self, nodes: list[str]) -> int:
        """How many of them, from the right, were written by a trusted proxy: one at least."""
        count = 0
        for text in reversed(nodes):
            count += 1
            if count == self._hops:
                break
            address = parse_node(text).address
            if address is None or not self._trusts(address):
                break
        return count

    def _x_forwarded(self, environ: Environ, said: dict[str, str]) -> None:
        # If the proxies do not write it, the client does: nobody can say who is behind the nearest one.
        nodes = _members(said.get(_X + "FOR", "")) if "for" in self._fields else []
        count = self._believed(nodes) or 1
        told = {}
        for field in self._fields:
            key = _X + field.upper()
            members = _members(said.get(key, ""))[-count:]
            if not members:
                continue
            meaning = _MEANINGS[field]("".join(members) if field == "prefix" else members[0])
            if meaning or field == "for":  # an empty one hides the client
                environ[key] = ", ".join(members)  # what of it can be believed
                told[field] = meaning
        _apply(environ, told)

    def _rfc_7239(self, environ: Environ, value: str) -> bool:
        """False: malformed."""
        elements = parse_forwarded(value)
        if elements is None:
            return False
        count = self._believed([element.get("for", "unknown") for element in elements])
        if count:
            element = elements[-count]
            _apply(environ, {name: _MEANINGS[name](element[name]) for name in self._fields & element.keys()})
        return True


def _members(value: str) -> list[str]:
    """Empty ones stay: an empty one in X-Forwarded-For is a client that is not known."""
    return [member.strip(" \t") for member in value.split(",")] if value else []


def _apply(environ: Environ, told: dict[str, str]) -> None:
    """Set what the proxies told; what makes no sense is empty."""
    if "for" in told:
        _set_client(environ, told["for"])
    scheme = told.get("proto", "")
    if scheme:
        environ["wsgi.url_scheme"] = scheme
        environ.pop("HTTPS", None)
        if scheme == "https":
            environ["HTTPS"] = "on"
    _set_server(environ, told.get("host", ""), told.get("port", ""), bool(scheme))
    if "prefix" in told:
        environ["SCRIPT_NAME"] = told["prefix"] + environ.get("SCRIPT_NAME", "")


def _set_client(environ: Environ, text: str) -> None:
    """Whom the proxy does not name has no address, as on a Unix socket: the proxy's would be a wrong one."""
    node = parse_node(text)
    environ["pronghorn.proxy_addr"] = environ.pop("REMOTE_ADDR", "")
    environ.pop("REMOTE_PORT", None)
    environ.pop("REMOTE_HOST", None)
    if node.address is not None:
        environ["REMOTE_ADDR"] = node.address
        if node.port:
            environ["REMOTE_PORT"] = node.port


def _set_server(environ: Environ, host: str, port: str, changed: bool) -> None:
    """HTTP_HOST, SERVER_NAME and SERVER_PORT, in accord with each other and with the scheme."""
    if not (host or port or changed):
        return
    usual = _PORTS.get(environ["wsgi.url_scheme"], "")
    name, its_port = _divided(host or environ.get("HTTP_HOST", ""))
    if port and (host or its_port != port) and name:
        environ["HTTP_HOST"] = name if port == usual else f"{name}:{port}"
    elif host:
        environ["HTTP_HOST"] = host
    if host:
        environ["SERVER_NAME"] = name
    environ["SERVER_PORT"] = port or as_port(its_port) or usual


def _divided(authority: str) -> tuple[str, str]:
    """(host, port); an IPv6 address keeps its brackets."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and not port.endswith("]") else (authority, "")


def _scheme(text: str) -> str:
    return _SCHEMES.get(text.lower(), "")


def _host(text: str) -> str:
    return text if is_authority(text.encode("latin-1", "replace")) else ""


def _prefix(text: str) -> str:
    """As SCRIPT_NAME: decoded, without a slash at the end. Empty for what could lead elsewhere."""
    if not text.startswith("/") or not _PREFIX.issuperset(text):
        return ""
    decoded = percent_decoded(text).rstrip("/")
    segments = decoded.split("/")[1:]
    odd = any(segment in ("", ".", "..") for segment in segments) or any(
        c < " " or c in "\\\x7f" for c in decoded
    )
    return "" if odd else decoded


_MEANINGS: dict[str, Callable[[str], str]] = {
    "for": str,
    "proto": _scheme,
    "host": _host,
    "port": as_port,
    "prefix": _prefix,
}
"""What a field says, as the environ has it; empty where it makes no sense."""


def _refuse(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Not ignored: a client could hide itself behind the proxy's address with a quotation mark."""
    fields, body = error_answer("400 Bad Request", "The Forwarded field is malformed.", environ)
    start_response("400 Bad Request", fields)
    return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


def _network(name: str) -> Any:
    try:
        return ip_network(name)
    except ValueError as error:
        raise ConfigError(
            f"proxy-fix: {name!r} in `trusted` is no address and no network: {error}.",
            mend='Write "127.0.0.1", "10.0.0.0/8", "::1" or "unix".',
        ) from error


def _check(trusted: list[str], header: str, fields: Sequence[str] | None, hops: int) -> None:
    if not trusted or "" in trusted:
        raise ConfigError(
            "proxy-fix: `trusted` names nobody.",
            mend='Name the proxies, such as ["127.0.0.1"] or ["10.0.0.0/8"].',
        )
    if header not in _FIELDS:
        raise ConfigError(f"proxy-fix: header is {header!r}.", mend='It is "x-forwarded" or "forwarded".')
    unknown = [name for name in fields or () if name not in _FIELDS[header]]
    if isinstance(fields, str) or unknown:
        raise ConfigError(
            f"proxy-fix: fields is {fields!r}.",
            mend=f"A list of some of {', '.join(_FIELDS[header])} (with {header!r}).",
        )
    if type(hops) is not int or hops < 1:
        raise ConfigError(f"proxy-fix: hops is {hops!r}.", mend="It is the number of proxies: 1 or more.")
