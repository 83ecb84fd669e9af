"""PEP 3333: environ. CHECKLIST P-14 to P-31."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.serving import head, serving
from tests.wsgi.answers import environ_of, hello


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PROPFIND", "pUrGe", "M-SEARCH"]
)
def test_p14_method_as_sent(method: str) -> None:
    """P-14: REQUEST_METHOD as sent; HEAD stays HEAD, the case is kept."""
    assert environ_of(method=method)["REQUEST_METHOD"] == method


@pytest.mark.parametrize(
    "target, path",
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/a/", "/a/"),
        ("/?q", "/"),
        ("http://example", "/"),
        ("http://example/abs?q=1", "/abs"),
        ("http://example?q=1", "/"),
    ],
)
def test_p15_script_name_and_path_info_cover_the_path(target: str, path: str) -> None:
    """P-15: at the root SCRIPT_NAME is empty, so PATH_INFO is the path and not empty."""
    environ = environ_of(target)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", path)


def test_p15_asterisk() -> None:
    """P-15: `OPTIONS *` has no path; the asterisk is shown."""
    assert environ_of("*", method="OPTIONS")["PATH_INFO"] == "*"


@pytest.mark.parametrize(
    "target, path",
    [
        ("/%C3%A9", "/Ã©"),
        ("/%c3%a9", "/Ã©"),
        ("/%2541", "/%41"),
        ("/%25%32%35", "/%25"),
        ("/a+b", "/a+b"),
        ("/a%20b", "/a b"),
        ("/a%2Fb", "/a/b"),
        ("/a%3Fb?c", "/a?b"),
        ("/a%00b", "/a\0b"),
        ("/a%0D%0Ab", "/a\r\nb"),
        ("/%E2%82%AC", "/â\x82¬"),
        ("/%ff%FE", "/ÿþ"),
        ("/%zz%4", "/%zz%4"),
        ("/a/../b/./c", "/a/../b/./c"),
    ],
)
def test_p16_path_info_is_decoded_once(target: str, path: str) -> None:
    """P-16: percent-decoded exactly once, bytes shown as latin-1."""
    assert environ_of(target)["PATH_INFO"] == path


@pytest.mark.parametrize(
    "target, query",
    [("/", ""), ("/?", ""), ("/?a=%C3%A9+b&a=2", "a=%C3%A9+b&a=2"), ("/?a?b=/c", "a?b=/c"), ("/?%3F", "%3F")],
)
def test_p17_query_string_verbatim(target: str, query: str) -> None:
    """P-17: QUERY_STRING is not decoded and has no question mark of its own."""
    assert environ_of(target)["QUERY_STRING"] == query


@pytest.mark.parametrize("path", ["/a;v=1/b;w", "//evil.example/x", "///", "/a//b", "/http://x/"])
def test_p18_parameters_and_double_slashes_stay(path: str) -> None:
    """P-18: `;params` belong to PATH_INFO, and `//` begins no authority."""
    environ = environ_of(path)
    assert environ["PATH_INFO"] == path
    assert environ["HTTP_HOST"] == "example"


def test_p19_content_type_and_length() -> None:
    """P-19: from the fields, under the CGI names only."""
    environ = environ_of("/", "Content-Type: text/x; a=b", method="POST", body=b"12345")
    assert (environ["CONTENT_TYPE"], environ["CONTENT_LENGTH"]) == ("text/x; a=b", "5")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & environ.keys()


def test_p19_absent_or_empty_without_a_body() -> None:
    """P-19: absent or empty where the client sent none."""
    environ = environ_of()
    assert environ.get("CONTENT_TYPE", "") == ""
    assert environ.get("CONTENT_LENGTH", "") == ""


@pytest.mark.parametrize(
    "body, decoded",
    [
        (b"0\r\n\r\n", b""),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
        (b"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: u\r\n\r\n", b"abcde"),
    ],
    ids=["empty", "one chunk", "extension and trailer"],
)
def test_p20_a_chunked_body_is_an_ordinary_one(body: bytes, decoded: bytes) -> None:
    """P-20: CONTENT_LENGTH is the decoded length; no sign of the coding; the input ends."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append((dict(environ), environ["wsgi.input"].read()))
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        assert client.ask(head("POST", "/", "Transfer-Encoding: chunked") + body).status == 200
    environ, read = seen[0]
    assert read == decoded
    assert environ["CONTENT_LENGTH"] == str(len(decoded))
    assert "HTTP_TRANSFER_ENCODING" not in environ
    assert "HTTP_T" not in environ
    assert environ["wsgi.input_terminated"] is True


