"""A request's head: octets in, RequestLine and FieldSection out, or a ProtocolError.

    parse_request_line(b"GET /caf%C3%A9?x=1 HTTP/1.1", "http")
    parse_section([b"Host: example.org"], "HTTP/1.1", limits)

Whoever calls has found the lines by their CRLF; that no CR, LF, NUL or other control octet hides inside
them is checked here (RFC 9112 sections 2.2, 3 and 5).
"""

from pronghorn.errors import ProtocolError
from pronghorn.http.fields import (
    CONNECTION,
    CONTENT_LENGTH,
    DROPPED,
    EXPECT,
    HOST,
    OWS,
    SINGLE,
    TOKEN,
    TRANSFER_ENCODING,
    VALUE,
    Kind,
    is_authority,
    kind_of,
    members,
)
from pronghorn.http.framing import request_framing
from pronghorn.http.limits import Limits
from pronghorn.http.request import FieldSection, RequestLine

_METHOD_LONGEST = 32
"""Longer than any registered method (UPDATEREDIRECTREF has 17)."""

_METHODS = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
}

_LINE = bytes(range(0x20, 0x7F))
"""What a request line may hold: visible ASCII and SP. Browsers send "|" and "[" in targets as they are."""

_NONE: list[bytes] = []  # never changed

_VERSIONS = {b"HTTP/1.1": "HTTP/1.1", b"HTTP/1.0": "HTTP/1.0"}


def parse_request_line(line: bytes, scheme: str) -> RequestLine:
    """RFC 9112 section 3: exactly three parts, one space between them. `scheme`: this connection's."""
    check_line_octets(line)
    parts = line.split(b" ")
    if len(parts) != 3:
        raise ProtocolError(400, "malformed request line", "RFC 9112 section 3")
    method_octets, target_octets, version_octets = parts
    version = _VERSIONS.get(version_octets) or _version(version_octets)
    method = _METHODS.get(method_octets) or _method(method_octets)
    if not target_octets or b"#" in target_octets:
        raise ProtocolError(400, "invalid request target", "RFC 9112 section 3.2")
    target = target_octets.decode("ascii")
    authority = None
    rest = target
    if target[0] != "/" or method == "CONNECT":
        authority, rest = _other_form(method, target, scheme)
    path, _, query = rest.partition("?")
    if "%" in path:
        path = percent_decoded(path)
    return RequestLine(method, target, path, query, version, authority)


_HEX = "0123456789abcdefABCDEF"
_DECODED = {high + low: chr(int(high + low, 16)) for high in _HEX for low in _HEX}


def percent_decoded(path: str) -> str:
    """Decode once (RFC 3986 section 2.1), octets as latin-1; what is no pair of digits stays as it is."""
    first, *rest = path.split("%")
    decoded = [first]
    for part in rest:
        octet = _DECODED.get(part[:2])
        decoded.append("%" + part if octet is None else octet + part[2:])
    return "".join(decoded)


def check_line_octets(line: bytes) -> None:
    """Refuse octets that no part of a request line may hold; said before anything else of the line."""
    if line.translate(None, _LINE):
        raise ProtocolError(400, "control or non-ASCII octets in the request line", "RFC 9112 section 3")


def _version(octets: bytes) -> str:
    """RFC 9112 section 2.3: a higher minor version is answered as 1.1, another major one is not spoken."""
    if (
        len(octets) != 8
        or octets[:5] != b"HTTP/"
        or octets[6:7] != b"."
        or not (octets[5:6] + octets[7:]).isdigit()
    ):
        raise ProtocolError(400, "malformed HTTP version", "RFC 9112 section 2.3")
    if octets[5:6] != b"1":
        raise ProtocolError(505, "HTTP version not supported", "RFC 9110 section 15.6.6")
    return "HTTP/1.1"


def _method(octets: bytes) -> str:
    if not octets or octets.translate(None, TOKEN):
        raise ProtocolError(400, "the method is not a token", "RFC 9110 section 9.1")
    if len(octets) > _METHOD_LONGEST:
        raise ProtocolError(501, "method longer than any that is known", "RFC 9112 section 3")
    return octets.decode("ascii")


