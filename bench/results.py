"""What a run has measured, in one file of JSON that is written after each profile."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.process import ROOT

Data = dict[str, Any]


class Results:
    """A run's data: `settings` say what makes two halves of a run one run."""

    def __init__(self, path: Path | None, settings: Data, about: Data) -> None:
        self.path = path
        self.data: Data = {"settings": settings, "about": about, "seconds": 0.0, "profiles": {}}

    def resume(self) -> None:
        """Go on where the file ends. Raises SystemExit when it holds something else."""
        if self.path is None or not self.path.exists():
            return
        old = read(self.path)
        if old["settings"] != self.data["settings"]:
            raise SystemExit(
                f"{self.path}: measured with other settings or another source: run without --resume"
            )
        self.data = old

    def known(self, name: str) -> Data | None:
        """What was measured of this profile."""
        profile: Data | None = self.data["profiles"].get(name)
        return profile

    def add(self, name: str, profile: Data, seconds: float) -> None:
        self.data["profiles"][name] = profile
        self.data["seconds"] += seconds
        self.save()

    def save(self) -> None:
        """Whole or not at all."""
        if self.path is None:
            return
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(json.dumps(self.data, indent=1, ensure_ascii=False) + "\n")
        os.replace(new, self.path)


def read(path: Path) -> Data:
    """Raises SystemExit when it is no result of ours."""
    try:
        data: Data = json.loads(path.read_text())
        data["profiles"], data["settings"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{path}: no result of `python -m bench --json`: {error!r}") from error
    return data


def settings(rounds: int, seconds: int, only: Sequence[str]) -> Data:
    return {"rounds": rounds, "seconds": seconds, "only": list(only), "source": _fingerprint()}


def _fingerprint() -> str:
    """Of Pronghorn's source: another source is another run."""
    whole = hashlib.sha256()
    for path in sorted((ROOT / "src").rglob("*.p*")):
        if path.suffix in (".py", ".pxd", ".pyx"):
            whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return whole.hexdigest()[:16]
