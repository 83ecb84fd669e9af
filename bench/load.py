"""Runs wrk on the load's core and returns what it counted."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.process import WORK, Failure
from bench.profiles import Profile, fill
from bench.verify import newcomer
from bench.watch import Watch

SCRIPT = Path(__file__).with_name("replay.lua")
ERRORS = ("status", "connect", "read", "write", "timeout")


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    octets: int
    seconds: float
    p99_ms: float | None
    newcomer_answered: bool


def run(profile: Profile, port: int, seconds: int, watch: Watch) -> Load:
    """Raises Failure when any request failed."""
    wrk = subprocess.Popen(
        _command(profile, port, seconds), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        with watch.over(wrk.pid):
            time.sleep(seconds * 0.3)
            answered = not profile.newcomers or newcomer(profile, port, seconds * 0.6)
            output, _ = wrk.communicate(timeout=seconds + 20)
    except subprocess.TimeoutExpired as error:
        raise Failure("the load generator did not end") from error
    finally:
        if wrk.poll() is None:
            wrk.kill()
            wrk.wait()
    return _result(profile, output, answered)


def _command(profile: Profile, port: int, seconds: int) -> list[str]:
    """The affinity is inherited from this process."""
    requests = WORK / "request"
    requests.write_text(_requests(profile, port), newline="")
    words = ["wrk", "-t1", f"-c{profile.connections}", f"-d{seconds}s", "--latency", "-s", str(SCRIPT)]
    words += [f"http://127.0.0.1:{port}{profile.path}", "--", str(requests)]
    if profile.rotate:
        return [*words, "rotate", str(profile.rotate)]
    return [*words, "vary"] if profile.vary else words


def _requests(profile: Profile, port: int) -> str:
    template = profile.template(port)
    if profile.rotate:
        return "".join(fill(template, number) for number in range(profile.rotate))
    return template * profile.batch


def _result(profile: Profile, output: str, answered: bool) -> Load:
    lines = output.strip().splitlines()
    try:
        counted = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise Failure(f"wrk: {lines[-1] if lines else 'no output'}") from error
    wrong = ", ".join(f"{counted[kind]} {kind} errors" for kind in ERRORS if counted[kind])
    if wrong:
        raise Failure(f"{wrong} in {counted['requests']} requests")
    if not counted["requests"]:
        raise Failure("no request completed")
    # wrk corrects its latencies for omission by the interval between requests, which is
    # meaningless, and comes out as 0, where many are on their way at once.
    p99 = counted["p99"] / 1000 if profile.batch == 1 else None
    return Load(counted["requests"], counted["octets"], counted["microseconds"] / 1e6, p99, answered)
