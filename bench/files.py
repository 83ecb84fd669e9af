"""Files: Pronghorn beside nginx (one worker, sendfile, open_file_cache) and granian.

    .venv/bin/python -m bench.files [--rounds N]

Needs nginx, wrk and `bench/.env` (made by `make bench`). The same method as the other profiles: the server on
one core, wrk on the other, turns, medians, µs of processor time per request.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

from bench.proc import cpu_time, spent
from bench.process import ENV, ROOT, tree

SIZES = {"4 KiB": ("four.bin", 4096), "1 MiB": ("big.bin", 1 << 20)}
PORTS = {"pronghorn": 19801, "nginx": 19802, "granian": 19803}
NGINX = """
worker_processes 1; daemon off; pid {work}/nginx.pid; error_log {work}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;
  open_file_cache max=1000 inactive=60s; client_body_temp_path {work}/b; proxy_temp_path {work}/p;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def commands(root: Path, work: Path) -> dict[str, list[str]]:
    """By server, how to start it."""
    (work / "nginx.conf").write_text(NGINX.format(work=work, root=root, port=PORTS["nginx"]))
    address = f"127.0.0.1:{PORTS['pronghorn']}"
    made = {"pronghorn": [sys.executable, "-m", "pronghorn", "static", str(root), "--bind", address]}
    nginx = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
    if nginx:
        made["nginx"] = [nginx, "-c", str(work / "nginx.conf"), "-p", str(work)]
    granian = ENV / "bin" / "granian"
    if granian.exists():
        made["granian"] = [
            str(granian), "bench.apps:hello", "--interface", "wsgi", "--workers", "1", "--no-access-log",
            "--log-level", "error", "--host", "127.0.0.1", "--port", str(PORTS["granian"]),
            "--static-path-route", "/files", "--static-path-mount", str(root),
        ]  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.files")
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        root = work / "root"
        root.mkdir()
        work.chmod(0o755)
        for name, size in SIZES.values():
            (root / name).write_bytes(os.urandom(size))
            os.utime(root / name, (1_700_000_000, 1_700_000_000))
        servers = commands(root, work)
        seen: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(rounds):
            for server, command in servers.items():
                for label, (name, size) in SIZES.items():
                    seen.setdefault((label, server), []).append(_measure(server, command, name, size))
    for label in SIZES:
        reference = statistics.median(cpu for cpu, _ in seen.get((label, "nginx"), [(float("nan"), 0.0)]))
        print(f"\n{label:<12}{'µs/req':>10}{'/nginx':>8}{'req/s':>12}")
        for server in servers:
            cpu = statistics.median(cpu for cpu, _ in seen[label, server])
            rate = statistics.median(rate for _, rate in seen[label, server])
            print(f"  {server:<10}{cpu:>10.2f}{cpu / reference:>8.2f}{rate:>12,.0f}")


def _measure(server: str, command: list[str], name: str, size: int) -> tuple[float, float]:
    """Microseconds of processor time per request, and requests per second."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),
    )  # fmt: skip
    url = f"http://127.0.0.1:{PORTS[server]}{'/files' if server == 'granian' else ''}/{name}"
    try:
        _wait(url, size)
        _wrk(url, 1)
        before = cpu_time(tree(process.pid))
        requests, rate = _wrk(url, 3)
        after = cpu_time(tree(process.pid))
        return spent(before, after) / 1000 / requests, rate
    finally:
        process.terminate()
        process.wait(10)


def _wait(url: str, size: int) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                assert len(answer.read()) == size
                return
        except OSError:
            subprocess.run(["sleep", "0.05"], check=True)
    raise SystemExit(f"{url} does not answer")


def _wrk(url: str, seconds: int) -> tuple[int, float]:
    command = ["wrk", "-t1", "-c64", f"-d{seconds}", url]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    requests = re.search(r"(\d+) requests in", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    assert requests and rate, text
    return int(requests[1]), float(rate[1])


if __name__ == "__main__":
    main()