def test_p21_server_name_and_port() -> None:
    """P-21: non-empty; the port in digits, and the real one after port 0."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append((environ["SERVER_NAME"], environ["SERVER_PORT"]))
        return hello(environ, start_response)

    with serving(app) as server:
        server.get("/", "Host: other.example:99")
        name, port = seen[0]
        assert name
        assert port == str(server.port)


def test_p21_server_name_and_port_on_a_unix_socket(tmp_path: Path) -> None:
    """P-21: non-empty there too."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        return hello(environ, start_response)

    with serving(app, address=f"unix:{tmp_path}/socket") as server:
        assert server.get().body == b"hello"
    environ = seen[0]
    assert environ["SERVER_NAME"]
    assert environ["SERVER_PORT"].isdigit()
    assert isinstance(environ.get("REMOTE_ADDR", ""), str)


@pytest.mark.parametrize("sent, seen", [("1.0", "HTTP/1.0"), ("1.1", "HTTP/1.1"), ("1.2", "HTTP/1.1")])
def test_p22_server_protocol_is_the_requests(sent: str, seen: str) -> None:
    """P-22: the version of the request, or the highest that the server speaks."""
    protocols = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        protocols.append(environ["SERVER_PROTOCOL"])
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        assert client.ask(head("GET", "/", version=sent)).status == 200
    assert protocols == [seen]


def test_p23_fields_become_http_keys() -> None:
    """P-23: a key for each field that was sent; none for others."""
    environ = environ_of("/", "X-Custom-Name: value", "aCCept:  */*\t", "X-Empty:", "X-Odd!#$: 1")
    assert environ["HTTP_X_CUSTOM_NAME"] == "value"
    assert environ["HTTP_ACCEPT"] == "*/*"
    assert environ["HTTP_X_EMPTY"] == ""
    assert "HTTP_COOKIE" not in environ


def test_p23_repeated_fields_are_joined() -> None:
    """P-23: with a comma in order; cookies with a semicolon."""
    environ = environ_of(
        "/", "Accept: a", "Cookie: x=1", "X-Other: o", "accept: b", "cookie: y=2", "ACCEPT: c"
    )
    assert re.fullmatch("a, ?b, ?c", environ["HTTP_ACCEPT"])
    assert environ["HTTP_COOKIE"] == "x=1; y=2"


@pytest.mark.parametrize("order", [1, -1], ids=["after", "before"])
def test_p24_underscore_names_do_not_overwrite(order: int) -> None:
    """P-24: two field names never meet in one key."""
    fields = ["X-Forwarded-For: good", "X_Forwarded_For: evil", "X_Forwarded-For: evil"][::order]
    assert environ_of("/", *fields)["HTTP_X_FORWARDED_FOR"] == "good"


def test_p24_underscore_names_alone_are_dropped() -> None:
    """P-24: also without a rival, and for Content_Length."""
    environ = environ_of("/", "X_User: evil", "Content_Length: 5", "Content_Type: evil")
    assert "evil" not in environ.values()
    assert "HTTP_CONTENT_LENGTH" not in environ
    assert environ.get("CONTENT_LENGTH", "") == ""


def test_p25_the_process_environment_stays_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """P-25: HTTP_PROXY of the process and `Proxy` of the client never meet."""
    monkeypatch.setenv("HTTP_PROXY", "http://real.example")
    monkeypatch.setenv("SECRET_OF_THE_PROCESS", "secret")
    environ = environ_of("/", "Proxy: evil")
    assert os.environ["HTTP_PROXY"] == "http://real.example"
    assert environ.get("HTTP_PROXY") in (None, "evil")
    assert "SECRET_OF_THE_PROCESS" not in environ


