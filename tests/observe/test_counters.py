"""The counters of --metrics: what is counted, by whom, and what it may cost."""

import threading
import time

import pytest

from pronghorn.observe.counters import Counters, Tally
from tests.observe.exchanges import exchange, head


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


def test_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Counters(1)
    tally = Tally(counters.row(0))
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
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
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    before = counters.text()
    tally.ended(exchange(), head(), 1)
    tally.add_up()
    now[0] += 0.05
    assert counters.text() is before
    now[0] += 0.06
    assert counters.text() != before
