"""What holds for any bytes at all.

Reading has three outcomes: done, more, or a ProtocolError; the same one however the bytes are cut; and where
h11 takes a request, ours is the same request or is refused for a reason that is written down here.
"""

import re
from dataclasses import dataclass

import h11
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pronghorn.errors import ProtocolError
from pronghorn.http.limits import Limits
from tests.http.case_file import FOLDER, load
from tests.http.wire import Seen, Verdict, bytewise, read

SMALL = Limits(limit_request_line=60, limit_request_head=160, limit_request_fields=5, limit_request_body=40)
LARGE = Limits()

bounded = settings(derandomize=True, deadline=None, max_examples=1000)

# Bytes

SAMPLES = [case.data for case in map(load, sorted(FOLDER.glob("*.http"))) if len(case.data) <= 400]

PIECES = [
    b"GET", b"POST", b"OPTIONS", b"CONNECT", b" ", b"  ", b"\t", b"/", b"*", b"/a?b", b"http://a/", b"https://a/", b"%41", b"#",
    b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.1\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\x00", b"\xff", b"\x85",
    b"GET / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nHost: a\r\n", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n",
    b"Host", b"Host: a\r\n", b"Host: b:80\r\n", b":", b": ", b" :", b"X: y\r\n", b"X_Y: z\r\n", b"X", b"Cookie: a=b; c=d\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 05\r\n", b"Content-Length: 41\r\n", b"Content-Length: -1\r\n", b"Content-Length",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b"Transfer-Encoding",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n", b"Expect: foo\r\n",
    b"5\r\nhello\r\n", b"5;a=b\r\nhello\r\n", b"0\r\n", b"0\r\n\r\n", b"29\r\n", b"0x5\r\n", b"hello", b";", b"\"", b",", b"5", b"a" * 70,
]  # fmt: skip

soup = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)
octet = st.integers(0, 255).map(lambda number: bytes([number]))
snippet = st.one_of(st.sampled_from(PIECES), octet, st.just(b""))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """One or two of the parser's cases, with a few octets replaced, inserted, removed or repeated."""
    data = b"".join(draw(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=2)))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        stop = min(len(data), start + draw(st.integers(0, 4)))
        data = data[:start] + draw(snippet) + data[stop:]
    return data


any_bytes = st.one_of(st.binary(max_size=80), soup, mutations())
any_limits = st.sampled_from([SMALL, LARGE])


@st.composite
def splits(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """Bytes, and the same in up to seven parts."""
    data = draw(any_bytes)
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(data) - 1)), max_size=6)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return data, [part for part in parts if part]


@given(any_bytes, any_limits)
@settings(bounded, max_examples=2000)
def test_done_more_or_protocol_error(data: bytes, limits: Limits):
    """`read` lets nothing but a ProtocolError pass, and checks that its status and its sentence are safe to send."""
    verdict = read([data], limits)
    assert verdict.end in ("done", "more", "closed") or 400 <= int(verdict.end) <= 599
    for request in verdict.requests:
        assert len(request.body) <= limits.limit_request_body
        assert len(request.fields) <= limits.limit_request_fields
        assert len(request.target) <= limits.limit_request_line
        assert not any(b"_" in name for name, _ in request.fields)


@given(splits(), any_limits)
@settings(bounded, max_examples=2000)
@example(
    (
        b"\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        [b"\r\n\r", b"\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ),
    LARGE,
)
def test_the_same_verdict_for_every_split(split: tuple[bytes, list[bytes]], limits: Limits):
    data, parts = split
    assert read(parts, limits) == read([data], limits)


@given(any_bytes, any_limits)
@bounded
def test_the_same_verdict_byte_by_byte(data: bytes, limits: Limits):
    assert read(bytewise(data), limits) == read([data], limits)


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1, max_size=8))
@bounded
def test_any_content_survives_chunking(content: bytes, sizes: list[int]):
    chunks, at = b"", 0
    for size in sizes:
        piece = content[at : at + size]
        at += size
        chunks += b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
    data = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    verdict = read([data])
    assert (verdict.end, verdict.requests[0].body) == ("done", content[:at])


# h11

ODD_SIZE = re.compile(rb"\r\n[0-9a-fA-F]+[^0-9a-fA-F\r]")
LAST_CHUNK = re.compile(rb"\r\n0+\r\n\r\n")

STRICTER = {
    "bare LF": "9112 2.2: h11 takes it for a line end",
    "octets outside ASCII": "9112 3.2: h11 lets octets above 0x7F stand in a target",
    "control octets": "9110 5.5: h11 lets control octets other than NUL, CR and LF stand in a value",
    "obs-fold": "9112 5.2: h11 joins folded lines",
    "target": "9112 3.2: h11 looks at no target form",
    "version": "9112 2.3: h11 takes any version, but answers as HTTP/1.1",
    "method": "9112 3: h11 takes methods of any length; CONNECT is not implemented here",
    "Host": "9112 3.2: h11 takes any Host value, and a Host that an underscore or HTTP/1.0 makes irrelevant",
    "length": "9112 6.3: h11 takes equal repetitions, and Content-Length beside Transfer-Encoding",
    "coding": "9112 6.1: h11 takes Transfer-Encoding in HTTP/1.0",
    "expectation": "9110 10.1.1: h11 ignores unknown expectations",
    "repeated Content-Type": "9110 5.3: h11 takes any field twice",
    "chunk": "9112 7.1: h11 lets any octet but CR and LF stand in a chunk extension, and spaces behind a size",
    "trailer": "9112 7.1.2: the reasons for fields hold for trailers",
}
"""Why ours may refuse what h11 takes. Anything else that is refused fails the test."""


