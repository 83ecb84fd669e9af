"""What proxies say of the request they pass on: the `Forwarded` field of RFC 7239, and addresses.

parse_forwarded("for=192.0.2.60;proto=https, for=_x")   [{"for": "192.0.2.60", "proto": "https"}, {"for": …}]
parse_node("[2001:DB8::1]:4711")                        Node(address="2001:db8::1", port="4711")
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# Possessive, so that what a client sends in bulk is looked at once.
_PAIR = re.compile(rf'[ \t]*+(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*+)"))?[ \t]*+([;,]|\Z)', re.DOTALL)
_BRACKETED = re.compile(r"\[([^\]]*:[^\]]*)\](?::(.*))?")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def parse_forwarded(value: str) -> list[dict[str, str]] | None:
    """RFC 7239 section 4: one dict for each proxy, the nearest last, names in lower case.

    None if the field is malformed. It has to be parsed as a whole: a quotation mark that a client left open
    would swallow what the proxy wrote after it.
    """
    elements: list[dict[str, str]] = [{}]
    at = 0
    while True:
        found = _PAIR.match(value, at)
        if found is None:
            return None
        name, token, quoted, end = found.groups()
        if name:
            name = name.lower()
            if name in elements[-1]:
                return None  # section 4: each parameter once per element
            elements[-1][name] = token if token is not None else _ESCAPED.sub(r"\1", quoted)
        if not end:
            return [element for element in elements if element]
        if end == ",":
            elements.append({})
        at = found.end()


class Node(NamedTuple):
    """RFC 7239 section 6, or of X-Forwarded-For. `address`: None for "unknown" and obfuscated names."""

    address: str | None
    port: str


_NOBODY = Node(None, "")


@lru_cache(1024)  # arbitrary; parsing an address takes longer than all else, and clients come again
def parse_node(text: str) -> Node:
    """Also an IPv6 address without brackets, which X-Forwarded-For has."""
    name, port = text.strip(" \t"), ""
    bracketed = _BRACKETED.fullmatch(name)
    if bracketed:
        name, port = bracketed[1], bracketed[2] or ""
    elif name.count(":") == 1:
        name, _, port = name.partition(":")
    address = as_address(name)
    if address is None:
        return _NOBODY
    return Node(str(address), as_port(port))


def as_port(text: str) -> str:
    """As SERVER_PORT has it: without zeros before it; empty for what is no port."""
    digits = text.lstrip("0")
    sane = digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535
    return digits if sane else ""


def as_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address in the form in which it is compared: IPv4 in IPv6 is IPv4, without a zone."""
    name, percent, zone = text.partition("%")
    try:
        address = ip_address(name)
    except ValueError:
        return None
    if percent and (not zone or address.version == 4):
        return None  # RFC 4007 section 11: only IPv6 has zones
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
