"""What is compiled is worth it. Run by `make test-compiled`, with a pronghorn that was built by setup.py."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pronghorn.cli import compiled_modules

ROOT = Path(__file__).parents[1]
AT_LEAST = 1.5
"""Times as fast as its source; one forgotten type shows."""

RUNS = 8
"""Of two thirds of a second each, for either: with three, a busy neighbour made functions look too slow."""

EXCEPT = {"head.parse_section": 1.1}
"""Nearly all of it is spent in methods of bytes, which are C in both."""


def times(**environ: str) -> dict[str, float]:
    """Nanoseconds by function."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests_compiled" / "stopwatch.py")],
        env={**os.environ, "PYTHONSAFEPATH": "1", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def ratios() -> dict[str, float]:
    """In turns, so that a busy moment of the machine meets both. A neighbour makes times longer and never
    shorter: the least of each counts."""
    runs = [(times(PYTHONPATH=str(ROOT / "src")), times(PYTHONPATH="")) for _ in range(RUNS)]
    return {
        name: min(plain[name] for plain, _ in runs) / min(compiled[name] for _, compiled in runs)
        for name in runs[0][0]
    }


def too_slow(ratios: dict[str, float]) -> dict[str, float]:
    return {name: ratio for name, ratio in ratios.items() if ratio < EXCEPT.get(name, AT_LEAST)}


def test_there_is_something_compiled() -> None:
    assert len(compiled_modules()) == len(list((ROOT / "src").rglob("*.pxd")))


def test_each_hot_function_is_faster_than_its_source(ratios: dict[str, float]) -> None:
    assert too_slow(ratios) == {}
