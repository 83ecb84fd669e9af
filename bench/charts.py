"""Draws a result with matplotlib, which is in bench/.env only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import pyplot
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.reading import Data, number, series, servers_of, shown, single, value

# Equal data make equal files.
matplotlib.use("svg")
matplotlib.rcParams.update(
    {"svg.hashsalt": "bench", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
     "axes.spines.right": False, "figure.facecolor": "white", "legend.frameon": False}
)  # fmt: skip

COLOURS = {
    "pronghorn": "#c2410c",
    "pronghorn compiled": "#f59e0b",
    "bjoern": "#2563eb",
    "fastpysgi": "#0891b2",
    "granian": "#7c3aed",
    "uwsgi": "#16a34a",
    "waitress": "#64748b",
    "cheroot": "#a16207",
    "gunicorn": "#0f172a",
    "floor (C)": "#cbd5e1",
}
COLUMNS = 4
TITLES = {"cpu_us": "µs of processor per request", "rate": "requests/s"}
# By chart: its alternative text, and what stands side by side: series, label, measure.
PANELS = {
    "connections": (
        "Processor time and requests per second by connections",
        (("connections", "connections", "cpu_us"), ("connections", "connections", "rate")),
    ),
    "lines": (
        "Processor time by header lines",
        (
            ("lines", "header lines, equal each time", "cpu_us"),
            ("lines-differ", "header lines, all different each time", "cpu_us"),
        ),
    ),
    "bodies": (
        "Processor time by body size",
        (
            ("request-body", "bytes of request body", "cpu_us"),
            ("response-body", "bytes of response body", "cpu_us"),
        ),
    ),
    "threads": (
        "Processor time and requests per second by threads",
        (
            ("threads", "threads, hello", "cpu_us"),
            ("threads-wait", "threads, an application that waits 10 ms", "rate"),
        ),
    ),
    "workers": (
        "Requests per second by worker processes",
        (("workers", "workers, hello", "rate"), ("workers-django", "workers, the Django page", "rate")),
    ),
}


def draw(result: Data, folder: Path) -> dict[str, str]:
    """Write all charts; return the alternative text of each by its name."""
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    made: dict[str, str] = {}
    for name, text, make in _charts(result):
        figure = make()
        if figure is None:
            continue
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
        pyplot.close(figure)
        made[name] = text
    return made


def _charts(result: Data) -> list[tuple[str, str, Callable[[], Any]]]:
    """(name, alternative text, what draws it)."""
    growth = [(name, text, partial(_growth, result, panels)) for name, (text, panels) in PANELS.items()]
    return [
        ("cpu_us", "Processor time per request", partial(_bars, result, "cpu_us")),
        ("rate", "Requests per second", partial(_bars, result, "rate")),
        ("beside", "Latency beside slow and busy requests", partial(_beside, result)),
        ("memory", "Memory, idle and per connection", partial(_memory, result)),
        *growth,
    ]


def _bars(result: Data, key: str) -> Any:
    """A small chart for each profile."""
    profiles = {name: p for name, p in single(result).items() if name != "accesslog"}
    if not profiles:
        return None
    rows = -(-len(profiles) // COLUMNS)
    figure, grid = pyplot.subplots(rows, COLUMNS, figsize=(13, 2.5 * rows), squeeze=False)
    cells = list(grid.flat)
    for axes, (name, profile) in zip(cells, profiles.items(), strict=False):
        _bar(axes, [(s, value(profile, s, key)) for s in shown(result)], name)
    for axes in cells[len(profiles) :]:
        axes.axis("off")
    figure.tight_layout()
    return figure


def _bar(axes: Any, values: list[tuple[str, float | None]], title: str) -> None:
    names = [name for name, _ in values]
    axes.barh(names, [v or 0 for _, v in values], color=[COLOURS.get(name, "#999999") for name in names])
    for place, (_, amount) in enumerate(values):
        axes.text(amount or 0, place, f" {number(amount)}", va="center", fontsize=7)
    axes.set_title(title, loc="left", fontweight="bold")
    axes.invert_yaxis()
    axes.margins(x=0.18)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0)


def _beside(result: Data) -> Any:
    names = [name for name in ("beside-slow", "beside-busy") if name in result["profiles"]]
    if not names:
        return None
    figure, grid = pyplot.subplots(len(names), 2, figsize=(11, 2.6 * len(names)), squeeze=False)
    for row, name in zip(grid, names, strict=True):
        profile = result["profiles"][name]
        for axes, key in zip(row, ("p50_ms", "p99_ms"), strict=True):
            values = [(s, value(profile, s, key)) for s in profile["servers"]]
            _bar(axes, values, f"{name}: {key.removesuffix('_ms')}, ms")
    figure.tight_layout()
    return figure


def _memory(result: Data) -> Any:
    profile = result["profiles"].get("crowd")
    if profile is None:
        return None
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 2.8))
    servers = [name for name in shown(result) if name in profile["servers"]]
    _bar(left, [(s, value(profile, s, "idle_mb")) for s in servers], "idle: PSS of all processes, MB")
    _bar(right, [(s, value(profile, s, "connection_kb")) for s in servers], "each idle connection: PSS, KiB")
    figure.tight_layout()
    return figure


def _growth(result: Data, panels: tuple[tuple[str, str, str], ...]) -> Any:
    """Series side by side, with one legend."""
    if not any(series(result, name) for name, _, _ in panels):
        return None
    figure, cells = pyplot.subplots(1, len(panels), figsize=(12, 3.8))
    handles: dict[str, Any] = {}
    for axes, (name, label, key) in zip(cells, panels, strict=True):
        points = series(result, name)
        for server in servers_of(points, key):
            found = [(p["x"], v) for p in points if (v := value(p, server, key)) is not None]
            colour = COLOURS.get(server, "#999999")
            (handles[server],) = axes.plot(*zip(*found, strict=True), "o-", markersize=3, color=colour)
        _scales(axes, [p["x"] for p in points])
        axes.set_xlabel(label)
        axes.set_title(TITLES[key], loc="left", fontweight="bold")
    names = [name for name in shown(result) if name in handles]
    legend = [handles[name] for name in names]
    cells[-1].legend(legend, names, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.tight_layout()
    return figure


def _scales(axes: Any, sizes: list[int]) -> None:
    """Logarithms, with room for zero."""
    axes.set_xscale("symlog", linthresh=max(1, min((s for s in sizes if s), default=1)))
    axes.set_xticks(sizes, labels=[_size(size) for size in sizes])
    axes.minorticks_off()
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda amount, _: number(amount)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", alpha=0.3)


def _size(size: int) -> str:
    if size >= 1024 and size % 1024 == 0:
        return f"{size >> 20}Mi" if size % (1 << 20) == 0 else f"{size >> 10}Ki"
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size:,}"
