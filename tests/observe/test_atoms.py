"""The access log's atoms, one by one, and what a client may not do to a line."""

import base64
import os
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.observe.atoms import COMBINED, compile_format, escape
from pronghorn.observe.record import Record


def line(format: str, **changes: Any) -> str:
    values: dict[str, Any] = {
        "method": "GET",
        "target": "/caf%C3%A9?q=1",
        "version": "HTTP/1.1",
        "path": "/caf\xc3\xa9",
        "query": "q=1",
        "status": 200,
        "reason": "OK",
        "sent": 1234,
        "peer": "192.0.2.7",
        "peer_port": "4711",
        "started": 1_800_000_000.0,
        "duration": 1.234567,
        "fields": [(b"User-Agent", b"curl/8"), (b"referer", b"http://a/"), (b"Content-Type", b"text/x")],
        "response_fields": [("Content-Type", "text/plain"), ("X-Id", "7")],
    }
    template, getters = compile_format(format)
    record = Record(**{**values, **changes})
    return template % tuple([get(record) for get in getters])


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
        ("%(D)s", "1234567"),
        ("%(M)d", "1234"),
        ("%(L)s", "1.234567"),
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


def test_the_time_is_the_end_of_the_request_in_the_local_zone() -> None:
    stamp = line("%(t)s")
    assert time.mktime(time.strptime(stamp, "[%d/%b/%Y:%H:%M:%S %z]")) == pytest.approx(
        1_800_000_001 - (time.localtime().tm_gmtoff - time.localtime(1_800_000_001).tm_gmtoff)
    )


def test_the_environ_answers_where_there_is_one() -> None:
    environ = {"HTTP_USER_AGENT": "x", "CONTENT_TYPE": "y", "site.user": 7}
    assert line("%(a)s %({content-type}i)s %({site.user}e)s %(f)s", environ=environ) == "x y 7 -"


def test_an_application_may_have_spoiled_the_environ() -> None:
    assert line("%(a)s", environ={"HTTP_USER_AGENT": None}) == "-"


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


def test_a_refused_request_line_and_a_unix_peer() -> None:
    refused = Record(status=400, started=1_800_000_000.0)
    template, getters = compile_format('%(h)s "%(r)s" %(m)s %(H)s %(s)s "%(f)s"')
    assert template % tuple([get(refused) for get in getters]) == '- "-" - - 400 "-"'


def test_h69_quotes_and_controls_cannot_leave_their_place() -> None:
    text = line(COMBINED, fields=[(b"User-Agent", b'a" 200 "\\\x1b[31m\n\xff')])
    assert text.endswith(r'"a\" 200 \"\\\x1b[31m\x0a\xff"')


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
