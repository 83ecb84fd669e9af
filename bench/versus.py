"""Is the working tree slower than an older revision? `make bench-quick`, or `make bench-quick REV=abc123`.

Both serve in turns, in pairs; each pair gives a ratio of processor time per request, and the median of the
ratios counts. The smallest and the largest ratio say how far it can be trusted: with six pairs the true
median is between them in 97 of 100 cases. Ends with 1 when a ratio is above 1.05 and the smallest is above 1,
so that no single pair speaks against it; with 2 when something failed.
"""

from __future__ import annotations

import argparse
import io
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from bench import machine, prepare
from bench.measure import Outcome, measure
from bench.pace import Pace
from bench.process import ROOT, WORK
from bench.profiles import PROFILES, Profile
from bench.servers import PRONGHORN, Server
from bench.watch import looks

NAMES: Sequence[str] = ("hello", "browser", "varied", "post1k", "connection", "stream20")
PAIRS = 6
LIMIT = 1.05
# Rounds end here, so that a slow machine takes two minutes, too.
BUDGET = 108.0
LEAST = 3
# Seconds to go on with a load while the machine is slow.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """The ratios of one profile's pairs, new to old."""

    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def slower(self) -> bool:
        """Beyond the limit, and beyond the noise."""
        return self.ratio > LIMIT and min(self.ratios) > 1

    def __str__(self) -> str:
        end = "   SLOWER" if self.slower else ""
        return f"{self.ratio:6.3f}   {min(self.ratios):.3f} – {max(self.ratios):.3f}{end}"


def main() -> int:
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    prepare.prepare()
    revision = arguments.revision or _last_release()
    commit = _commit(revision)
    servers = (_server("the working tree", "src"), _server(revision, _extract(commit)))
    cores = machine.pin()
    print(f"The working tree against {revision} ({commit[:12]}): µs of processor time per request")
    profiles = [profile for profile in PROFILES if profile.name in arguments.profiles]
    pairs = {profile.name: (Outcome(servers[0]), Outcome(servers[1])) for profile in profiles}
    steady = Pace(PATIENCE)
    steady.add(looks(cores))
    _rounds(profiles, pairs, arguments.pairs, cores, steady)
    return report(pairs)


def _rounds(
    profiles: list[Profile],
    pairs: dict[str, tuple[Outcome, Outcome]],
    count: int,
    cores: tuple[int, int],
    steady: Pace,
) -> None:
    """Another one begins in each round."""
    started = time.monotonic()
    for number in range(count):
        elapsed = time.monotonic() - started
        if number >= LEAST and elapsed * (number + 1) / number > BUDGET * count / PAIRS:
            print(f"{number} pairs, not {count}: the machine is slow")
            return
        for profile in profiles:
            new, old = pairs[profile.name]
            for outcome in (new, old) if number % 2 else (old, new):
                measure(outcome, profile, 1, cores, steady)


def report(pairs: dict[str, tuple[Outcome, Outcome]]) -> int:
    """Print a line for each profile; return the exit code."""
    print(f"  {'':<12}{'new':>9}{'old':>9}{'ratio':>9}   smallest – largest")
    code = 0
    for name, (new, old) in pairs.items():
        failures = [f"{o.server.name}: {o.failures[0]}" for o in (new, old) if o.failures]
        if failures:
            print(f"  {name:<12} failed: {'; '.join(failures)}")
            code = 2
            continue
        verdict = Verdict(_ratios(new, old))
        print(f"  {name:<12}{new.median('cpu_us'):9.2f}{old.median('cpu_us'):9.2f}   {verdict}")
        code = max(code, int(verdict.slower))
    return code


def _ratios(new: Outcome, old: Outcome) -> tuple[float, ...]:
    """Of the pairs in which the machine was quick; of all, if those are too few."""
    both = [*zip(new.rounds, old.rounds, strict=True)]
    quick = [pair for pair, *shares in zip(both, new.shares, old.shares, strict=True) if all(shares)]
    return tuple(a["cpu_us"] / b["cpu_us"] for a, b in (quick if len(quick) >= LEAST else both))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.versus", description="The working tree against an older revision."
    )
    parser.add_argument("revision", nargs="?", default="", help="the last tag, or HEAD where there is none")
    parser.add_argument("--pairs", type=_pairs, default=PAIRS, metavar="N")
    parser.add_argument(
        "--profiles", type=lambda text: text.split(","), default=NAMES, metavar="A,B", help=", ".join(NAMES)
    )
    arguments = parser.parse_args()
    for name in arguments.profiles:
        if name not in (profile.name for profile in PROFILES):
            _refuse(f"there is no profile {name!r}")
    return arguments


def _pairs(text: str) -> int:
    if int(text) < LEAST:
        raise argparse.ArgumentTypeError(f"a whole number from {LEAST}")
    return int(text)


def _refuse(text: str) -> NoReturn:
    """1 would say that something is slower."""
    print(text, file=sys.stderr)
    raise SystemExit(2)


def _last_release() -> str:
    found = _git("describe", "--tags", "--abbrev=0")
    return found.stdout.decode().strip() if not found.returncode else "HEAD"


def _commit(revision: str) -> str:
    found = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        _refuse(f"there is no revision {revision!r} in this repository")
    return found.stdout.decode().strip()


def _extract(commit: str) -> str:
    """The source of that commit below bench/.work; the directory that holds the package."""
    folder = WORK / f"base-{commit[:12]}"
    for old in WORK.glob("base-*"):
        shutil.rmtree(old)
    archive = _git("archive", "--format=tar", commit, "src")
    if archive.returncode:
        _refuse(f"revision {commit[:12]} has no src/")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return str((folder / "src").relative_to(ROOT))


def _git(*words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)


def _server(name: str, source: str) -> Server:
    return Server(name, "pronghorn", "subject", PRONGHORN, source=source)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
