"""Where a peer is better than Pronghorn: found in a result, never written by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.reading import SUBJECTS, Data, number, spread, value

# Of a series' points, only what the page shows of them: the rest repeats the profiles.
OF_SERIES = ("cpu_us", "rate")


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one profile in which a peer is better than Pronghorn or Pronghorn compiled."""

    measure: str
    name: str
    peer: str
    # Each cell: the value, and how many times worse than the peer's it is; "≈" if their rounds overlap.
    cells: tuple[str, ...]
    best: str


@dataclass(frozen=True, slots=True)
class Comparison:
    name: str
    profile: Data
    key: str
    label: str
    more_is_better: bool

    def best_peer(self) -> str | None:
        peers = [name for name, s in self.profile["servers"].items() if s["role"] == "peer"]
        values = {peer: v for peer in peers if (v := value(self.profile, peer, self.key)) is not None}
        if not values:
            return None
        return (max if self.more_is_better else min)(values, key=lambda peer: values[peer])

    def worse(self, subject: str, peer: str) -> float:
        """How many times worse the subject is; at most 1 when it is not; endless when it failed."""
        own, other = value(self.profile, subject, self.key), value(self.profile, peer, self.key)
        assert other is not None
        if own is None:
            return float("inf")
        low, high = (own, other) if self.more_is_better else (other, own)
        return high / low if low else 1.0

    def overlaps(self, subject: str, peer: str) -> bool:
        low, high = spread(self.profile, subject, self.key)
        other_low, other_high = spread(self.profile, peer, self.key)
        return low <= other_high and other_low <= high


def comparisons(result: Data) -> Iterator[Comparison]:
    """Each measure of each profile that has a peer in it."""
    for name, profile in result["profiles"].items():
        for column in profile["columns"]:
            if profile["series"] and column["key"] not in OF_SERIES:
                continue
            yield Comparison(name, profile, column["key"], column["label"], column["more_is_better"])


def find(result: Data) -> tuple[list[Row], int]:
    """The rows, and how many comparisons there were."""
    rows, count = [], 0
    for comparison in comparisons(result):
        peer = comparison.best_peer()
        subjects = [name for name in SUBJECTS if name in comparison.profile["servers"]]
        if peer is None or not subjects:
            continue
        count += 1
        if any(comparison.worse(subject, peer) > 1 for subject in subjects):
            rows.append(_row(comparison, peer))
    measures = list(dict.fromkeys(row.measure for row in rows))
    return sorted(rows, key=lambda row: measures.index(row.measure)), count


def _row(comparison: Comparison, peer: str) -> Row:
    best = number(value(comparison.profile, peer, comparison.key))
    cells = tuple(_cell(comparison, subject, peer) for subject in SUBJECTS)
    return Row(comparison.label, comparison.name, peer, cells, best)


def _cell(comparison: Comparison, subject: str, peer: str) -> str:
    if subject not in comparison.profile["servers"]:
        return "–"
    own = value(comparison.profile, subject, comparison.key)
    if own is None:
        return "failed"
    ratio = comparison.worse(subject, peer)
    if ratio <= 1:
        return number(own)
    return f"{number(own)} ({'≈ ' if comparison.overlaps(subject, peer) else ''}×{ratio:.2f})"
