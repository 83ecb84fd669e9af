"""PEP 3333: start_response. CHECKLIST P-45 to P-56."""

import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import CutOff, head, serving
from tests.wsgi.answers import PLAIN, answer_to, hello, start, wait


def test_p45_an_empty_block_does_not_send_the_head() -> None:
    """P-45: after b'' the response can still be replaced."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response)
        yield b""
        yield b""
        try:
            raise ValueError
        except ValueError:
            start_response("503 Later", [PLAIN], sys.exc_info())
        yield b"replaced"

    answer = answer_to(app)
    assert (answer.status, answer.body) == (503, b"replaced")


def test_p45_the_head_goes_out_with_the_first_block() -> None:
    """P-45: and not later."""
    received = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response)
        yield b""
        yield b"x"
        wait(received)

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/"))
        raw = client.read_until(b"\r\n\r\n")
        assert raw.startswith(b"HTTP/1.1 200 OK\r\n")
        received.set()


@pytest.mark.parametrize("blocks", [[], [b""], iter([b"", b""])], ids=["none", "one empty", "two empty"])
def test_p45_the_head_goes_out_at_the_end_of_an_empty_body(blocks: Any) -> None:
    """P-45: with the end of the iterable."""

    def app(environ: Any, start_response: Any) -> Any:
        start(start_response, ("X-Mine", "1"))
        return blocks

    answer = answer_to(app)
    assert (answer.status, answer.body, answer.one("X-Mine")) == (200, b"", "1")


WRONG_STATUS = {
    "int": 200,
    "bytes": b"200 OK",
    "None": None,
    "empty": "",
    "two digits": "20 OK",
    "four digits": "2000 OK",
    "no space": "200OK",
    "not a number": "abc OK",
    "line end": "200 OK\r\nX-Evil: 1",
    "bare LF": "200 OK\nX-Evil: 1",
    "NUL": "200 O\0K",
    "wide": "200 €",
    "bool": True,
}


WRONG_FIELDS = {
    "tuple": (PLAIN,),
    "dict": {"Content-Type": "text/plain"},
    "generator": (pair for pair in [PLAIN]),
    "None": None,
    "list in list": [["Content-Type", "text/plain"]],
    "three": [("A", "b", "c")],
    "one": [("A",)],
    "a string": ["ab"],
    "bytes name": [(b"A", "b")],
    "bytes value": [("A", b"b")],
    "int value": [("A", 1)],
    "None value": [("A", None)],
    "empty name": [("", "b")],
    "space in name": [("A b", "c")],
    "colon in name": [("A:", "c")],
    "line end in name": [("A\r\nEvil", "c")],
    "wide name": [("É", "c")],
    "CRLF": [("A", "b\r\nX-Evil: 1")],
    "LF": [("A", "b\nX-Evil: 1")],
    "CR": [("A", "b\rX-Evil: 1")],
    "NUL": [("A", "b\0")],
    "control": [("A", "b\x0b")],
    "DEL": [("A", "b\x7f")],
    "wide value": [("A", "€")],
}


def refused(status: Any, fields: Any) -> None:
    """The application must see the exception of its call, and may then answer with exc_info."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response(status, fields)
        except Exception as error:
            seen.append(error)
            start_response("200 OK", [PLAIN], sys.exc_info())
            return [b"saved"]
        return [b"accepted"]

    answer = answer_to(app)
    assert answer.one("X-Evil") is None
    assert len(seen) == 1
    assert (answer.status, answer.body) == (200, b"saved")


@pytest.mark.parametrize("kind", WRONG_STATUS)
def test_p46_a_wrong_status_raises_at_the_call(kind: str) -> None:
    """P-46 and P-56: the status is str, three digits, a space and a reason."""
    refused(WRONG_STATUS[kind], [PLAIN])


@pytest.mark.parametrize("kind", WRONG_FIELDS)
def test_p46_wrong_headers_raise_at_the_call(kind: str) -> None:
    """P-46 and P-56: a list of pairs of str, legal on the wire."""
    refused("200 OK", WRONG_FIELDS[kind])