def test_p26_values_are_native_strings() -> None:
    """P-26: exactly str, U+0000 to U+00FF, for bytes of every value."""
    environ = environ_of("/%ff%e9?%e9", "X-Text: caf\xc3\xa9 \xff", "Content-Type: \xe9")
    for key, value in environ.items():
        if "." not in key:
            assert type(key) is str and type(value) is str, key
            value.encode("latin-1")
    assert environ["HTTP_X_TEXT"] == "caf\xc3\xa9 \xff"


def test_p27_nothing_is_none() -> None:
    """P-27: what is absent is left out."""
    environ = environ_of("/", "Authorization: Basic eDp5")
    assert None not in environ.values()
    assert "REMOTE_USER" not in environ
    assert "AUTH_TYPE" not in environ


def test_p28_the_peer_and_the_target() -> None:
    """P-28: the peer's address and port, and the target as sent."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        return hello(environ, start_response)

    with serving(app) as server, server.connect() as client:
        client.ask(head("GET", "/a%20b?c=%20"))
        own_port = str(client.socket.getsockname()[1])
    environ = seen[0]
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.1", own_port)
    assert environ["REQUEST_URI"] == environ["RAW_URI"] == "/a%20b?c=%20"
    assert "HTTPS" not in environ
    assert re.fullmatch(r"pronghorn/\S+", environ["SERVER_SOFTWARE"])


def test_p29_version_and_scheme() -> None:
    """P-29: (1, 0), and a scheme that the client cannot set."""
    environ = environ_of("/", "X-Forwarded-Proto: https", "Forwarded: proto=https", "Front-End-Https: on")
    assert environ["wsgi.version"] == (1, 0)
    assert type(environ["wsgi.version"]) is tuple
    assert environ["wsgi.url_scheme"] == "http"


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_p30_the_flags_are_true(threads: int) -> None:
    """P-30: multithread says whether there are several threads; one process, many requests."""
    seen: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append([environ[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once")])
        return hello(environ, start_response)

    with serving(app, threads=threads) as server:
        server.get()
    assert seen == [[threads > 1, False, False]]


def test_p31_server_keys_are_lower_case_with_a_prefix() -> None:
    """P-31: what is not CGI is lower case, with a dot."""
    known = re.compile(r"HTTP_[A-Z0-9_]+|[A-Z][A-Z_]*|[a-z]+\.[a-z_.]+")
    assert [key for key in environ_of() if not known.fullmatch(key)] == []


def test_p31_the_required_keys_are_there() -> None:
    """P-31 and P-14 to P-30: the PEP's list of variables."""
    environ = environ_of()
    assert {
        "REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
        "wsgi.version", "wsgi.url_scheme", "wsgi.input", "wsgi.errors", "wsgi.multithread", "wsgi.multiprocess",
        "wsgi.run_once",
    } <= environ.keys()  # fmt: skip
    assert not isinstance(environ["wsgi.input"], io.TextIOBase)


def test_connections_that_say_the_same_share_no_environ() -> None:
    """What one of them asks, and what its application does to the environ, is seen by nobody else."""
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(dict(environ))
        environ.update(HTTP_ACCEPT="spoilt", REMOTE_USER="somebody", REMOTE_ADDR="spoilt")
        del environ["HTTP_HOST"]
        return hello(environ, start_response)

    same = b"GET /a HTTP/1.1\r\nHost: h\r\nAccept: 1\r\n\r\n"
    other = b"GET /b HTTP/1.1\r\nHost: h\r\nAccept: 1\r\n\r\n"
    with serving(app) as server, server.connect() as one, server.connect() as two:
        keys: Any = None
        clients = [one, two, one, two]
        for client, octets in zip(
            clients * 2, [same, same, same, other, same, other, other, same], strict=True
        ):
            port = client.socket.getsockname()[1]
            assert client.ask(octets).status == 200
            environ = seen.pop()
            assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("127.0.0.1", str(port))
            assert environ["RAW_URI"] == environ["PATH_INFO"] == octets[4:6].decode()
            assert (environ["HTTP_HOST"], environ["HTTP_ACCEPT"]) == ("h", "1")
            assert "REMOTE_USER" not in environ
            keys = keys or environ.keys()
            assert environ.keys() == keys
