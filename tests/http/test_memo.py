"""The memory that a connection keeps of its last header block must never show.

Each request of a connection is exactly what a fresh connection makes of the same octets: whatever came before
it, however little it differs from that, and whether it is valid or not.
"""

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pronghorn.errors import ProtocolError
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.limits import Limits
from tests.http.wire import Seen, bytewise, halves, read

LIMITS = Limits(
    limit_request_line=200, limit_request_head=2000, limit_request_fields=12, limit_request_body=50
)

GET = b"GET / HTTP/1.1"
POST = b"POST /form HTTP/1.1"
CHUNKED_ABC = b"3\r\nabc\r\n0\r\n\r\n"


def message(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, *fields, b"", b""]) + body


def fresh(messages: list[bytes]) -> tuple[int, tuple[Seen, ...], str]:
    """What fresh connections make of these, one for each, up to the first that does not end between two messages.

    The number of messages that this is, their requests, and the end of the last one.
    """
    requests: tuple[Seen, ...] = ()
    for count, one in enumerate(messages, 1):
        verdict = read([one], LIMITS)
        requests += verdict.requests
        if verdict.end != "done":
            return count, requests, verdict.end
    return len(messages), requests, "done"


def agree(messages: list[bytes]) -> None:
    """One connection, pipelined and one message a segment, agrees with fresh ones."""
    count, requests, end = fresh(messages)
    used = messages[:count]
    for parts in ([b"".join(used)], used):
        verdict = read(parts, LIMITS)
        assert (verdict.requests, verdict.end) == (requests, end), used


BASE = [b"Host: a", b"User-Agent: test/1", b"Accept: */*", b"Cookie: a=1", b"X-Request: 1"]

# Each is a line of BASE, by its number, and what stands there in the next request.
ONE_LINE_CHANGED = {
    "host": (0, b"Host: b"),
    "host-port": (0, b"Host: a:81"),
    "host-name-case": (0, b"HOST: a"),
    "host-invalid": (0, b"Host: a b"),
    "host-empty": (0, b"Host:"),
    "host-nul": (0, b"Host: a\x00"),
    "host-renamed": (0, b"Hose: a"),
    "host-underscore": (0, b"_Host: a"),
    "host-without-colon": (0, b"Host"),
    "value": (4, b"X-Request: 2"),
    "value-longer": (4, b"X-Request: 22222222222222222222"),
    "value-empty": (4, b"X-Request:"),
    "value-blank": (4, b"X-Request: \t "),
    "value-ows": (4, b"X-Request:\t 1\t"),
    "value-obs-text": (4, b"X-Request: \xff\x80"),
    "value-colon": (4, b"X-Request: :"),
    "value-nul": (4, b"X-Request: 2\x00"),
    "value-control": (4, b"X-Request: \x01"),
    "value-del": (4, b"X-Request: \x7f"),
    "value-bare-cr": (4, b"X-Request: 2\rX: y"),
    "value-bare-lf": (4, b"X-Request: 2\nX: y"),
    "value-cr-at-the-end": (4, b"X-Request: 2\r"),
    "value-fold": (3, b"Cookie: a\r\n b"),
    "value-too-long": (4, b"X-Request: " + b"2" * 3000),
    "name": (4, b"X-Other: 1"),
    "name-case": (4, b"x-request: 1"),
    "name-repeats-another": (4, b"Accept: 1"),
    "name-underscore": (4, b"X_Request: 1"),
    "name-space": (4, b"X-Request : 1"),
    "name-space-before": (4, b" X-Request: 1"),
    "name-tab": (4, b"X-Request\t: 1"),
    "name-nul": (4, b"X-Request\x00: 1"),
    "name-empty": (4, b": 1"),
    "name-without-colon": (4, b"X-Request"),
    "name-without-colon-space": (4, b"X-Request "),
    "name-prefix": (4, b"X-Reques: 1"),
    "name-obs-text": (4, b"X-Reques\xff: 1"),
    "to-second-host": (4, b"Host: a"),
    "to-length": (4, b"Content-Length: 3"),
    "to-length-zero": (4, b"Content-Length: 0"),
    "to-length-invalid": (4, b"Content-Length: +3"),
    "to-length-too-large": (4, b"Content-Length: 51"),
    "to-chunked": (4, b"Transfer-Encoding: chunked"),
    "to-unknown-coding": (4, b"Transfer-Encoding: cow"),
    "to-close": (4, b"Connection: close"),
    "to-keep-alive": (4, b"Connection: keep-alive"),
    "to-expect": (4, b"Expect: 100-continue"),
    "to-unknown-expect": (4, b"Expect: foo"),
    "to-nothing": (4, b""),
}


