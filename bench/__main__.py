"""`make bench`, or `python -m bench --help`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import prepare, table
from bench.measure import Outcome, measure
from bench.profiles import PROFILES, QUICK, Profile
from bench.servers import FASTEST, SERVERS, select

ENOUGH_FILES = 4096


def main() -> int:
    arguments = _arguments()
    # A TERM ends the servers too, as Ctrl-C does: both unwind the stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare.prepare()
    cores = _pin()
    started = time.monotonic()
    heading = _heading(cores, arguments)
    print(heading)
    data: dict[str, object] = {"about": heading.splitlines(), "versions": prepare.versions()}
    for profile in arguments.profiles:
        outcomes = _run(profile, arguments, cores)
        if outcomes:
            print(table.render(profile, outcomes), flush=True)
            data[profile.name] = table.as_data(profile, outcomes)
    print(f"\n{time.monotonic() - started:.0f} s in all.")
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return 0


def _run(profile: Profile, arguments: argparse.Namespace, cores: tuple[int, int]) -> list[Outcome]:
    """All rounds of one profile: the servers take turns, and another one begins each time."""
    servers = select(profile.name, arguments.only, profile.kind == "beside")
    outcomes = [Outcome(server) for server in servers]
    for number in range(arguments.rounds):
        turn = number % max(1, len(outcomes))
        for outcome in outcomes[turn:] + outcomes[:turn]:
            if outcome.wrong:
                continue
            _progress(f"{profile.name}, round {number + 1} of {arguments.rounds}: {outcome.server.name}")
            measure(outcome, profile, arguments.seconds, cores)
    _progress("")
    return outcomes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Pronghorn against its peers (bench/README.md)."
    )
    parser.add_argument("--seconds", type=_positive, default=2, help="length of one measurement (2)")
    parser.add_argument(
        "--rounds", type=_positive, default=None, help="measurements of which the median counts (3)"
    )
    parser.add_argument("--only", type=_names, default=(), metavar="A,B", help="only these servers")
    parser.add_argument("--profiles", type=_names, default=(), metavar="A,B", help="only these profiles")
    parser.add_argument(
        "--quick", action="store_true", help="five profiles, the three fastest peers, one round"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    arguments = parser.parse_args()
    _known(parser, arguments.only, [s.name.split()[0] for s in SERVERS if s.role != "tuned"])
    _known(parser, arguments.profiles, [p.name for p in PROFILES])
    if arguments.quick:
        arguments.only = arguments.only or ("pronghorn", *FASTEST, "floor")
        arguments.profiles = arguments.profiles or QUICK
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    arguments.profiles = [p for p in PROFILES if not arguments.profiles or p.name in arguments.profiles]
    return arguments


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _known(parser: argparse.ArgumentParser, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            parser.error(f"there is no {name!r}; there are {', '.join(known)}")


def _pin() -> tuple[int, int]:
    """The server's core and the load's; this process and all it starts but servers stay on the second."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < ENOUGH_FILES:
        wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1] if len(cores) < 2 else cores[1]})
    return cores[0], cores[min(1, len(cores) - 1)]


def _heading(cores: tuple[int, int], arguments: argparse.Namespace) -> str:
    kind = "compiled modules" if prepare.compiled() else "pure Python"
    peers = ", ".join(f"{name} {version}" for name, version in prepare.versions().items())
    lines = [
        f"Pronghorn ({kind}) on CPython {platform.python_version()}, Linux {platform.release()}",
        peers,
        f"server on core {cores[0]}, load on core {cores[1]}; "
        f"median of {arguments.rounds} x {arguments.seconds} s, one process each, access logs off",
        "/best: to the best peer of the column; /floor: to a C program that only receives and sends",
    ]
    if cores[0] == cores[1]:
        lines.append("There is only one core: the load disturbs the server, and requests/s mean little.")
    return "\n".join(lines)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
