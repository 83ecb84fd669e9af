"""The access log's atoms, one by one, and what a client may not do to a line."""

import base64
import os
import time
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pronghorn.http.request import Request, RequestLine
from pronghorn.observe import atoms
from pronghorn.observe.asked import Asked
from pronghorn.observe.atoms import COMBINED, compile_format, escape
from pronghorn.observe.record import NO_HEAD
from pronghorn.serve.records import Refused
from tests.observe.exchanges import Exchange, Fields, exchange, head, section
from tests.observe.exchanges import line as request_line

FIELDS = [(b"User-Agent", b"curl/8"), (b"referer", b"http://a/"), (b"Content-Type", b"text/x")]
LINE = request_line("/caf\xc3\xa9", "/caf%C3%A9?q=1", "q=1")


@pytest.fixture(autouse=True)
def lasting_1_5_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(atoms._SCOPE, "monotonic", lambda: 101.5)


def line(format: str, fields: Fields = FIELDS, environ: dict[str, Any] | None = None) -> str:
    return lines(format, Exchange(Request(LINE, section(fields)), ("192.0.2.7", 4711), environ, 100.0))[0]


def lines(format: str, exchange: Exchange, *requests: Request) -> list[str]:
    """Of its request, and of the connection's next ones."""
    compiled = compile_format(format)
    asked = Asked(compiled, exchange.peer)
    answer = head("200 OK", ("Content-Type", "text/plain"), ("X-Id", "7"))
    seen = compiled.see(exchange) if compiled.see else ()
    found = compiled.lines(
        [(asked, request, answer, 1234, time.time(), seen) for request in (exchange.request, *requests)]
    )
    return [text.removesuffix("\n") for text in found]


@pytest.mark.parametrize(
    ("atom", "text"),
    [
        ("%(h)s", "192.0.2.7"),
        ("%(l)s", "-"),
        ("%(u)s", "-"),
        ("%(r)s", "GET /caf%C3%A9?q=1 HTTP/1.1"),
        ("%(m)s", "GET"),
        ("%(U)s", r"/caf\xc3\xa9"),
        ("%(q)s", "q=1"),
        ("%(H)s", "HTTP/1.1"),
        ("%(s)s", "200"),
        ("%(B)s", "1234"),
        ("%(b)s", "1234"),
        ("%(b)8d", "    1234"),
        ("%(f)s", "http://a/"),
        ("%(a)s", "curl/8"),
        ("%(T)s", "1"),
        ("%(D)s", "1500000"),
        ("%(M)d", "1500"),
        ("%(L)s", "1.500000"),
        ("%(p)s", f"<{os.getpid()}>"),
        ("%({user-agent}i)s", "curl/8"),
        ("%({Content-Type}i)s", "text/x"),
        ("%({x-none}i)s", "-"),
        ("%({content-type}o)s", "text/plain"),
        ("%({X-Id}o)s", "7"),
        ("%({x-none}o)s", "-"),
        ("%({REMOTE_USER}e)s", "-"),
        ("100%%", "100%"),
    ],
)
def test_each_atom(atom: str, text: str) -> None:
    assert line(atom) == text


def test_the_time_is_the_end_of_the_request_in_the_local_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(atoms._SCOPE, "stamp", atoms.Stamp())
    place = exchange()
    asked = Asked(compile_format(""), place.peer)
    # The clock may be set back.
    ends = (1_800_000_001.5, 1_800_000_001.9, 1_800_000_002.0, 1_800_000_000.999)
    ended: list[atoms.Ended] = [(asked, place.request, NO_HEAD, 0, now, ()) for now in ends]
    texts = compile_format("%(t)s").lines(ended)
    for now, text in zip(ends, texts, strict=True):
        assert datetime.strptime(text, "[%d/%b/%Y:%H:%M:%S %z]\n").timestamp() == int(now)
    assert compile_format("%(t)30s").lines(ended) == [f"{text:>31}" for text in texts]


@pytest.mark.parametrize(
    "text",
    ["{", "}", "{{sent}}", "{sent!r}", '\'"""', "\\", "\\N{DASH}", "\n#", "é☃\udc80", "fields[0] lasted"],
)
def test_what_is_no_atom_stands_as_it_is(text: str) -> None:
    assert line(f"{text}%(s)s{text}%%{text}") == f"{text}{line('%(s)s')}{text}%{text}"


@pytest.mark.parametrize("spec", ["5s", "-5s", ".2s", "05d", "d", "+d", " d", ".1f"])
def test_a_conversion_means_what_it_means_in_python(spec: str) -> None:
    assert line(f"[%(s){spec}]") == f"[%{spec}]" % int(line("%(s)s"))


def test_request_fields_are_what_was_sent_whatever_the_application_did_to_its_environ() -> None:
    environ: dict[str, Any] = {"HTTP_USER_AGENT": None, "HTTP_REFERER": "x", "site.user": 7}
    assert line("%(a)s %(f)s %({site.user}e)s", environ=environ) == "curl/8 http://a/ 7"


def test_h69_what_an_application_leaves_in_its_environ_cannot_end_the_line() -> None:
    class Text(str):
        __slots__ = ()

        def __format__(self, spec: str) -> str:
            return "\n"

        def __str__(self) -> str:
            return self

    assert line("%({x}e)s", environ={"x": Text("plain")}) == "plain"


def test_repeated_fields_are_joined() -> None:
    fields = [(b"X", b"1"), (b"cookie", b"a=1"), (b"x", b"2"), (b"Cookie", b"b=2"), (b"Empty", b"")]
    assert line("%({x}i)s %({cookie}i)s %({empty}i)s", fields) == "1,2 a=1; b=2 -"


