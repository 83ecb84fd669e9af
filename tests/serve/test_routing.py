"""What the leader has made of a request to ask for its route is what the application gets, and nobody else."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pronghorn.serve.worker import Worker
from pronghorn.wsgi.environ import EnvironMaker
from tests.serving import Server, head, serving


class Routes:
    """None of which answers at once."""

    largest_body = 0

    def quick(self, environ: dict[str, Any]) -> None:
        assert "seen" not in environ

    def rest(self) -> None:
        pass


def untidy(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Does with its environ what it likes."""
    said = [environ["PATH_INFO"], environ.get("HTTP_X", ""), environ["wsgi.input"].read().decode()]
    said.append(str("seen" in environ))
    environ.clear()
    environ["seen"] = True
    start_response("200 OK", [])
    return [" ".join(said).encode()]


def route(worker: Worker) -> None:
    worker.routing = Routes()


@pytest.fixture(params=[1, 4])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with serving(untidy, threads=request.param, prepare=route) as server:
        yield server


def test_each_request_has_its_own(server: Server) -> None:
    with server.connect() as client:
        for number in range(3):
            for _ in range(2):
                assert client.ask(head("GET", f"/{number}")).body == b"/%d   False" % number
                assert client.ask(head("GET", "/x", f"X: {number}")).body == b"/x %d  False" % number
            post = head("POST", "/p", length=3) + b"abc"
            assert client.ask(post).body == b"/p  abc False"
        client.send(head("GET", "/a") + head("POST", "/b", "X: b", length=2) + b"xy" + head("GET", "/c"))
        assert [client.read_answer().body for _ in "abc"] == [b"/a   False", b"/b b xy False", b"/c   False"]


@pytest.mark.source
def test_it_is_made_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a rule: for a call that has to wait for a thread, or is slow, it is made anew."""
    made: list[object] = []
    make = EnvironMaker.make

    def counted(maker: EnvironMaker, request: Any) -> Any:
        made.append(request)
        return make(maker, request)

    monkeypatch.setattr(EnvironMaker, "make", counted)
    each = set()
    with server.connect() as client:
        for _ in range(10):
            before = len(made)
            client.ask(head("GET", "/"))
            each.add(len(made) - before)
    assert 1 in each and max(each) <= 2


@pytest.mark.source
def test_a_connection_that_asks_once_has_no_template(server: Server) -> None:
    """2.5 KiB each; as a rule, see above."""
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(server.connect()).ask(head("GET", "/"))
        assert not all(connection.maker._template for connection in server.worker.connections)
