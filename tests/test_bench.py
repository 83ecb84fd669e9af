"""The benchmark's judgements, on made-up measurements: no server is started, no peer is needed."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from bench import apps, blocks, growth, load, pace, page, table, under_load, versus, watch, worse
from bench.measure import Outcome
from bench.prepare import PEERS
from bench.process import WrongAnswer, leaves, tree
from bench.profiles import PROFILES
from bench.results import Results
from bench.servers import SERVERS, Server, select

from tests.process.harness import eventually

HELLO = PROFILES[0]


def server(name: str) -> Server:
    return next(server for server in SERVERS if server.name == name)


def outcome(name: str, *cpu: float, failure: str = "") -> Outcome:
    rounds = [{"cpu_us": us, "rate": 1e6 / us, "p99_ms": 1.0, "pss_mb": 20.0} for us in cpu]
    failures = [failure] if failure else []
    return Outcome(server(name), max(1, len(rounds)), rounds, [0.5] * len(rounds), failures)


def result(*outcomes: Outcome) -> dict[str, object]:
    about = {"date": "2026-01-02", "revision": "abc", "pronghorn": "pronghorn 9", "no_compiled_row": ""}
    about |= {"processor": "P", "kernel": "K", "python": "C"}
    results = Results(None, {"rounds": 3, "seconds": 2}, {**about, "versions": {"bjoern": "1"}})
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
        assert (
            "as usual: 50% of the time of 2 rounds; in 0 it was too little, and all counts, in parenth"
            in text
        )

    def test_what_was_never_quick_stands_in_parentheses(self) -> None:
        never = outcome("bjoern", 10)
        never.shares = [0]
        text = page.render(result(outcome("pronghorn", 20), never), {})
        assert "14 bytes answered | 20.0 | (10.0) |" in text
        assert "| hello | 1.00 | 1.00 |" in text  # p99 is of all moments

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
        assert again.known("hello") == {"title": "x"}
        assert again.known("browser") is None
        assert again.data["seconds"] == 5.0

    def test_what_was_never_quick_is_measured_again(self) -> None:
        never = outcome("bjoern", 10, 11)
        never.shares = [0, 0]
        whole = [outcome("pronghorn", 20), never, outcome("waitress", failure="x")]
        known = table.from_data(json.loads(json.dumps(table.as_data(HELLO, whole))))
        assert [(o.server.name, o.attempts, o.rounds, o.failed) for o in known] == [
            ("pronghorn", 1, whole[0].rounds, False),
            ("bjoern", 0, [], False),
            ("waitress", 1, [], True),
        ]

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

    def test_pairs_count_in_which_the_machine_was_quick(self, capsys: pytest.CaptureFixture[str]) -> None:
        new, old = outcome("pronghorn", 20, 10, 10, 10), outcome("pronghorn", 10, 10, 10, 30)
        new.shares[0] = old.shares[3] = 0
        new.rounds.append({"cpu_us": 11})
        old.rounds.append({"cpu_us": 10})
        new.shares.append(0.1)
        old.shares.append(1)
        assert versus.report({"hello": (new, old)}) == 0
        assert "1.000 – 1.100" in capsys.readouterr().out


@contextmanager
def streaming(stamp: Callable[[int], int], closes: bool = False) -> Iterator[int]:
    """The port of a server whose blocks say that they were yielded at that time. stamp: by the answer's number
    on its connection, from 0."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                for number in range(1 if closes else blocks.USED + 1):
                    client.recv(1000)
                    made = b"%0*d%s" % (apps.STAMP_DIGITS, stamp(number), apps.CHUNK[apps.STAMP_DIGITS :])
                    head = b"" if closes else b"Transfer-Encoding: chunked\r\n"
                    client.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + made * apps.CHUNKS)
                    client.sendall(b"" if closes else b"\r\n0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class TestStreaming:
    def test_blocks_that_wait_are_found(self) -> None:
        with (
            streaming(lambda number: time.monotonic_ns() - 50_000_000) as port,
            pytest.raises(WrongAnswer, match="does not stream"),
        ):
            blocks.lateness(port)

    def test_blocks_that_wait_only_on_a_connection_that_was_used_are_found(self) -> None:
        """As those of a server that leaves Nagle's algorithm on (RFC 896)."""
        late = {blocks.USED: -50_000_000}
        with (
            streaming(lambda number: time.monotonic_ns() + late.get(number, 1_000_000_000)) as port,
            pytest.raises(WrongAnswer, match="does not stream"),
        ):
            blocks.lateness(port)

    @pytest.mark.parametrize("closes", [False, True])
    def test_blocks_in_time(self, closes: bool) -> None:
        # From a second ahead, so that a busy machine is never late.
        with streaming(lambda number: time.monotonic_ns() + 1_000_000_000, closes) as port:
            assert blocks.lateness(port) < 0


def test_workers_are_the_processes_without_children() -> None:
    command = [
        sys.executable,
        "-c",
        "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])",
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as master:
        eventually(lambda: len(tree(master.pid)) == 2, "there is a worker")
        assert leaves(master.pid) == tree(master.pid)[1:]
        master.communicate(b"\n")


class TestAMachineThatIsSlowAtTimes:
    def test_one_look_of_fifty_may_be_faster_than_usual(self) -> None:
        steady = pace.Pace(0)
        steady.add([36_000] + [46_000] * 30 + [70_000] * 18)
        assert steady.usual() == 36_000
        steady.add([70_000])
        assert steady.usual() == 46_000

    def test_what_an_earlier_part_of_the_run_found_stays(self) -> None:
        steady = pace.Pace(0, known=46_000)
        steady.add([70_000] * 100)
        assert steady.usual() == 46_000
        steady.add([45_000] * 100)
        assert steady.usual() == 45_000

    def test_a_look_is_processor_time_of_this_thread(self) -> None:
        before = time.thread_time_ns()
        took = pace.look()
        assert 0 < 3 * took <= time.thread_time_ns() - before

    def test_patience_ends(self) -> None:
        steady = pace.Pace(5)
        assert [steady.again(2) for _ in range(3)] == [True, True, False]

    def test_what_is_said_of_it(self) -> None:
        assert (
            pace.told([0.5, 0.3, 0]) == "40% of the time of 2 rounds; in 1 it was too little, and all counts"
        )

    def test_a_round_that_was_not_quick_is_left_out(self) -> None:
        found = outcome("bjoern", 10, 30, 11)
        found.shares = [0.2, 0, 0.6]
        assert found.counted()[1] == [0.2, 0.6]
        assert found.median("cpu_us") == 10.5
        found.shares = [0, 0, 0]
        assert found.median("cpu_us") == 11
        assert table.as_data(HELLO, [found])["servers"]["bjoern"]["rounds"] == found.rounds


class TestSlices:
    """Samples at 1.00, 1.01 … 1.05: each 5 ms of processor, 700 octets, and 10 ms after the one before."""

    samples: ClassVar = [watch.Sample(1 + n / 100, n * 5_000_000, n * 700) for n in range(6)]

    def counted(self, looks: Sequence[tuple[float, int]]) -> watch.Counted:
        found = watch.Watch([], (0, 1))
        found.samples = self.samples
        found.looks[0] = list(looks)
        found.looks[1] = [(sample.at, 100) for sample in self.samples]
        return found.quick(100)

    def test_without_a_slow_look_all_count(self) -> None:
        looks = [(1.004, 110), (1.05, 90)]
        assert self.counted(looks) == watch.Counted(pytest.approx(0.05), 25_000_000, 3500)

    @pytest.mark.parametrize("took", [120, 80], ids=["slower", "faster"])
    def test_a_look_within_a_slice_spoils_it_and_its_neighbours(self, took: int) -> None:
        assert self.counted([(1.025, took)]) == watch.Counted(pytest.approx(0.02), 10_000_000, 1400)

    def test_each_look_spoils_its_own(self) -> None:
        assert self.counted([(1.0, 200), (1.005, 200), (1.045, 200)]) == watch.Counted(
            pytest.approx(0.01), 5_000_000, 700
        )

    def test_looks_outside_spoil_nothing(self) -> None:
        assert self.counted([(0.9, 200), (1.2, 200)]).octets == 3500

    def test_looks_before_the_first_load(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(watch, "BEFORE", 0.2)
        cores = sorted(os.sched_getaffinity(0))
        found = watch.looks((cores[0], cores[-1]))
        assert len(found) >= 2
        assert min(found) > 0

    def test_a_process_is_watched(self) -> None:
        """It computes for a moment, reads 50,000 octets, and waits to be ended."""
        code = "open('/dev/zero', 'rb').read(50_000); sum(range(3_000_000)); print(flush=True); input()"
        cores = sorted(os.sched_getaffinity(0))
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as child:
            assert child.stdin
            assert child.stdout
            found = watch.Watch([child.pid], (cores[0], cores[-1]))
            with found.over(child.pid):
                child.stdout.readline()
                known = len(found.samples)
                eventually(lambda: len(found.samples) > known + 1, "two samples more")
            child.stdin.close()
        last = found.samples[-1]
        assert last.octets >= 50_000
        assert 1_000_000 < last.cpu_ns < 10_000_000_000
        assert set(found.looks) == {cores[0], cores[-1]}
        assert all(took > 0 for took in found.durations())
        assert os.sched_getaffinity(0) == set(cores)


class TestARoundUnderLoad:
    """Each load takes two seconds, of which the list says how many were quick."""

    def run(self, monkeypatch: pytest.MonkeyPatch, quick: Sequence[float], patience: float) -> Any:
        seconds = iter(quick)

        class Seen(watch.Watch):
            def __init__(self, *_: object) -> None:
                super().__init__([], (0, 1))
                self.found = watch.Counted(part := next(seconds), int(part * 1e9), int(part * 100_000))

            def durations(self) -> list[int]:
                return [50]

            def quick(self, usual: float) -> watch.Counted:
                assert usual == 50
                return self.found

            def whole(self) -> watch.Counted:
                return watch.Counted(2.0, 4_000_000_000, 200_000)

        monkeypatch.setattr(under_load, "Watch", Seen)
        monkeypatch.setattr(load, "run", lambda *_: load.Load(1000, 200_000, 2.0, 3.0, True))
        return under_load.run(PROFILES[0], os.getpid(), 1, 2, (0, 1), pace.Pace(patience))

    def test_what_was_quick_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """200 octets a request: 500 requests in the second that counts, which cost 2000 µs each."""
        done = self.run(monkeypatch, [1.0], 60)
        assert done.share == 0.5
        assert done.values["cpu_us"] == pytest.approx(2000)
        assert done.values["rate"] == pytest.approx(500)
        assert done.values["p99_ms"] == 3.0

    def test_it_goes_on_until_it_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.run(monkeypatch, [0.1, 0.0, 0.8, 2.0], 60).share == pytest.approx(0.15)

    def test_five_times_at_most(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.run(monkeypatch, [0.1, 0, 0, 0, 0.1, 2.0], 60).share == 0

    def test_patience_ends_with_little(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.run(monkeypatch, [0.1, 0.4, 2.0], 3).share == pytest.approx(0.125)

    def test_patience_ends_with_too_little_and_all_counts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        done = self.run(monkeypatch, [0.1, 0.0, 2.0], 3)
        assert done.share == 0
        assert done.values["cpu_us"] == pytest.approx(4000)
