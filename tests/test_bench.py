"""The benchmark's judgements, on made-up measurements: no server is started, no peer is needed."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bench import apps, blocks, growth, pace, page, table, versus, worse
from bench.measure import Outcome
from bench.prepare import PEERS
from bench.process import WrongAnswer
from bench.profiles import PROFILES
from bench.results import Results
from bench.servers import SERVERS, Server, select

HELLO = PROFILES[0]


def server(name: str) -> Server:
    return next(server for server in SERVERS if server.name == name)


def outcome(name: str, *cpu: float, failure: str = "") -> Outcome:
    rounds = [{"cpu_us": us, "rate": 1e6 / us, "p99_ms": 1.0, "pss_mb": 20.0} for us in cpu]
    failures = [failure] if failure else []
    return Outcome(server(name), max(1, len(rounds)), rounds, failures)


def result(*outcomes: Outcome) -> dict[str, object]:
    about = {"date": "2026-01-02", "revision": "abc", "pronghorn": "pronghorn 9", "no_compiled_row": ""}
    about |= {"processor": "P", "kernel": "K", "python": "C"}
    results = Results(None, {"rounds": 3, "seconds": 2}, {**about, "versions": {"bjoern": "1"}})
    results.data["paces"] += [1.0, 1.1, 1.2]
    results.add("hello", table.as_data(HELLO, list(outcomes)), 1.0)
    return results.data


class TestWhatPronghornIsNotBestAt:
    def cells(self, *outcomes: Outcome) -> list[tuple[str, tuple[str, ...]]]:
        return [(row.measure, row.cells) for row in worse.find(result(*outcomes))[0]]

    def test_a_better_peer_is_named_with_its_ratio(self) -> None:
        found = worse.find(result(outcome("pronghorn", 20, 20, 20), outcome("bjoern", 10, 10, 10)))
        rows, count = found
        assert count == 4
        assert [(row.measure, row.peer, row.cells[0]) for row in rows] == [
            ("µs/req", "bjoern", "20.0 (×2.00)"),
            ("req/s", "bjoern", "50,000 (×2.00)"),
        ]

    def test_rounds_that_overlap_are_marked(self) -> None:
        cells = self.cells(outcome("pronghorn", 9, 11, 12), outcome("bjoern", 8, 10, 11))
        assert cells[0] == ("µs/req", ("11.0 (≈ ×1.10)", "–"))

    def test_a_failed_peer_is_not_better(self) -> None:
        assert self.cells(outcome("pronghorn", 20), outcome("bjoern", 10, failure="x")) == []

    def test_failing_is_worse_than_anything(self) -> None:
        cells = self.cells(outcome("pronghorn", failure="x"), outcome("bjoern", 10))
        assert [cell for _, (cell, _) in cells] == ["failed"] * 4

    def test_a_tuned_row_and_the_floor_are_no_peers(self) -> None:
        outcomes = outcome("pronghorn", 20), outcome("fastpysgi nodelay", 10), outcome("floor (C)", 5)
        assert self.cells(*outcomes) == []

    def test_compiled_alone_may_be_behind(self) -> None:
        outcomes = outcome("pronghorn", 10), outcome("pronghorn compiled", 20), outcome("bjoern", 15)
        assert self.cells(*outcomes)[0] == ("µs/req", ("10.0", "20.0 (×1.33)"))


class TestThePage:
    def test_it_shows_what_was_measured_and_what_failed(self) -> None:
        text = page.render(
            result(outcome("pronghorn", 20), outcome("bjoern", 10), outcome("waitress", failure="a | b")), {}
        )
        assert "| **hello**: the smallest request, 14 bytes answered | 20.0 | 10.0 | – |" in text
        assert "| µs/req | hello | 20.0 (×2.00) | – | bjoern: 10.0 |" in text
        assert "| hello | waitress | a \\| b |" in text
        assert "beside 1 of 3 rounds it was more than 15% slower than at its best" in text

    def test_each_series_has_a_place(self) -> None:
        assert {name for name, *_ in page.GROWTH} == {point.series for point in growth.points()}

    def test_each_profile_has_pronghorn_both_ways(self) -> None:
        for profile in (*PROFILES, *growth.points()):
            names = [server.name for server in select(profile, ())]
            assert names[:2] == ["pronghorn", "pronghorn compiled"], profile.name
            assert len(set(names)) == len(names), profile.name

    def test_each_peer_that_is_installed_takes_part(self) -> None:
        peers = [server for server in select(HELLO, ()) if server.role == "peer"]
        assert len(peers) == len(PEERS.read_text().split())


class TestResuming:
    def test_it_goes_on_where_the_file_ends(self, tmp_path: Path) -> None:
        Results(tmp_path / "a", {"rounds": 3}, {}).add("hello", {"title": "x"}, 5.0)
        again = Results(tmp_path / "a", {"rounds": 3}, {})
        again.resume()
        assert "hello" in again and "browser" not in again
        assert again.data["seconds"] == 5.0

    def test_other_settings_are_refused(self, tmp_path: Path) -> None:
        Results(tmp_path / "a", {"rounds": 3}, {}).save()
        with pytest.raises(SystemExit, match="without --resume"):
            Results(tmp_path / "a", {"rounds": 2}, {}).resume()


class TestVersus:
    def code(self, new: tuple[float, ...], old: tuple[float, ...]) -> int:
        return versus.report({"hello": (outcome("pronghorn", *new), outcome("pronghorn", *old))})

    def test_slower_in_each_pair_beyond_the_limit(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.code((11, 11, 12), (10, 10, 10)) == 1
        assert "1.100   1.100 – 1.200   SLOWER" in capsys.readouterr().out

    def test_one_pair_that_speaks_against_it_is_noise(self) -> None:
        assert self.code((11, 11, 9.9), (10, 10, 10)) == 0

    def test_a_little_slower_is_no_failure(self) -> None:
        assert self.code((10.4, 10.4, 10.4), (10, 10, 10)) == 0

    def test_a_failure_is_told_apart(self) -> None:
        broken = outcome("pronghorn", failure="did not start")
        assert versus.report({"hello": (broken, outcome("pronghorn", 10))}) == 2


@contextmanager
def streaming(stamp: Callable[[], int]) -> Iterator[int]:
    """The port of a server whose blocks say that they were yielded at that time."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(1000)
                made = b"%0*d%s" % (apps.STAMP_DIGITS, stamp(), apps.CHUNK[apps.STAMP_DIGITS :])
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + made * apps.CHUNKS)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class TestStreaming:
    def test_blocks_that_wait_are_found(self) -> None:
        with (
            streaming(lambda: time.monotonic_ns() - 50_000_000) as port,
            pytest.raises(WrongAnswer, match="does not stream"),
        ):
            blocks.lateness(port)

    def test_blocks_in_time(self) -> None:
        # From a second ahead, so that a busy machine is never late.
        with streaming(lambda: time.monotonic_ns() + 1_000_000_000) as port:
            assert blocks.lateness(port) < 0


