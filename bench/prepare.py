"""What a first run needs: wrk on the PATH, peers and frameworks in bench/.env, the floor in bench/.work."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

from bench import pages
from bench.process import ENV, WORK

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers.txt"
FRAMEWORKS = HERE / "pages.txt"
VERSIONS = """
import importlib.metadata, sys
for name in sys.argv[1:]:
    print(name, importlib.metadata.version(name))
"""

_lock: list[IO[str]] = []


def prepare() -> None:
    """Raises SystemExit with one sentence when something is missing."""
    if not shutil.which("wrk"):
        raise SystemExit("The benchmark's load comes from wrk, which is not on the PATH: apt-get install wrk")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        raise SystemExit(
            "The benchmark's floor is in C and there is no cc on the PATH: apt-get install gcc libc6-dev"
        )
    WORK.mkdir(exist_ok=True)
    _be_alone()
    (WORK / "access.log").unlink(missing_ok=True)  # those of many runs would grow to gigabytes
    _build_floor(compiler)
    _install()
    if not _newer(pages.DATABASE, HERE / "pages.py"):
        pages.write(pages.DATABASE)


def versions() -> dict[str, str]:
    """Of the peers and frameworks in bench/.env."""
    names = [*PEERS.read_text().split(), *FRAMEWORKS.read_text().split()]
    command = [str(ENV / "bin" / "python"), "-c", VERSIONS, *names]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return dict(line.split() for line in output.splitlines())


def _be_alone() -> None:
    """Two runs would disturb each other's times and files. The lock ends with this process."""
    _lock.append((WORK / "lock").open("w"))
    try:
        fcntl.flock(_lock[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("Another benchmark is running in this checkout") from None


def _build_floor(compiler: str) -> None:
    source, target = HERE / "floor.c", WORK / "floor"
    if _newer(target, source):
        return
    built = subprocess.run([compiler, "-O2", "-o", str(target), str(source)], check=False)
    if built.returncode:
        raise SystemExit("The benchmark's floor could not be compiled; the compiler's words are above.")


def _install() -> None:
    stamp = ENV / ".installed"
    if _newer(stamp, PEERS) and _newer(stamp, FRAMEWORKS):
        return
    print("Installing the peers in bench/.env (once) ...", file=sys.stderr, flush=True)
    python = str(ENV / "bin" / "python")
    quiet = ("--quiet", "--disable-pip-version-check")
    for command in (
        [sys.executable, "-m", "venv", str(ENV)],
        [
            python,
            "-m",
            "pip",
            "install",
            *quiet,
            "--requirement",
            str(PEERS),
            "--requirement",
            str(FRAMEWORKS),
        ],
    ):
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"The peers could not be installed: {' '.join(command)}")
    stamp.touch()


def _newer(target: Path, source: Path) -> bool:
    return target.exists() and target.stat().st_mtime >= source.stat().st_mtime
