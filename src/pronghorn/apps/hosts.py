"""Hosts, as they stand in a Host field and as people write them, in one form that can be compared.

normal_host("Example.ORG.:8080")       ("example.org", "8080")
normal_host("[0:0::1]")                ("[::1]", "")
HostPattern.parse("*.münchen.example") HostPattern(name=".xn--mnchen-3ya.example", port="", wild=True)
"""

import re
import socket
from functools import lru_cache
from typing import NamedTuple

from pronghorn.errors import ConfigError
from pronghorn.http.h1.head import percent_decoded

_LONGEST = 253
"""Octets of a name in the DNS (RFC 1035 section 2.3.4, without the root's)."""

WRITTEN_MOST = 4096
"""Octets: no name's Host field is longer. 253 characters of four octets, each percent-encoded, are 3036."""

_WITH_PORT = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?")
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")

_CHANGED = frozenset("ßς\u200c\u200d")
"""RFC 5894 section 7.2: IDNA 2003, which Python knows, and IDNA 2008 write these differently."""


@lru_cache(256)  # arbitrary: more than the names that one server usually answers to
def normal_host(host: str) -> tuple[str, str]:
    """(host, port) of a Host field's value, one character for each octet; ("", "") for what is no host.

    host: at most WRITTEN_MOST octets; longer ones would be kept and take a millisecond, for nothing.
    The host is lower case, without a dot at its end, in ASCII form; IPv6 in brackets and shortest form.
    """
    found = _WITH_PORT.fullmatch(host)
    if found is None:
        return "", ""
    name, port = found[1], found[2] or ""
    if name.startswith("["):
        name = _normal_ipv6(name)
    else:
        if "%" in name:
            name = percent_decoded(name)
        name = _ascii_form(name.encode("latin-1", "replace").decode("utf-8", "replace"))
    return name, (port.lstrip("0") or "0") if port else ""


def _normal_ipv6(literal: str) -> str:
    try:
        return _shortest_ipv6(literal)
    except (OSError, ValueError):
        return literal.lower()


def _shortest_ipv6(literal: str) -> str:
    """Raises OSError or ValueError."""
    # Not with `ipaddress`, which costs each process 0.2 MB.
    octets = socket.inet_pton(socket.AF_INET6, literal[1:-1])
    return f"[{socket.inet_ntop(socket.AF_INET6, octets)}]"


def _ascii_form(name: str) -> str:
    """Empty if there is none."""
    name = name.removesuffix(".")
    if len(name) > _LONGEST:
        return ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name.lower()


class HostPattern(NamedTuple):
    """A host as somebody mounts it. `name`: empty for any host; with `wild`, what a host must end in."""

    name: str
    port: str = ""
    wild: bool = False

    @classmethod
    def parse(cls, text: str) -> "HostPattern":
        """Raises ConfigError."""
        if text in ("", "*"):
            return cls("")
        wild = text.startswith("*.")
        found = _WITH_PORT.fullmatch(text[2:] if wild else text)
        if found is None or "://" in text or (text.count(":") > 1 and not text.startswith("[")):
            raise _bad(text)
        name, port = found[1], found[2]
        if port is not None and not (port and int(port) <= 65535):
            raise ConfigError(f"The port of the host {text!r} is no number from 0 to 65535.")
        port = str(int(port)) if port else ""
        if name.startswith("[") and not wild:
            return cls(_checked_ipv6(name, text), port)
        return cls(("." if wild else "") + _checked_name(name, text), port, wild)


def _checked_ipv6(literal: str, text: str) -> str:
    try:
        return _shortest_ipv6(literal)
    except (OSError, ValueError) as error:
        raise ConfigError(f"The host {text!r} is no IPv6 address.") from error


def _checked_name(name: str, text: str) -> str:
    if _CHANGED.intersection(name):
        raise ConfigError(
            f"The host {text!r} has a letter that browsers of different age write differently.",
            mend="Write its ASCII form, which begins with xn--, or both as two hosts.",
        )
    normal = _ascii_form(name)
    if not _NAME.fullmatch(normal):
        raise _bad(text)
    return normal


def _bad(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not a host.",
        mend='Write "example.org", "*.example.org", "example.org:8080" or "[::1]".'
        "\nA star stands for whole labels, at the beginning only.",
    )