def _other_form(method: str, target: str, scheme: str) -> tuple[str | None, str]:
    """RFC 9112 sections 3.2.2 to 3.2.4: (authority, path and query) of a target that is not origin-form."""
    if method == "CONNECT":
        host, colon, port = target.rpartition(":")
        if not (colon and host and port.isdigit() and is_authority(target.encode())):
            raise ProtocolError(400, "invalid target of CONNECT", "RFC 9110 section 9.3.6")
        raise ProtocolError(501, "CONNECT is not implemented", "RFC 9110 section 9.3.6")
    if target == "*":
        if method != "OPTIONS":
            raise ProtocolError(400, "the asterisk-form is for OPTIONS", "RFC 9112 section 3.2.4")
        return None, "*"
    given, _, rest = target.partition("://")
    if given.lower() not in ("http", "https"):
        raise ProtocolError(400, "invalid request target", "RFC 9112 section 3.2")
    if given.lower() != scheme:
        raise ProtocolError(400, "the target's scheme is not this connection's", "RFC 9110 section 7.4")
    cut = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, rest = rest[:cut], rest[cut:]
    if not is_authority(authority.encode()):
        raise ProtocolError(400, "invalid authority in the request target", "RFC 9110 section 4.2")
    if not rest and method == "OPTIONS":
        return authority, "*"
    return authority, rest if rest[:1] == "/" else "/" + rest


def parse_section(lines: list[bytes], version: str, limits: Limits) -> FieldSection:
    """RFC 9112 section 5, and the facts that the server itself draws from the fields."""
    if len(lines) > limits.limit_request_fields:
        raise ProtocolError(431, "too many header fields", "RFC 6585 section 5")
    special: list[list[bytes]] = [_NONE] * len(Kind)
    kept = []
    for kind, name, value in parse_fields(lines):
        if kind:
            special[kind] = [*special[kind], value]
            if kind is DROPPED:
                continue
        kept.append((name, value))
    _check_host(version, special[HOST])
    if len(special[SINGLE]) > 1:
        raise ProtocolError(400, "repeated Content-Type", "RFC 9110 section 5.3")
    length, chunked = request_framing(version, special[CONTENT_LENGTH], special[TRANSFER_ENCODING])
    if length is not None and length > limits.limit_request_body:
        raise ProtocolError(413, "the body is larger than this server takes", "RFC 9110 section 15.5.14")
    persistent = _persistent(version, special[CONNECTION])
    expects = _expects_continue(version, special[EXPECT])
    return FieldSection(kept, version, length, chunked, persistent, expects)


def parse_fields(lines: list[bytes]) -> list[tuple[Kind, bytes, bytes]]:
    """Field lines, of a header or a trailer section, as (kind, name, value)."""
    if b"".join(lines).translate(None, VALUE):
        raise ProtocolError(400, "control characters in a field line", "RFC 9110 section 5.5")
    fields = []
    for line in lines:
        name, colon, value = line.partition(b":")
        known = kind_of(name)
        if known is None or not colon:
            # Also a folded line, and a space before the colon (section 5.1 and 5.2).
            raise ProtocolError(400, "malformed field line", "RFC 9112 section 5")
        fields.append((known[0], known[1], value.strip(OWS)))
    return fields


def _check_host(version: str, hosts: list[bytes]) -> None:
    """RFC 9112 section 3.2: one valid Host; only HTTP/1.0 may leave it out."""
    if len(hosts) > 1:
        raise ProtocolError(400, "repeated Host", "RFC 9112 section 3.2")
    if not hosts:
        if version == "HTTP/1.1":
            raise ProtocolError(400, "missing Host", "RFC 9112 section 3.2")
        return
    if not is_authority(hosts[0]):
        raise ProtocolError(400, "invalid Host", "RFC 9112 section 3.2")


def _persistent(version: str, values: list[bytes]) -> bool:
    """RFC 9112 section 9.3: "close" wins; 1.1 goes on; 1.0 only if it says so."""
    options = members(values) if values else values
    if b"close" in options:
        return False
    return version == "HTTP/1.1" or b"keep-alive" in options


def _expects_continue(version: str, values: list[bytes]) -> bool:
    """RFC 9110 section 10.1.1. HTTP/1.0 has no expectations."""
    expectations = members(values) if values else values
    if not expectations or version == "HTTP/1.0":
        return False
    if any(expectation != b"100-continue" for expectation in expectations):
        raise ProtocolError(417, "unknown expectation", "RFC 9110 section 15.5.18")
    return True