@dataclass
class Theirs:
    request: h11.Request
    body: bytes


def h11_first(data: bytes) -> Theirs | None:
    """The first request as h11 has it, if it takes all of it."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=100_000)
    request, body = None, b""
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                return Theirs(request, body)
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def head_of(data: bytes) -> tuple[bytes, list[bytes]]:
    line, *fields = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].split(b"\r\n")
    return line, fields


def values_of(theirs: Theirs, name: bytes) -> list[bytes]:
    return [value for given, value in theirs.request.headers if given == name]


def reasons(data: bytes, theirs: Theirs) -> set[str]:
    """Which lines of STRICTER this request gives reason for, judged by h11's reading of it."""
    request = theirs.request
    values = [value for _, value in request.headers]
    hosts = values_of(theirs, b"host")
    codings = values_of(theirs, b"transfer-encoding")
    line, fields = head_of(data)
    after = data[data.find(b"\r\n\r\n") + 2 :]
    found = {
        "bare LF": b"\n" in data.replace(b"\r\n", b""),
        "octets outside ASCII": not bytes(request.target).isascii(),
        "control octets": any(
            (octet < 0x20 and octet != 9) or octet == 0x7F for value in values for octet in value
        ),
        "obs-fold": any(field[:1] in (b" ", b"\t") for field in fields),
        "target": request.target[:1] != b"/" or b"#" in request.target or b"\x7f" in line,
        "version": request.http_version not in (b"1.0", b"1.1"),
        "method": request.method == b"CONNECT" or len(request.method) > 32,
        "Host": any(not is_plain_host(host) for host in hosts),
        "length": b"content-length" in data.lower() and (bool(codings) or many(data, b"content-length")),
        "coding": bool(codings) and request.http_version < b"1.1",
        "expectation": any(value.lower() != b"100-continue" for value in values_of(theirs, b"expect")),
        "repeated Content-Type": len(values_of(theirs, b"content-type")) > 1,
        "chunk": bool(codings) and ODD_SIZE.search(after) is not None,
        "trailer": bool(codings) and LAST_CHUNK.match(after[after.rfind(b"\r\n0") :]) is None,
    }
    assert found.keys() == STRICTER.keys()
    return {reason for reason, holds in found.items() if holds}


def is_plain_host(host: bytes) -> bool:
    return bool(host) and host.replace(b".", b"").replace(b":80", b"").isalnum()


def many(data: bytes, name: bytes) -> bool:
    """h11 joins equal repetitions, and the equal members of a list, before it shows them."""
    lines = [line for line in head_of(data)[1] if line.lower().startswith(name)]
    return len(lines) > 1 or any(b"," in line for line in lines)


def same(ours: Seen, theirs: Theirs) -> bool:
    fields = [(name.lower(), value) for name, value in ours.fields]
    expected = [(name, value) for name, value in theirs.request.headers if b"_" not in name]
    if theirs.request.http_version > b"1.1":
        assert ours.version == "HTTP/1.1"
    return (
        ours.method.encode("latin-1") == theirs.request.method
        and ours.target.encode("latin-1") == theirs.request.target
        and [field for field in fields if field[0] != b"transfer-encoding"]
        == [field for field in expected if field[0] != b"transfer-encoding"]
        and ours.body == theirs.body
    )


def agrees(verdict: Verdict, data: bytes, theirs: Theirs) -> bool:
    if verdict.requests:
        return same(verdict.requests[0], theirs)
    return verdict.end.isdigit() and bool(reasons(data, theirs))


@given(st.one_of(mutations(), soup))
@settings(bounded, max_examples=3000)
def test_where_h11_takes_a_request_ours_is_the_same_or_has_a_reason(data: bytes):
    theirs = h11_first(data)
    if theirs is not None:
        verdict = read([data])
        assert agrees(verdict, data, theirs), (verdict, theirs)


def test_the_samples_are_requests_that_h11_takes():
    """The test above compares something: most of the accepted cases are requests to h11 as well."""
    taken = [data for data in SAMPLES if h11_first(data) is not None]
    both = [data for data in taken if read([data]).requests]
    assert len(both) >= 100


def test_every_status_has_a_case():
    """The statuses of a refusal, all of which the files of `tests/cases/h1` name."""
    ends = {end for case in map(load, FOLDER.glob("*.http")) for end in case.ends}
    assert {"400", "413", "414", "417", "431", "501", "505"} <= ends
    assert issubclass(ProtocolError, Exception)
