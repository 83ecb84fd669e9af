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
    if name.startswith("["):
        name, _, rest = name[1:].partition("]")
        port = rest[1:] if rest.startswith(":") else ""
    elif name.count(":") == 1:
        name, _, port = name.partition(":")
    address = as_address(name)
    if address is None:
        return _NOBODY
    return Node(str(address), port if port.isascii() and port.isdigit() and len(port) <= 5 else "")


def as_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address in the form in which it is compared: IPv4 in IPv6 is IPv4, without a zone."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
