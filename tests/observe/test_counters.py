"""The counters of --metrics: what is counted, by whom, and what it may cost."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.observe.access import AccessLog
from pronghorn.observe.counters import Counters, Tally
from pronghorn.serve.worker import Worker
from tests import serving
from tests.observe.exchanges import exchange, head


class Halves:
    """Blocks of half the size."""

    def __init__(self, blocks: list[bytes]) -> None:
        self._block = b"".join(blocks)

    def __iter__(self) -> Iterator[bytes]:
        half = len(self._block) // 2
        yield self._block[:half]
        yield self._block[half:]


def value(counters: Counters, name: str) -> float:
    (found,) = [line.rsplit(" ")[-1] for line in counters._text().splitlines() if line.startswith(name + " ")]
    return float(found)


def responses(counters: Counters, status: str) -> float:
    return value(counters, f'pronghorn_responses_total{{status="{status}"}}')


def bucket(counters: Counters, bound: str) -> float:
    return value(counters, f'pronghorn_request_duration_seconds_bucket{{le="{bound}"}}')


@pytest.mark.parametrize(
    ("status", "name"),
    [("200 OK", "2xx"), ("304 Not Modified", "3xx"), ("599 X", "5xx"), ("999 Odd", "none")],
)
def test_by_class_of_status(status: str, name: str) -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))
    tally.ended(exchange(), head(status), 5)
    tally.ended(exchange(), None, 0)
    tally.refused(head("431 Too Large"), 7)
    assert responses(counters, name) == 0, "not added up yet"
    tally.add_up()
    assert responses(counters, name) >= 1
    assert responses(counters, "none") == 1 + (name == "none")
    assert responses(counters, "4xx") == 1
    assert value(counters, "pronghorn_response_content_bytes_total") == 12
    assert bucket(counters, "+Inf") == 2, "what was refused has no duration"


@given(
    st.lists(st.tuples(st.sampled_from(["none", "2xx", "3xx", "5xx"]), st.sampled_from([0.0, 0.004, 0.3])))
)
def test_each_answer_is_counted_once_whatever_came_before_it(answers: list[tuple[str, float]]) -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))
    heads = {"none": None, "2xx": head("200 OK"), "3xx": head("302 Found"), "5xx": head("500 X")}
    now = time.monotonic()
    for status, seconds in answers:
        tally.ended(exchange(started=now - seconds), heads[status], 1)
    tally.add_up()
    for status in heads:
        assert responses(counters, status) == sum(one == status for one, _ in answers)
    assert bucket(counters, "0.25") == sum(seconds < 0.25 for _, seconds in answers)
    assert bucket(counters, "+Inf") == len(answers)


def test_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))
    monkeypatch.setattr("pronghorn.observe.counters.monotonic", lambda: 100.0)
    for seconds in (0.0, 0.004, 0.25, 0.26, 60.0):
        tally.ended(exchange(started=100.0 - seconds), head(), 0)
    tally.add_up()
    assert [bucket(counters, bound) for bound in ("0.005", "0.25", "0.5", "10.0", "+Inf")] == [2, 3, 4, 4, 5]
    assert value(counters, "pronghorn_request_duration_seconds_sum") == pytest.approx(60.514)


def test_the_next_worker_of_a_row_goes_on_and_rows_are_summed() -> None:
    counters = Counters(3)
    for row in (0, 2, 0):
        tally = Tally(counters.row(row))
        tally.ended(exchange(), head(), 1)
        tally.add_up()
    assert responses(counters, "2xx") == 3


def test_no_answer_is_lost_where_many_threads_end_calls_while_the_leader_adds_up() -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))

    def answer() -> None:
        for _ in range(2000):
            tally.ended(exchange(), head(), 3)

    threads = [threading.Thread(target=answer) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        tally.add_up()
    tally.add_up()
    assert responses(counters, "2xx") == bucket(counters, "+Inf") == 8000
    assert value(counters, "pronghorn_response_content_bytes_total") == 24000


def test_the_text_is_made_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))
    now = [100.0]
    monkeypatch.setattr("pronghorn.observe.counters.monotonic", lambda: now[0])
    before = counters.text()
    tally.ended(exchange(), head(), 1)
    tally.add_up()
    now[0] += 0.05
    assert counters.text() is before
    now[0] += 0.06
    assert counters.text() != before


@pytest.mark.parametrize("kind", [list, tuple, iter, Halves])
@pytest.mark.parametrize(
    ("method", "status", "sent"),
    [
        ("GET", "200 OK", 1000),
        ("HEAD", "200 OK", 0),
        ("GET", "204 No Content", 0),
        ("GET", "304 Not Modified", 0),
        ("GET", "404 Not Found", 1000),
    ],
)
def test_octets_of_content_are_those_that_left(
    kind: Any, method: str, status: str, sent: int, tmp_path: Path
) -> None:
    """RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5: such an answer has none, whatever the application gives."""
    counters = Counters(1)
    access = AccessLog(str(tmp_path / "access.log"), "%(m)s %(s)s %(B)s")

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response(status, [("Content-Length", "1000")])
        return kind([bytes(1000)])

    def prepare(worker: Worker) -> None:
        worker.observation.tally = Tally(counters.row(0))

    with serving.serving(app, access=access, prepare=prepare) as server, server.connect() as client:
        for _ in range(2):
            assert len(client.ask(serving.head(method, "/")).body) == sent
        serving.until(lambda: bucket(counters, "+Inf") == 2, "both are counted")
    access.close()
    assert (tmp_path / "access.log").read_text() == f"{method} {status[:3]} {sent}\n" * 2
    assert value(counters, "pronghorn_response_content_bytes_total") == 2 * sent
    # From the call's begin, not from the machine's.
    assert 0 < value(counters, "pronghorn_request_duration_seconds_sum") < 20
