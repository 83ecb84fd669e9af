"""One table per profile: each measure with its ratio to the best peer and to the floor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bench.measure import Outcome
from bench.profiles import Profile
from bench.reading import quick
from bench.servers import SERVERS


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    label: str
    digits: int = 1
    more_is_better: bool = False


LOAD = (
    Column("cpu_us", "µs/req", 2),
    Column("rate", "req/s", 0, more_is_better=True),
    Column("p99_ms", "p99 ms", 2),
    Column("pss_mb", "PSS MB"),
)
BLOCK = Column("block_ms", "block ms", 3)
BESIDE = (
    Column("p50_ms", "p50 ms", 2),
    Column("p99_ms", "p99 ms", 2),
    Column("background", "others/s", more_is_better=True),
)
CROWD = (
    Column("idle_mb", "idle MB"),
    Column("worker_mb", "worker MB"),
    Column("connection_kb", "KiB/conn", 2),
    Column("accept_rate", "conns/s", 0, more_is_better=True),
    Column("accept_us", "µs/conn", 1),
)


def columns(profile: Profile) -> tuple[Column, ...]:
    if profile.kind != "load":
        return BESIDE if profile.kind == "beside" else CROWD
    return (*LOAD, BLOCK) if profile.streams else LOAD


def best(outcomes: list[Outcome], column: Column) -> float | None:
    """The best peer's value: Pronghorn, tuned rows, failed peers and the floor do not count."""
    values = [
        v
        for o in outcomes
        if o.server.role == "peer" and not o.failed and (v := o.median(column.key)) is not None
    ]
    if not values:
        return None
    return max(values) if column.more_is_better else min(values)


def floor(outcomes: list[Outcome], column: Column) -> float | None:
    return next((o.median(column.key) for o in outcomes if o.server.role == "floor"), None)


def render(profile: Profile, outcomes: list[Outcome]) -> str:
    """A heading, one line per server, and below them what went wrong."""
    shown = columns(profile)
    has_floor = any(o.server.role == "floor" for o in outcomes)
    lines = ["", f"{profile.name}: {profile.title}", _heading(shown, has_floor)]
    lines += [_line(outcome, outcomes, shown, has_floor) for outcome in _sorted(outcomes, shown[0])]
    for outcome in outcomes:
        if outcome.failures and not outcome.failed:
            lines.append(
                f"  {outcome.server.name}: {len(outcome.failures)} rounds failed: {outcome.failures[0]}"
            )
    return "\n".join(lines)


def _sorted(outcomes: list[Outcome], column: Column) -> list[Outcome]:
    def rank(outcome: Outcome) -> float:
        value = outcome.median(column.key)
        return float("inf") if value is None or outcome.failed else value

    return sorted(outcomes, key=rank)


def _heading(shown: tuple[Column, ...], has_floor: bool) -> str:
    cells = (f"{c.label:>11}{'/best':>7}" + (f"{'/floor':>8}" if has_floor else "") for c in shown)
    return f"  {'':<20}" + "".join(cells)


def _line(outcome: Outcome, outcomes: list[Outcome], shown: tuple[Column, ...], has_floor: bool) -> str:
    start = f"  {outcome.server.name:<20}"
    if outcome.failed and not outcome.rounds:
        return f"{start}   failed: {outcome.failures[0]}"
    cells = []
    for column in shown:
        value = outcome.median(column.key)
        cells.append("          –" if value is None else f"{value:>11,.{column.digits}f}")
        cells.append(f"{_ratio(value, best(outcomes, column)):>7}")
        if has_floor:
            cells.append(f"{_ratio(value, floor(outcomes, column)):>8}")
    notes = ", ".join(sorted(outcome.notes - {""}))
    if outcome.failed:
        notes = f"failed: {outcome.failures[0]}"
    return (start + "".join(cells) + (f"   {notes}" if notes else "")).rstrip()


def _ratio(value: float | None, reference: float | None) -> str:
    if value is None or not reference:
        return ""
    ratio = value / reference
    return f"{ratio:.2f}" if ratio < 100 else f"{ratio:.0f}"


def as_data(profile: Profile, outcomes: list[Outcome]) -> dict[str, object]:
    """What `--json` writes for one profile."""
    shown = columns(profile)
    servers = {}
    for outcome in outcomes:
        medians = {c.key: outcome.median(c.key) for c in shown}
        ratios = {c.key: _quotient(medians[c.key], best(outcomes, c)) for c in shown}
        floors = {c.key: _quotient(medians[c.key], floor(outcomes, c)) for c in shown}
        servers[outcome.server.name] = {
            "role": outcome.server.role,
            "median": medians,
            "to_best_peer": ratios,
            "to_floor": floors,
            "rounds": outcome.counted()[0],
            "shares": outcome.counted()[1],
            "attempts": outcome.attempts,
            "failed": outcome.failed,
            "failures": outcome.failures,
            "notes": sorted(outcome.notes - {""}),
        }
    return {
        "title": profile.title,
        "kind": profile.kind,
        "series": profile.series,
        "x": profile.x,
        "columns": [asdict(column) for column in shown],
        "servers": servers,
    }


def from_data(data: dict[str, Any]) -> list[Outcome]:
    """The outcomes that `as_data` has written; of a server that never had quick moments, an empty one."""
    outcomes = []
    for name, found in data["servers"].items():
        outcome = Outcome(next(server for server in SERVERS if server.name == name))
        if quick(found):
            outcome.attempts, outcome.failures = found["attempts"], found["failures"]
            outcome.rounds, outcome.shares = found["rounds"], found["shares"]
            outcome.notes, outcome.wrong = set(found["notes"]), found["failed"]
        outcomes.append(outcome)
    return outcomes


def _quotient(value: float | None, reference: float | None) -> float | None:
    return value / reference if value is not None and reference else None