@pytest.mark.parametrize("index, line", ONE_LINE_CHANGED.values(), ids=ONE_LINE_CHANGED)
def test_one_line_changed(index: int, line: bytes):
    first = message(GET, *BASE)
    fields = list(BASE)
    fields[index] = line
    body = {b"Content-Length: 3": b"abc", b"Transfer-Encoding: chunked": CHUNKED_ABC}.get(line, b"")
    other = message(GET, *fields, body=body)
    agree([first, other, first])
    agree([other, first, other])
    agree([first, first, other, other, first])


# Fields that mean something to the server: from each value to each other one.
MEANINGFUL = {
    b"Content-Length": [b"0", b"3", b"03", b"4", b"+3", b"3, 3", b"51", b"", b"3\x00", b"3 3", b"-0"],
    b"Transfer-Encoding": [
        b"chunked",
        b"Chunked",
        b"chunked, chunked",
        b"gzip",
        b"identity",
        b"",
        b"chunked\x00",
    ],
    b"Connection": [b"close", b"keep-alive", b"keep-alive, close", b"closed", b"", b"upgrade", b"close\x00"],
    b"Expect": [b"100-continue", b"100-CONTINUE", b"200-ok", b"", b"100-continue\x00"],
    b"Host": [b"a", b"b", b"A", b"a:80", b"[::1]", b"a b", b"", b"a/b", b"u@a", b"a\x00"],
    b"Content-Type": [b"text/plain", b"application/json", b"", b"a\x00"],
    b"X-Plain": [b"1", b"2", b"", b" \t", b"a\x00", b"\x7f", b"\xff"],
}


def with_field(name: bytes, value: bytes, line: bytes = POST) -> bytes:
    """A message with this field; its body is what a valid value promises."""
    fields = [name + b": " + value, b"Accept: */*"]
    if name != b"Host":
        fields.insert(0, b"Host: a")
    if name == b"Content-Length" and value.isdigit():
        return message(line, *fields, body=b"abcd"[: int(value)])
    chunked = name == b"Transfer-Encoding" and value.lower() == b"chunked"
    return message(line, *fields, body=CHUNKED_ABC if chunked else b"")


@pytest.mark.parametrize("name", MEANINGFUL, ids=bytes.decode)
def test_every_value_after_every_other(name: bytes):
    for before, after in permutations(MEANINGFUL[name], 2):
        agree([with_field(name, before), with_field(name, after), with_field(name, before)])


@pytest.mark.parametrize("name", MEANINGFUL, ids=bytes.decode)
def test_every_value_in_another_version(name: bytes):
    lines = [POST, b"POST /form HTTP/1.0", b"POST /form HTTP/1.2"]
    for value, before, after in product(MEANINGFUL[name], lines, lines):
        agree([with_field(name, value, before), with_field(name, value, after)])