def test_the_next_request_of_a_connection_has_its_own_values() -> None:
    """Whatever it shares with the last: nothing, its line, its section with other values, or all of it."""
    same = section([(b"User-Agent", b"one"), (b"Referer", b"/a"), (b"Authorization", b"Bearer x")])
    ann = b"Basic " + base64.b64encode(b"ann:x")
    first = Request(LINE, same)
    requests = [
        first,
        Request(LINE, same, ((1, b"/b"), (2, ann))),
        Request(LINE, same, ((0, b'"two"'), (1, b""))),
        Request(request_line("/c"), same),
        first,
        Request(LINE, section([(b"referer", b"/d")])),
        Request(LINE, section([])),
    ]
    found = lines("%(U)s %(u)s %({user-agent}i)s %(f)s %(a)s", exchange(), *requests)[1:]
    path = r"/caf\xc3\xa9"
    assert found == [
        f"{path} - one /a one",
        f"{path} ann one /b one",
        rf"{path} - \"two\" - \"two\"",
        "/c - one /a one",
        f"{path} - one /a one",
        f"{path} - - /d -",
        f"{path} - - - -",
    ]


@pytest.mark.parametrize(
    ("credentials", "user"),
    [
        (b"Basic " + base64.b64encode(b"ann:secret"), "ann"),
        (b"basic " + base64.b64encode(b"a b:x"), r"a\x20b"),
        (b"Basic " + base64.b64encode("é:x".encode()), r"\xe9"),
        (b"Basic " + base64.b64encode(b"no colon"), "-"),
        (b"Basic " + base64.b64encode(b"\xff:x"), "-"),
        (b"Basic !!!", "-"),
        (b"Bearer abc", "-"),
    ],
)
def test_the_user_of_basic_authentication(credentials: bytes, user: str) -> None:
    assert line("%(u)s", fields=[(b"Authorization", credentials)]) == user


def test_a_refused_request_line_and_a_unix_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(atoms._SCOPE, "monotonic", iter([101.0, 102.0]).__next__)
    refused = Refused(None, None)
    format = compile_format('%(h)s "%(r)s" %(m)s %(H)s %(s)s "%(f)s" %({x}o)s %({x}e)s %(D)s %(L)s')
    asked = Asked(format, refused.peer)
    assert format.see is not None
    seen, bad = format.see(refused), head("400 Bad Request")
    assert format.lines([(asked, refused.request, each, 0, 0.0, seen) for each in (bad, NO_HEAD)]) == [
        '- "-" - - 400 "-" - - 0 0.000000\n',
        '- "-" - - 0 "-" - - 0 0.000000\n',
    ]


def test_h69_quotes_and_controls_cannot_leave_their_place() -> None:
    text = line(COMBINED, fields=[(b"User-Agent", b'a" 200 "\\\x1b[31m\n\xff')])
    assert text.endswith(r'"a\" 200 \"\\\x1b[31m\x0a\xff"')


ANY_OCTETS = st.text(st.characters(max_codepoint=255))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY_OCTETS, ANY_OCTETS, st.text())
def test_h69_whatever_was_sent_a_line_is_one_line_and_has_its_quotes(
    target: str, field: str, own: str
) -> None:
    """Percent signs included: what was sent is never a format."""
    sent = section([(b"referer", field.encode("latin-1")), (b"User-Agent", b"%s%(r)s%%")])
    request = Request(RequestLine("GET", target, target, "", "HTTP/1.1", None), sent)
    place = exchange(environ={"x": own})
    place.request = request
    format = '"%(r)s" "%(U)s" "%(f)s" "%(a)s" "%({x}e)s"'
    (found,) = lines(format, place)
    bare = found.replace(r"\\", "").replace(r"\"", "")
    assert found.isascii() and found.isprintable() and bare.count('"') == 10
    assert '"%s%(r)s%%"' in found


@pytest.mark.parametrize("name", ["x'or'", 'x"', "x\\", "{}", "x\n", "0]"])
@pytest.mark.parametrize("kind", "ioe")
def test_a_name_in_a_format_is_a_name_whatever_is_in_it(name: str, kind: str) -> None:
    fields = [(name.encode(), b"found")]
    place = exchange(fields=fields, environ={name: "found"})
    format = compile_format(f"a'b\"c\\ %({{{name}}}{kind})s")
    asked = Asked(format, None)
    answer = SimpleNamespace(code=200, fields=[(name, "found")])
    seen = format.see(place) if format.see else ()
    assert format.lines([(asked, place.request, answer, 0, 0.0, seen)]) == ["a'b\"c\\ found\n"]


@given(st.text())
def test_h69_escaped_text_is_printable_ascii_without_a_bare_quote(text: str) -> None:
    escaped = escape(text)
    assert escaped.isascii() and (escaped.isprintable() or not escaped)
    assert '"' not in escaped.replace(r"\\", "").replace(r"\"", "")


@pytest.mark.parametrize(
    ("format", "hint"),
    [
        ("%(hh)s", "did you mean %(h)s?"),
        ("%(zzz)s", "is not known"),
        ("100%", "lone '%'"),
        ("%s", "lone '%'"),
        ("%(r)d", "not a number"),
        ("%({x}z)s", "is not known"),
        ("%(h", "lone '%'"),
    ],
)
def test_a_format_without_meaning_is_told_in_a_sentence(format: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        compile_format(format)
    assert hint in str(caught.value)
