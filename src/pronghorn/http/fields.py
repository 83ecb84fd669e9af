"""Field names and values: what is legal, what is special, what belongs to one hop only.

Everything here works on octets. `bytes.translate(None, legal)` deletes the legal octets at C speed:
what is left is illegal.
"""

import re
from enum import IntEnum

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""tchar, RFC 9110 section 5.6.2."""

VALUE = bytes([0x09, *range(0x20, 0x7F), *range(0x80, 0x100)])
"""What a field value may hold, RFC 9110 section 5.5: HTAB, SP, VCHAR and obs-text."""

DIGITS = b"0123456789"
OWS = b" \t"

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that speak of one connection, RFC 9110 section 7.6.1: an application does not set them."""


class Kind(IntEnum):
    """What a request's field means to the server itself."""

    PLAIN = 0
    DROPPED = 1
    HOST = 2
    CONTENT_LENGTH = 3
    TRANSFER_ENCODING = 4
    CONNECTION = 5
    EXPECT = 6
    SINGLE = 7
    """A field that may not be repeated, and means nothing to the server."""


# Found in a module at once; as an attribute of its class, a member costs 0.1 µs.
PLAIN, DROPPED, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT, SINGLE = Kind

_KINDS = {
    b"host": Kind.HOST,
    b"content-length": Kind.CONTENT_LENGTH,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"connection": Kind.CONNECTION,
    b"expect": Kind.EXPECT,
    b"content-type": Kind.SINGLE,
}

_KNOWN_MOST = 1024
"""Arbitrary: far more names than one deployment's clients use, far fewer than would cost memory."""

_known: dict[bytes, tuple[Kind, bytes]] = {}


def kind_of(name: bytes) -> tuple[Kind, bytes] | None:
    """The kind of a field name as it was sent, and the name: the same object for all that send it.

    None if it is no token (RFC 9110 section 5.1).
    """
    known = _known.get(name)
    if known is not None:
        return known
    if not name or name.translate(None, TOKEN):
        return None
    # "X_Forwarded_For" and "X-Forwarded-For" would become one environ key: drop the impostor (CVE-2022-2255).
    known = (Kind.DROPPED if b"_" in name else _KINDS.get(name.lower(), Kind.PLAIN), name)
    if len(_known) < _KNOWN_MOST and len(name) < 64:
        _known[name] = known
    return known


def members(values: list[bytes]) -> list[bytes]:
    """The members of a list field, lower-case; empty ones are ignored (RFC 9110 section 5.6.1)."""
    found = []
    for value in values:
        found += [member.strip(OWS).lower() for member in value.split(b",")]
    return [member for member in found if member]


_HOST = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+|\[(?:[0-9A-Fa-f:.]{2,45}|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~:-]+)\]"
)
"""uri-host, RFC 3986 section 3.2.2, without the comma: "a,b" is what joining two Host fields makes."""


_authorities: set[bytes] = set()
"""Some that are known to be right: nearly all requests name the same ones."""


def is_authority(value: bytes) -> bool:
    """Whether this is `uri-host [":" port]` (RFC 9110 section 7.2), with a host and without userinfo."""
    if value in _authorities:
        return True
    right = _is_authority(value)
    if right and len(_authorities) < _KNOWN_MOST and len(value) < 64:
        _authorities.add(value)
    return right


def _is_authority(value: bytes) -> bool:
    found = _HOST.match(value)
    if found is None:
        return False
    rest = value[found.end() :]
    if not rest or rest == b":":
        return True
    port = rest[1:].lstrip(b"0") or b"0"
    return rest[:1] == b":" and not rest[1:].translate(None, DIGITS) and len(port) <= 5 and int(port) <= 65535
