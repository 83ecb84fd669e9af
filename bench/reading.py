"""What the page, the charts and a run that goes on ask of a result (results.py)."""

from __future__ import annotations

from typing import Any

Data = dict[str, Any]
SUBJECTS = ("pronghorn", "pronghorn compiled")


def shown(result: Data, *, tuned: bool = False) -> list[str]:
    """All servers of the result, in the order of their declaration; without variants, unless asked for."""
    names: dict[str, str] = {}
    for profile in result["profiles"].values():
        names |= {name: server["role"] for name, server in profile["servers"].items()}
    return [name for name, role in names.items() if tuned or role != "tuned"]


def value(profile: Data, server: str, key: str) -> float | None:
    """The median of a server that has not failed."""
    found = profile["servers"].get(server)
    if not found or found["failed"]:
        return None
    median: float | None = found["median"].get(key)
    return median


def quick(found: Data) -> bool:
    """Of one server in one profile: it is of quick moments (watch.py), or nobody asked for such."""
    return not found["shares"] or any(found["shares"])


def shares(result: Data) -> list[float]:
    """Of all rounds under load that count, what part of their time does (under_load.py)."""
    return [
        share
        for profile in result["profiles"].values()
        for found in profile["servers"].values()
        for share in found["shares"]
    ]


def spread(profile: Data, server: str, key: str) -> tuple[float, float]:
    """The smallest and largest of the rounds."""
    values = [values[key] for values in profile["servers"][server]["rounds"] if key in values]
    return min(values), max(values)


def single(result: Data) -> dict[str, Data]:
    """The profiles under load that are no points of a series."""
    return {
        name: profile
        for name, profile in result["profiles"].items()
        if profile["kind"] == "load" and not profile["series"]
    }


def series(result: Data, name: str) -> list[Data]:
    """The points of a series by size."""
    points = [profile for profile in result["profiles"].values() if profile["series"] == name]
    return sorted(points, key=lambda profile: int(profile["x"]))


def servers_of(profiles: list[Data], key: str) -> list[str]:
    """The servers that have this value in one of these profiles."""
    names = dict.fromkeys(name for profile in profiles for name in profile["servers"])
    return [name for name in names if any(value(profile, name, key) is not None for profile in profiles)]


def number(amount: float | None) -> str:
    """Three digits or so."""
    if amount is None:
        return "–"
    if amount >= 100:
        return f"{amount:,.0f}"
    return f"{amount:.1f}" if amount >= 10 else f"{amount:.2f}"


def cell(profile: Data, server: str, key: str) -> str:
    """The median as text; in parentheses where it is a time or a rate, and the machine was never quick."""
    text = number(value(profile, server, key))
    if text == "–" or key not in ("cpu_us", "rate") or quick(profile["servers"][server]):
        return text
    return f"({text})"