def test_p46_uncaught_it_is_a_500_that_says_why() -> None:
    """P-46: the log names the rule and where it was broken."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Set-Cookie", "a\r\nX-Evil: 1")])
        return [b"x"]

    with serving(app) as server:
        answer = server.get()
        assert answer.status == 500
        assert answer.one("X-Evil") is None
        assert "test_05_start_response.py" in server.log


@pytest.mark.parametrize("first", ["200 OK", "wrong"], ids=["after a good call", "after a bad call"])
def test_p47_a_second_call_needs_exc_info(first: str) -> None:
    """P-47: it raises without exc_info, also when the first call raised."""
    seen = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        for status in (first, "201 Created"):
            try:
                start_response(status, [PLAIN])
            except Exception as error:
                seen.append(error)
        return [b"x"]

    answer = answer_to(app)
    assert len(seen) == (1 if first == "200 OK" else 2)
    assert answer.status == (200 if first == "200 OK" else 500)


def test_p48_exc_info_replaces_status_and_all_headers() -> None:
    """P-48: nothing of the first call is left."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, ("X-Old", "1"), ("Set-Cookie", "a=b"), ("Content-Length", "500"))
        try:
            raise ValueError
        except ValueError:
            start_response("502 New", [("X-New", "1")], sys.exc_info())
        return [b"error"]

    answer = answer_to(app)
    assert (answer.status, answer.reason, answer.body) == (502, "New", b"error")
    assert answer.one("X-New") == "1"
    assert answer.all("X-Old") == answer.all("Set-Cookie") == []


def test_p49_exc_info_after_output_raises_the_original() -> None:
    """P-49: the application's own exception comes back with its traceback, and the response is cut."""
    seen = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response)
        yield b"sent"
        try:
            raise ValueError("the original")
        except ValueError:
            try:
                start_response("500 Too Late", [PLAIN], sys.exc_info())
            except ValueError as error:
                seen.append(error)
                raise

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/"))
        with pytest.raises(CutOff) as cut:
            client.read_answer()
        assert "the original" in server.wait_for_log("ValueError")
    assert cut.value.partial == b"sent"
    assert cut.value.answer.status == 200
    assert str(seen[0]) == "the original"
    assert seen[0].__traceback__ is not None


def test_p50_no_reference_to_exc_info_is_kept() -> None:
    """P-50: a local of the failing frame dies with it, while the connection lives on."""

    class Local:
        pass

    references = []

    def fail() -> None:
        local = Local()
        references.append(weakref.ref(local))
        raise ValueError

    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            fail()
        except ValueError:
            start_response("500 Sorry", [PLAIN], sys.exc_info())
        gc.collect()
        assert references[0]() is None, "the server keeps the traceback"
        return [b"sorry"]

    answer = answer_to(app)
    assert (answer.status, answer.body) == (500, b"sorry")


HOP_BY_HOP = [
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
]


@pytest.mark.parametrize("name", [*HOP_BY_HOP, "transfer-ENCODING"])
@pytest.mark.parametrize("blocks", [[b"hello"], [b"hel", b"lo"]], ids=["one block", "two blocks"])
def test_p51_hop_by_hop_fields_stay_off_the_wire(name: str, blocks: list[bytes]) -> None:
    """P-51: framing is the server's; the log warns once for each name."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start(start_response, (name, "chunked"))
        return iter(blocks)

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.ask(head("GET", "/"))
            assert answer.body == b"hello"
            if name.lower() != "transfer-encoding":
                assert answer.all(name) == []
        assert server.log.lower().count(name.lower()) >= 1
        assert server.log.count("WARNING") == 1


def test_p51_connection_close_is_honoured() -> None:
    """P-51: an application may end the connection; the field is there once."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, ("connection", "Close"))
        return [b"bye"]

    with serving(app) as server, server.connect() as client:
        answer = client.ask(head("GET", "/"))
        assert answer.body == b"bye"
        assert (answer.one("Connection") or "").lower() == "close"
        client.assert_end()


