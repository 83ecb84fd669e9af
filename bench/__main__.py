"""`make bench`, or `python -m bench --help`."""

from __future__ import annotations

import argparse
import datetime
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import compiled, growth, machine, pace, prepare, reading, table, watch
from bench.measure import Outcome, measure
from bench.process import ENV, ROOT, WORK
from bench.profiles import PROFILES, QUICK, Profile
from bench.results import Data, Results, settings
from bench.servers import FASTEST, SERVERS, select

ALL = (*PROFILES, *growth.points())
RESULT = WORK / "result.json"


def main() -> int:
    arguments = _arguments()
    # A TERM ends the servers too, as Ctrl-C does: both unwind the stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare.prepare()
    arguments.only, problem = _subjects(arguments.only)
    cores = machine.pin()
    about = _about(cores, problem)
    print(_heading(about, cores, arguments))
    results = Results(arguments.json, settings(arguments.rounds, arguments.seconds, arguments.only), about)
    if arguments.resume:
        results.resume()
    steady = pace.Pace(60 * arguments.patience, results.data.get("usual", float("inf")))
    steady.add(watch.looks(cores))
    for profile in arguments.profiles:
        _one(profile, arguments, cores, results, steady)
    print(f"\n{results.data['seconds']:.0f} s in all; quick for {pace.told(reading.shares(results.data))}.")
    return _write_page(results) if arguments.page else 0


def _one(
    profile: Profile,
    arguments: argparse.Namespace,
    cores: tuple[int, int],
    results: Results,
    steady: pace.Pace,
) -> None:
    known = results.known(profile.name)
    outcomes = (
        table.from_data(known) if known else [Outcome(server) for server in select(profile, arguments.only)]
    )
    missing = [outcome for outcome in outcomes if not outcome.attempts]
    if missing:
        started = time.monotonic()
        _run(profile, missing, arguments, cores, steady)
        print(table.render(profile, outcomes), flush=True)
        results.data["usual"] = steady.usual()
        results.add(profile.name, table.as_data(profile, outcomes), time.monotonic() - started)


def _run(
    profile: Profile,
    outcomes: list[Outcome],
    arguments: argparse.Namespace,
    cores: tuple[int, int],
    steady: pace.Pace,
) -> None:
    """All rounds of one profile: the servers take turns, and another one begins each time."""
    rounds = min(profile.rounds or arguments.rounds, arguments.rounds)
    for number in range(rounds):
        turn = number % len(outcomes)
        for outcome in outcomes[turn:] + outcomes[:turn]:
            if outcome.wrong:
                continue
            _progress(f"{profile.name}, round {number + 1} of {rounds}: {outcome.server.name}")
            measure(outcome, profile, arguments.seconds, cores, steady)
    _progress("")


def _subjects(only: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The groups that are measured, and why the compiled row is not among them (or nothing).

    Raises SystemExit when the row "pronghorn" would not be pure Python.
    """
    groups = only or tuple(dict.fromkeys(server.group for server in SERVERS))
    if "pronghorn" in groups and compiled.is_compiled(compiled.version_of("src")):
        raise SystemExit("src/ holds compiled modules, so the row 'pronghorn' would not be pure Python")
    problem = compiled.build() if "compiled" in groups else ""
    return tuple(group for group in groups if group != "compiled" or not problem), problem


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Pronghorn against its peers (bench/README.md)."
    )
    parser.add_argument("--seconds", type=_positive, default=2, help="length of one measurement (2)")
    parser.add_argument(
        "--rounds", type=_positive, default=None, help="measurements of which the median counts (3)"
    )
    parser.add_argument("--only", type=_names, default=(), metavar="A,B", help="only these servers")
    parser.add_argument(
        "--profiles", type=_names, default=(), metavar="A,B", help="only these profiles or series"
    )
    parser.add_argument(
        "--patience",
        type=_whole,
        default=10,
        metavar="MINUTES",
        help="to wait and repeat in all, while the machine is slower than it was (10)",
    )
    parser.add_argument(
        "--quick", action="store_true", help="five profiles, the three fastest peers, one round"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write everything measured to FILE")
    parser.add_argument("--page", action="store_true", help="write docs/benchmarks.md and its charts")
    parser.add_argument(
        "--resume", action="store_true", help="go on with a run: what is missing or was never quick"
    )
    arguments = parser.parse_args()
    _known(parser, arguments.only, sorted({server.group for server in SERVERS}))
    _known(parser, arguments.profiles, [p.series or p.name for p in ALL], [p.name for p in ALL])
    return _completed(arguments)


def _completed(arguments: argparse.Namespace) -> argparse.Namespace:
    if arguments.quick:
        arguments.only = arguments.only or ("pronghorn", *FASTEST, "floor")
        arguments.profiles = arguments.profiles or QUICK
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    wanted = arguments.profiles
    arguments.profiles = [p for p in ALL if not wanted or p.name in wanted or p.series in wanted]
    if arguments.json is None and (arguments.page or arguments.resume):
        arguments.json = RESULT
    return arguments


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number from 1")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("a whole number from 0")
    return value


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _known(
    parser: argparse.ArgumentParser, given: Sequence[str], known: Sequence[str], also: Sequence[str] = ()
) -> None:
    for name in given:
        if name not in known and name not in also:
            parser.error(f"there is no {name!r}; there are {', '.join(dict.fromkeys(known))}")


def _about(cores: tuple[int, int], problem: str) -> Data:
    revision = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--tags", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        **machine.about(),
        "date": datetime.date.today().isoformat(),
        "revision": revision.stdout.strip(),
        "pronghorn": compiled.version_of("src"),
        "no_compiled_row": problem,
        "one_core": cores[0] == cores[1],
        "versions": prepare.versions(),
    }


def _heading(about: Data, cores: tuple[int, int], arguments: argparse.Namespace) -> str:
    lines = [
        f"{about['pronghorn']} on {about['kernel']}, {about['processor']}",
        ", ".join(f"{name} {version}" for name, version in about["versions"].items()),
        f"server on core {cores[0]}, load on core {cores[1]}; "
        f"median of {arguments.rounds} x {arguments.seconds} s, one process each, access logs off",
        "/best: to the best peer of the column; /floor: to a C program that only receives and sends",
    ]
    if about["no_compiled_row"]:
        lines.append(f"No row for Pronghorn compiled: {about['no_compiled_row']}")
    if about["one_core"]:
        lines.append("There is only one core: the load disturbs the server, and requests/s mean little.")
    return "\n".join(lines)


def _write_page(results: Results) -> int:
    """In bench/.env, where the plotting library is."""
    command = [str(ENV / "bin" / "python"), "-m", "bench.page", str(results.path)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
