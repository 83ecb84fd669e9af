"""Connections share what they ask for, never an environ (PEP 3333: the application may modify it)."""

from typing import Any

import pytest

from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.limits import Limits
from pronghorn.http.request import Request
from pronghorn.wsgi.environ import Environ, EnvironMaker
from tests.serving import head, serving

GET = b"GET /a HTTP/1.1\r\nHost: example.org\r\n\r\n"
BASE: Environ = {"wsgi.url_scheme": "http", "SERVER_NAME": "one", "wsgi.input": None}
OTHER: Environ = {**BASE, "SERVER_NAME": "other"}


@pytest.fixture
def shared() -> Request:
    known = KnownHeads()
    requests = [H1Connection(Limits(), known=known).receive(GET) for _ in range(4)]
    request = requests[-1]
    assert request is not None and request.common
    return request


def plain(environ: Environ) -> Environ:
    return {key: value for key, value in environ.items() if key != "wsgi.input"}


def own_request() -> Request:
    """The same head, which nobody else has sent."""
    request = H1Connection(Limits()).receive(GET)
    assert request is not None and not request.common
    return request


@pytest.mark.parametrize("peer", [("127.0.0.1", 4711), ("::1", 1), None])
@pytest.mark.parametrize("own", [None, {"pronghorn.extend_deadline": print}])
def test_a_shared_request_has_the_environ_of_one_that_is_not(
    shared: Request, peer: tuple[str, int] | None, own: Environ | None
) -> None:
    alone = EnvironMaker(BASE, peer, own)
    expected = plain(alone.make(own_request()))
    assert expected["PATH_INFO"] == "/a" and expected.get("REMOTE_ADDR") == (peer[0] if peer else None)
    maker = EnvironMaker(BASE, peer, own)
    for _ in range(3):
        assert plain(maker.make(shared)) == expected


def test_what_is_one_connections_own_is_not_the_others(shared: Request) -> None:
    one = EnvironMaker(BASE, ("192.0.2.1", 1), {"own": 1})
    two = EnvironMaker(BASE, ("192.0.2.2", 2))
    for _ in range(2):
        first, second = one.make(shared), two.make(shared)
        assert (first["REMOTE_ADDR"], first["REMOTE_PORT"], first["own"]) == ("192.0.2.1", "1", 1)
        assert (second["REMOTE_ADDR"], second["REMOTE_PORT"], "own" in second) == ("192.0.2.2", "2", False)


def test_a_client_without_an_address(shared: Request) -> None:
    """Of a listener whose other clients have one: CGI has no empty REMOTE_ADDR (RFC 3875 section 4.1.8)."""
    assert EnvironMaker(BASE, ("192.0.2.1", 1)).make(shared)["REMOTE_ADDR"] == "192.0.2.1"
    for _ in range(2):
        assert not {"REMOTE_ADDR", "REMOTE_PORT"} & EnvironMaker(BASE, None).make(shared).keys()


@pytest.mark.parametrize("peer", [("192.0.2.1", 1), None])
def test_an_environ_does_not_grow_after_its_copy(shared: Request, peer: tuple[str, int] | None) -> None:
    """Where a dict has to grow, it costs more than its copy."""
    environ = EnvironMaker(BASE, peer).make(shared)
    assert shared.as_environ is not None
    assert shared.as_environ[1].keys() == environ.keys()


def test_each_listener_has_its_own(shared: Request) -> None:
    makers = [EnvironMaker(base, None) for base in (BASE, OTHER, BASE)]
    assert [maker.make(shared)["SERVER_NAME"] for maker in makers * 2] == ["one", "other", "one"] * 2


def test_what_an_application_does_to_an_environ_is_for_that_call(shared: Request) -> None:
    maker = EnvironMaker(BASE, ("192.0.2.1", 1))
    first = maker.make(shared)
    expected = plain(first)
    first["PATH_INFO"] = "/b"
    first["mine"] = 1
    del first["REQUEST_METHOD"]
    assert plain(maker.make(shared)) == expected
    assert plain(EnvironMaker(BASE, ("192.0.2.1", 1)).make(shared)) == expected


def test_a_connection_goes_on_with_requests_of_its_own(shared: Request) -> None:
    maker = EnvironMaker(BASE, ("192.0.2.1", 1))
    alone = own_request()
    for request in (shared, alone, alone, shared, alone):
        assert maker.make(request)["REMOTE_ADDR"] == "192.0.2.1"
        assert maker.make(request)["PATH_INFO"] == "/a"


def test_every_client_sees_its_own_address() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["REMOTE_PORT"].encode()
        start_response("200 OK", [("Content-Length", str(len(body)))])
        environ.clear()
        return [body]

    with serving(app) as server:
        for _ in range(5):
            with server.connect() as client, server.connect() as other:
                for one in (client, other, client):
                    assert one.ask(head("GET", "/")).body == str(one.socket.getsockname()[1]).encode()