LINES = {
    "other-path": b"GET /b?c HTTP/1.1",
    "other-method": b"HEAD / HTTP/1.1",
    "version-1.0": b"GET / HTTP/1.0",
    "version-1.2": b"GET / HTTP/1.2",
    "version-2.0": b"GET / HTTP/2.0",
    "absolute": b"GET http://b/c HTTP/1.1",
    "absolute-https": b"GET https://a/ HTTP/1.1",
    "asterisk": b"OPTIONS * HTTP/1.1",
    "asterisk-get": b"GET * HTTP/1.1",
    "connect": b"CONNECT a:80 HTTP/1.1",
    "space": b"GET /  HTTP/1.1",
    "nul": b"GET /\x00 HTTP/1.1",
    "too-long": b"GET /" + b"a" * 200 + b" HTTP/1.1",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_equal_fields_other_line(line: bytes):
    agree([message(GET, *BASE), message(line, *BASE), message(GET, *BASE)])
    agree([message(line, *BASE), message(GET, *BASE), message(line, *BASE)])


def test_version_1_0_kept_alive_then_1_1():
    """HTTP/1.0 needs no Host; the same block in HTTP/1.1 does."""
    kept = message(b"GET / HTTP/1.0", b"Connection: keep-alive", b"X: y")
    agree([kept, kept, message(GET, b"Connection: keep-alive", b"X: y")])


def test_head_limit_counts_line_and_block_together():
    """A block that fitted behind a short line may not fit behind a longer one."""
    for line in (100, 150, 180):
        for value in range(1750, 1900, 7):
            fields = [b"Host: a", b"X: " + b"v" * value]
            agree([message(GET, *fields), message(b"GET /" + b"a" * line + b" HTTP/1.1", *fields)])


def test_lines_reordered():
    """Host, Content-Length and two others, in each order after each other one."""
    lines = [b"Host: a", b"Content-Length: 3", b"Accept: b", b"X: 3"]
    orders = [message(POST, *order, body=b"abc") for order in permutations(lines)]
    for before, after in permutations(orders, 2):
        agree([before, after])


def test_lines_added_and_removed():
    for count in range(len(BASE)):
        shorter = message(GET, *BASE[: count + 1])
        agree([message(GET, *BASE), shorter, message(GET, *BASE), message(GET, *BASE, b"Y: z"), shorter])


def test_host_removed():
    agree([message(GET, *BASE), message(GET, *BASE[1:])])
    agree([message(GET, *BASE), message(GET, *BASE[1:], b"Y: z")])


def test_body_is_never_the_earlier_one():
    bodies = [b"abc", b"def", b"\r\n\r", b"GET"]
    agree([message(POST, b"Host: a", b"Content-Length: 3", body=body) for body in bodies])


def test_differences_do_not_add_up():
    """Many requests, each a little different from the one before."""
    messages = []
    for number in range(60):
        fields = [b"X-%d: %d" % (n, number // (n + 1)) for n in range(10)]
        messages.append(message(GET, b"Host: a", *fields))
    agree(messages)


@pytest.mark.parametrize("length", [4, 5, 6])
def test_values_that_come_again_later(length: int):
    """Equal to one before the last, or to the last: no head stands for another one's values."""
    heads = [message(GET, b"Host: a", b"Cookie: %d" % number) for number in range(3)]
    for messages in product(heads, repeat=length):
        agree(list(messages))


def test_repeated_names_keep_their_values():
    one = message(GET, b"Host: a", b"X: 1", b"X: 2")
    agree([one, message(GET, b"Host: a", b"X: 2", b"X: 1"), message(GET, b"Host: a", b"X: 1", b"x: 3"), one])


def test_dropped_names_shift_nothing():
    """A dropped line before a changed one: positions in the block are not positions in the fields."""
    agree([message(GET, b"Host: a", b"A_B: 0", b"C: %d" % n, b"D: %d" % (n // 2)) for n in range(6)])
    agree([message(GET, b"Host: a", b"A_B: %d" % n, b"C: 1") for n in range(3)])


@pytest.mark.parametrize("cut", ["anywhere", "bytewise"])
def test_the_memory_is_the_same_however_the_bytes_are_cut(cut: str):
    messages = [message(GET, *BASE), message(GET, *BASE[:4], b"X-Request: 2"), message(GET, *BASE)]
    messages.append(message(GET, *BASE[:4], b"X-Request"))
    data = b"".join(messages)
    _, requests, end = fresh(messages)
    for parts in [bytewise(data)] if cut == "bytewise" else halves(data):
        verdict = read(parts, LIMITS)
        assert (verdict.requests, verdict.end) == (requests, end)


def test_a_request_keeps_its_fields_when_the_next_one_comes():
    """What was handed out must not change afterwards."""
    verdict = read([message(GET, b"Host: a", b"X: %d" % n) for n in range(3)], LIMITS)
    assert [request.fields[1][1] for request in verdict.requests] == [b"0", b"1", b"2"]


names = st.sampled_from([*MEANINGFUL, b"X-Plain", b"x-plain", b"Y", b"Y_Z", b"Y ", b"Y\x00", b""])
values = st.sampled_from(sorted({value for some in MEANINGFUL.values() for value in some}))
colons = st.sampled_from([b": ", b": ", b": ", b":", b"", b" :"])
field_lines = st.one_of(
    st.builds(lambda name, colon, value: name + colon + value, names, colons, values), names
)
request_lines = st.sampled_from([GET, GET, GET, POST, b"GET / HTTP/1.0", LINES["other-path"], LINES["space"]])


@st.composite
def edits(draw: st.DrawFn) -> list[bytes]:
    """A few heads, each the one before with a line or two changed, added, removed or moved."""
    fields = [b"Host: a", *draw(st.lists(field_lines, max_size=5))]
    messages = []
    for _ in range(draw(st.integers(2, 5))):
        messages.append(message(draw(request_lines), *fields))
        for _ in range(draw(st.integers(0, 2))):
            at = draw(st.integers(0, len(fields)))
            what = draw(st.sampled_from(["change", "change", "change", "add", "remove", "move"]))
            fields = _edited(fields, at, what, draw(field_lines))
    return messages


def _edited(fields: list[bytes], at: int, what: str, line: bytes) -> list[bytes]:
    before, here, after = fields[:at], fields[at : at + 1], fields[at + 1 :]
    if what == "add":
        return [*before, line, *here, *after]
    if what == "remove":
        return before + after
    if what == "move":
        return here + before + after
    return [*before, line, *after]


@given(edits())
@settings(derandomize=True, max_examples=1500, deadline=None)
def test_edited_heads(messages: list[bytes]):
    """No body is sent, so the comparison ends with a head that announces one."""
    agree(messages)


@pytest.mark.parametrize("cut", [1, 3, 50, 10_000])
def test_a_free_value_may_not_grow_beyond_the_limit(cut: int):
    """A head that follows the pattern of the last ones is still measured (431), in one piece and in many."""
    limits = Limits(limit_request_head=300)
    h1 = H1Connection(limits)
    for cookie in (b"a", b"b", b"c" * 200):
        request = h1.receive(b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + cookie + b"\r\nX: y\r\n\r\n")
        assert request is not None and (b"Cookie", cookie) in request.fields
    head = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: " + b"d" * 300 + b"\r\nX: y\r\n\r\n"
    with pytest.raises(ProtocolError) as refused:
        for at in range(0, len(head), cut):
            assert h1.receive(head[at : at + cut]) is None
    assert refused.value.status == 431


@pytest.mark.parametrize("octets", [b"\0", b"x\0", GET + b"\r\n\0", b"\r\n\0"])
def test_a_nul_is_no_end_of_a_head(octets: bytes):
    """Where nothing has varied yet, there is no pattern that it could follow: it is refused (400)."""
    agree([message(GET, b"Host: a"), octets])
    agree([message(GET, b"Host: a"), message(GET, b"Host: a", b"X: y"), octets])


def test_all_values_differ_each_time():
    messages = [
        message(GET, b"Host: a", *[b"X-%d: %d-%d" % (n, n, number * 7919 % 1009) for n in range(11)])
        for number in range(20)
    ]
    agree(messages)
    h1 = H1Connection(LIMITS)
    sections = [request.section for request in map(h1.receive, messages) if request is not None]
    assert len(sections) == 20 and len(set(map(id, sections))) == 1, "parsed whole once"
