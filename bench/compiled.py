"""The row "pronghorn compiled": this tree, built by its own build into bench/.work/compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from bench.process import ENV, ROOT, WORK, environment
from bench.servers import COMPILED

TARGET = ROOT / COMPILED
COPY = WORK / "build"
LOG = WORK / "build.log"
STAMP = WORK / "compiled.built"
TIMEOUT = 900


def version_of(source: str) -> str:
    """What `pronghorn --version` says there."""
    command = [str(ENV / "bin" / "python"), "-m", "pronghorn", "--version"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(source), capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if not done.returncode else "no version"


def is_compiled(version: str) -> bool:
    return "compiled" in version


def build() -> str:
    """Build, if the source is newer. Return why there is no such row, or nothing if there is one."""
    if not STAMP.exists() or _newest() > STAMP.stat().st_mtime:
        print("Building Pronghorn with Cython in bench/.work/compiled ...", file=sys.stderr, flush=True)
        problem = _build()
        if problem:
            return problem
        STAMP.touch()
    version = version_of(COMPILED)
    return "" if is_compiled(version) else f"the build made no compiled modules: {version}"


def _newest() -> float:
    """When the source was last changed: what is compiled, and what says how."""
    files = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".py", ".pxd", ".pyx")]
    return max(path.stat().st_mtime for path in [*files, *_at_the_top()])


def _at_the_top() -> list[Path]:
    names = ("pyproject.toml", "setup.py", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE")
    return [ROOT / name for name in names if (ROOT / name).exists()]


def _build() -> str:
    """Of a copy, so that nothing is left in the checkout. Return what went wrong."""
    STAMP.unlink(missing_ok=True)
    shutil.rmtree(TARGET, ignore_errors=True)
    _copy()
    pip = [
        str(ENV / "bin" / "python"),
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--target",
        str(TARGET),
        str(COPY),
    ]
    required = os.environ | {"PRONGHORN_COMPILE": "require"}
    with LOG.open("wb") as log:
        try:
            done = subprocess.run(pip, env=required, stdout=log, stderr=log, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            return f"the build did not end within {TIMEOUT} s"
    return "the build failed (bench/.work/build.log)" if done.returncode else ""


def _copy() -> None:
    shutil.rmtree(COPY, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info", "*.so", "*.c")
    shutil.copytree(ROOT / "src", COPY / "src", ignore=ignored)
    for path in _at_the_top():
        shutil.copy2(path, COPY)
