"""Header lists that are remembered: whose they are, and that nobody gets those of another."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from pronghorn.serve.worker import Worker
from pronghorn.wsgi.response import Heads
from tests.serving import Client, Server, head, serving


def answering(name: str) -> Callable[..., Iterable[bytes]]:
    """An application whose fields differ with each path; all of one status and length."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(
            "200 OK", [("X-From", name), ("X-Path", environ["PATH_INFO"]), ("Content-Length", "1")]
        )
        return [b"."]

    return app


class Routes:
    """Paths below /quick are answered by the leader, as files are."""

    largest_body = 0

    def quick(self, environ: dict[str, Any]) -> Any:
        return answering("quick") if environ["PATH_INFO"].startswith("/quick") else None

    def body_limit(self, environ: dict[str, Any]) -> int:
        return 1

    def rest(self) -> None:
        pass


def route(worker: Worker) -> None:
    worker.routing = Routes()


def told(client: Client, path: str) -> tuple[str | None, str | None]:
    answer = client.ask(head("GET", path))
    return answer.one("X-From"), answer.one("X-Path")


def many(server: Server) -> list[list[tuple[str, str]]]:
    """The lists that are remembered beside the last of each status."""
    return [
        head.fields
        for application in (server.worker.quick_application, server.worker.application)
        for head in application._heads.others.values()
    ]


def test_only_what_the_leader_answers_has_many_remembered() -> None:
    """An application may make up a new list for each request: of those, one is enough."""
    with serving(answering("slow"), prepare=route) as server, server.connect() as client:
        for _ in range(3):
            for path in ("/quick/1", "/other/1", "/quick/2", "/other/2"):
                assert told(client, path) == ("quick" if "quick" in path else "slow", path)
        worker = server.worker
        assert len(worker.quick_application._heads.others) == 2
        assert worker.application._heads.others == {}
        assert len(worker.application._heads.last) == 1


def test_two_workers_and_two_applications_never_share_a_list() -> None:
    """Equal statuses, equal requests, one process: each answers with its own."""
    with (
        serving(answering("a"), prepare=route) as one,
        serving(answering("b"), prepare=route) as two,
        one.connect() as first,
        two.connect() as second,
    ):
        for _ in range(3):
            for path in ("/x", "/quick/x"):
                assert told(first, path) == ("quick" if "quick" in path else "a", path)
                assert told(second, path) == ("quick" if "quick" in path else "b", path)
        assert many(one) == many(two) != []
        memories = [app._heads for server in (one, two) for app in (server.worker.application, server.worker.quick_application)]  # fmt: skip
        assert len({id(heads.last) for heads in memories} | {id(heads.others) for heads in memories}) == 8


def test_many_are_told_apart_by_all_that_is_in_them() -> None:
    warn = logging.Logger("tests.heads").warning
    heads = Heads(many=True)
    lists = [
        ("200 OK", [("A", "1")]),
        ("200 OK", [("A", "1"), ("B", "2")]),
        ("200 OK", [("B", "2"), ("A", "1")]),
        ("200 OK", [("a", "1")]),
        ("404 Not Found", [("A", "1")]),
    ]
    made = [heads.make(status, fields, warn) for status, fields in lists]
    assert [heads.find(status, list(fields)) for status, fields in lists] == made
    assert len(set(map(id, made))) == len(lists)
    assert heads.find("200 OK", [("A", "2")]) is None
    personal = [("Set-Cookie", "a=b")]
    heads.make("200 OK", personal, warn)
    assert heads.find("200 OK", personal) is None, "personal, and seldom the same again"
    few = Heads()
    few.make(*lists[0], warn)
    assert few.find(*lists[0]) is None