def test_p51_connection_keep_alive_does_no_harm() -> None:
    """P-51: nor does it keep a connection that the client wants closed."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, ("Connection", "keep-alive"))
        return [b"x"]

    with serving(app) as server:
        assert server.get().body == b"x"


def test_p52_date_is_added() -> None:
    """P-52: Date and framing come from the server."""
    answer = answer_to(hello)
    date = answer.one("Date")
    assert date is not None
    assert date.endswith(" GMT")
    assert len(date) == 29


@pytest.mark.parametrize("name", ["Date", "date", "dATE", "Server", "sERVER"])
def test_p52_the_applications_own_field_wins_once(name: str) -> None:
    """P-52: whatever the case of its name."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, (name, "Sat, 01 Jan 2000 00:00:00 GMT"))
        return [b"x"]

    assert answer_to(app).one(name) == "Sat, 01 Jan 2000 00:00:00 GMT"


def test_p52_the_applications_own_length_in_any_case() -> None:
    """P-52: no second Content-Length."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, ("content-LENGTH", "5"))
        return [b"hello"]

    assert answer_to(app).one("Content-Length") == "5"


def test_p53_repeated_fields_stay_separate_and_in_order() -> None:
    """P-53: Set-Cookie above all."""
    cookies = [
        ("Set-Cookie", "a=1; Path=/"),
        ("X-Between", "x"),
        ("set-cookie", "b=2, c"),
        ("Set-Cookie", "a=3"),
    ]

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start(start_response, *cookies)
        return [b"x"]

    answer = answer_to(app)
    assert answer.all("Set-Cookie") == ["a=1; Path=/", "b=2, c", "a=3"]
    names = {name.lower() for name, _ in cookies}
    assert [field for field in answer.fields if field[0].lower() in names] == cookies


def test_p54_latin_1_goes_out_as_bytes() -> None:
    """P-54: each character is one byte, in fields and in the reason."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 Très bien", [("X-Text", "caf\xe9 \xff\xa0x")])
        return [b"x"]

    with serving(app) as server, server.connect() as client:
        client.send(head("GET", "/", "Connection: close"))
        raw = client.read_to_end()
    assert raw.startswith(b"HTTP/1.1 200 Tr\xe8s bien\r\n")
    assert b"\r\nX-Text: caf\xe9 \xff\xa0x\r\n" in raw


@pytest.mark.parametrize("lazily", [False, True], ids=["before return", "in the iteration"])
def test_p55_a_list_changed_after_the_call_changes_nothing(lazily: bool) -> None:
    """P-55: what was validated is what is sent."""

    def change(fields: list[Any]) -> None:
        fields.append(("X-Evil", "1\r\nX-Worse: 2"))
        fields[0] = ("Content-Type", "evil\r\nX-Worse: 2")

    def blocks(fields: list[Any]) -> Iterator[bytes]:
        if lazily:
            change(fields)
        yield b"x"

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        fields = [PLAIN]
        start_response("200 OK", fields)
        if not lazily:
            change(fields)
        return blocks(fields)

    answer = answer_to(app)
    assert answer.one("Content-Type") == "text/plain"
    assert answer.all("X-Evil") == answer.all("X-Worse") == []


def test_p55_the_next_request_is_not_fooled_by_an_equal_list() -> None:
    """P-55: one list object, used and changed again and again, is checked again and again."""
    fields: list[tuple[str, str]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        fields[:] = [PLAIN, ("X-Path", environ["PATH_INFO"])]
        start_response("200 OK", fields)
        return [b"x"]

    with serving(app) as server, server.connect() as client:
        for path in ("/a", "/a", "/b", "/a"):
            assert client.ask(head("GET", path)).one("X-Path") == path
        assert client.ask(head("GET", "/a%0D%0AX-Evil:1")).status == 500


class Markup(str):
    """Frameworks have classes like this."""

    def __str__(self) -> str:
        return "something else\r\nX-Evil: 1"

    def encode(self, *_: Any) -> bytes:
        return b"something else\r\nX-Evil: 1"


def test_p56_a_str_subclass_is_its_plain_value() -> None:
    """P-56: and none of its own methods is asked."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(Markup("200 OK"), [(Markup("X-Name"), Markup("value"))])
        return [b"x"]

    with serving(app) as server, server.connect() as client:
        for _ in range(2):
            answer = client.ask(head("GET", "/"))
            assert (answer.status, answer.one("X-Name"), answer.one("X-Evil")) == (200, "value", None)
