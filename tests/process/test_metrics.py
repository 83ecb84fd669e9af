"""--metrics: the counters of all workers, whichever answers, whoever has left meanwhile."""

import os
import signal
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.process.harness import Server, eventually, running, site

FLAGS = ("--workers", "2", "--metrics", "/-/metrics")
ROUTES = """
    elif path == "/broken":
        raise RuntimeError("as it should")
"""

Samples = dict[str, float]


def scraped(server: Server) -> Samples:
    """Values by name and label, as Prometheus's own parser reads them."""
    answer = server.get("/-/metrics")
    assert answer.status == 200
    found = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        for sample in family.samples:
            label = "".join(f" {value}" for value in sample.labels.values())
            found[sample.name.removeprefix("pronghorn_") + label] = sample.value
    return found


def wait_for(server: Server, **responses: float) -> Samples:
    """Values with exactly so many answers of these classes, such as s4xx. They are a tenth of a second old."""
    wanted = {f"responses_total {status[1:]}": count for status, count in responses.items()}
    found: list[Samples] = []

    def right() -> bool:
        found.append(scraped(server))
        return wanted.items() <= found[-1].items()

    eventually(right, str(wanted), every=0.05)
    return found[-1]


def test_values_are_right_after_known_requests_to_two_workers(tmp_path: Path) -> None:
    with running(site(routes=ROUTES), *FLAGS) as server:
        server.wait_for_workers(2)
        server.get("/sleep?0.03")
        for _ in range(20):
            assert server.get("/nowhere").status == 404
        for _ in range(3):
            assert server.get("/broken").status == 500
        with server.connect() as client:
            assert client.ask(b"GET / HTTP/1.1\r\n\r\n").status == 400
        values = wait_for(server, s4xx=21, s5xx=3)
        buckets = [value for name, value in values.items() if "_bucket" in name]
        assert buckets == sorted(buckets) and len(buckets) == 12
        assert values["request_duration_seconds_count"] == buckets[-1] >= 24
        slow = (
            values["request_duration_seconds_bucket +Inf"] - values["request_duration_seconds_bucket 0.025"]
        )
        assert slow >= 1 and values["request_duration_seconds_sum"] >= 0.03
        assert values["response_content_bytes_total"] > 20 * len("no such route")
        assert values["responses_total none"] == 0


def test_counters_never_go_back_when_workers_are_replaced(tmp_path: Path) -> None:
    with running(site("1"), *FLAGS) as server:
        for generation in ("2", "3"):
            for _ in range(10):
                server.get("/nowhere")
            wait_for(server, s4xx=10 * (int(generation) - 1))
            before = server.worker_pids()
            server.write(site(generation))
            server.signal(signal.SIGHUP)
            server.wait_for_version(generation)
            server.wait_until_gone(before)
        pids = server.wait_for_workers(2)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        server.wait_until_gone(pids)
        server.wait_for_workers(2)
        wait_for(server, s4xx=20)


def test_without_a_master(tmp_path: Path) -> None:
    with running(site(), "--no-master", "--metrics", "/-/metrics") as server:
        server.get("/nowhere")
        wait_for(server, s4xx=1)