class TestAMachineThatIsSlowAtTimes:
    """The fixed work takes what the list says, one entry for each look."""

    def steady(self, *looks: float, patience: float = 60.0) -> pace.Pace:
        self.looks = iter([1.0] * 10 + list(looks))
        self.now = 0.0
        return pace.Pace(lambda: next(self.looks), patience, lambda: self.now, self.pause)

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def measured(self, steady: pace.Pace, failure: str = "") -> Outcome:
        """Rounds cost 1, 2, 3 …, and 10 seconds each."""
        found = Outcome(server("bjoern"))
        costs = iter(range(1, 100))

        def measure() -> None:
            self.now += 10
            found.attempts += 1
            if failure:
                found.failures.append(failure)
            else:
                found.rounds.append({"cpu_us": next(costs)})

        steady.round(found, measure)
        return found

    def test_a_round_counts_that_was_quiet_before_and_after(self) -> None:
        steady = self.steady(1.0, 1.14)
        assert self.measured(steady).rounds == [{"cpu_us": 1}]
        assert steady.taken() == [1.14]
        assert steady.taken() == []

    def test_it_waits_until_the_machine_is_quiet(self) -> None:
        steady = self.steady(2.0, 1.5, 1.0, 1.0)
        assert self.measured(steady).rounds == [{"cpu_us": 1}]
        assert steady.patience == 59.0

    def test_a_round_is_repeated_when_the_machine_became_slow(self) -> None:
        steady = self.steady(1.0, 2.0, 1.0, 1.0)
        found = self.measured(steady)
        assert (found.rounds, found.attempts) == ([{"cpu_us": 2}], 1)
        assert steady.patience == 50.0

    def test_patience_ends_and_the_round_counts_as_slow(self) -> None:
        steady = self.steady(1.0, 2.0, 2.0, 2.0, patience=10.0)
        assert self.measured(steady).rounds == [{"cpu_us": 2}]
        assert steady.taken() == [2.0]

    def test_a_failure_is_not_repeated(self) -> None:
        found = self.measured(self.steady(1.0, 2.0), failure="x")
        assert (found.failures, found.attempts) == (["x"], 1)

    def test_a_faster_look_is_the_new_best(self) -> None:
        steady = self.steady(0.5, 0.6, 0.5, 0.5)
        assert self.measured(steady).rounds == [{"cpu_us": 2}]

    def test_the_work_is_timed_on_the_cores_and_leaves_the_process_where_it_was(self) -> None:
        cores = os.sched_getaffinity(0)
        assert 0 < pace.work(sorted(cores)) < 1
        assert os.sched_getaffinity(0) == cores
