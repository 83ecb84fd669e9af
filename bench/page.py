"""Writes docs/benchmarks.md and its charts from a result: `python -m bench.page bench/.work/result.json`.

Runs inside bench/.env, where matplotlib is. Everything on the page comes from the result.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from bench import pace, worse
from bench.reading import Data, cell, number, series, servers_of, shares, shown, single, value
from bench.results import read

DOCS = Path(__file__).resolve().parent.parent / "docs"

CROWD = (
    ("idle_mb", "PSS idle, MB"),
    ("worker_mb", "a worker of it, MB"),
    ("connection_kb", "PSS per connection, KiB"),
    ("accept_rate", "connections accepted and answered/s"),
    ("accept_us", "µs of processor per connection"),
)
UNDER_LOAD = (
    ("cpu_us", "Processor time per request, µs"),
    ("rate", "Requests per second"),
    ("p99_ms", "99th percentile of the latency under full load, ms"),
    ("pss_mb", "Memory after the load: PSS of all processes, MB"),
)
BESIDE = (("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("background", "others' requests/s"))
GROWTH = (
    ("connections", "Connections", "connections", ("cpu_us", "rate")),
    ("lines", "Header lines, equal each time", "lines", ("cpu_us",)),
    ("lines-differ", "Header lines, all different each time", "lines", ("cpu_us",)),
    ("request-body", "Request body", "bytes", ("cpu_us",)),
    ("response-body", "Response body", "bytes", ("cpu_us",)),
    ("threads", "Threads, hello", "threads", ("cpu_us", "rate")),
    ("threads-wait", "Threads, an application that waits 10 ms", "threads", ("cpu_us", "rate")),
    ("workers", "Worker processes, hello", "workers", ("cpu_us", "rate")),
    ("workers-django", "Worker processes, the Django page", "workers", ("cpu_us", "rate")),
)
# Which chart stands below which series: that of the pair's last one.
CHART_AFTER = {
    "connections": "connections",
    "lines-differ": "lines",
    "response-body": "bodies",
    "threads-wait": "threads",
    "workers-django": "workers",
}
WHAT = {"cpu_us": "µs of processor per request", "rate": "requests per second"}


def main() -> int:
    result = read(Path(sys.argv[1]))
    charts = importlib.import_module("bench.charts").draw(result, DOCS / "benchmarks")
    (DOCS / "benchmarks.md").write_text(render(result, charts))
    print("docs/benchmarks.md is written.")
    return 0


def render(result: Data, charts: dict[str, str]) -> str:
    """The page. charts: the alternative text of each chart that was drawn, by name."""
    parts = [
        _opening(result),
        *_profiles(result, charts),
        *_beside(result, charts),
        *_logging(result),
        *_crowd(result, charts),
        *_growth(result, charts),
        *_worse(result),
        *_failures(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(result: Data) -> str:
    about, settings = result["about"], result["settings"]
    versions = ", ".join(f"{n} {v}" for n, v in about["versions"].items() if n != "matplotlib")
    lines = [
        "# Benchmarks",
        "",
        "<!-- Written by `make bench`; changes made by hand are lost. -->",
        "",
        f"All numbers, charts and comparisons here were made by `make bench` on {about['date']}, "
        f"at revision {about['revision']}, in {result['seconds'] / 60:.0f} minutes.",
        "",
        "| | |",
        "|---|---|",
        f"| Pronghorn | {_subjects(about)} |",
        f"| machine | {about['processor']}; {about['kernel']} |",
        f"| Python | {about['python']}, for Pronghorn and for all peers |",
        f"| peers and frameworks | {versions} |",
        "",
        "**Method.** Each server has one core and one process, the load (wrk) another core, over loopback, "
        f"with 64 connections unless said. Servers take turns: {settings['rounds']} times "
        f"{settings['seconds']} s, each time a fresh server whose answers are first compared byte by byte; "
        "the median counts. Time is the processor time of the server's whole process tree, the kernel's "
        "share included. The points of *How cost grows* are measured for one second. *floor (C)* "
        "receives, counts the ends of heads and sends, and parses nothing. What fails is no candidate and "
        "stands at the end. "
        "Under load, time and requests count only while a fixed piece of work, timed on both cores every "
        f"10 ms, takes as long as usual: {pace.told(shares(result))}, in "
        "parentheses. "
        "More, and what none of this says: [bench/README.md](../bench/README.md).",
    ]
    return "\n".join(lines)


def _subjects(about: Data) -> str:
    if about["no_compiled_row"]:
        return f"{about['pronghorn']}. No row for Pronghorn compiled: {about['no_compiled_row']}"
    return f"{about['pronghorn']}; *compiled* is the same source, built with Cython"


def _profiles(result: Data, charts: dict[str, str]) -> list[str]:
    profiles = {name: profile for name, profile in single(result).items() if name != "accesslog"}
    if not profiles:
        return []
    servers = shown(result)
    parts = []
    for key, heading in UNDER_LOAD:
        rows = [[_named(name, p, key), *(cell(p, s, key) for s in servers)] for name, p in profiles.items()]
        parts += [f"## {heading}", table(["", *map(_short, servers)], rows), _image(key, charts)]
    return parts + _streaming(profiles.get("stream20"))


def _named(name: str, profile: Data, key: str) -> str:
    """The title stands in the first table only."""
    return f"**{name}**: {profile['title']}" if key == "cpu_us" else name


def _streaming(profile: Data | None) -> list[str]:
    if profile is None:
        return []
    names = servers_of([profile], "block_ms")
    rows = [[_short(name), number(value(profile, name, "block_ms"))] for name in names]
    text = (
        "## Streaming\n\nWhat streams has each block of an iterable with its client within 2 ms of its being "
        "yielded (PEP 3333). The median of these times:"
    )
    return [text, table(["", "ms"], rows)]


def _beside(result: Data, charts: dict[str, str]) -> list[str]:
    found = [
        result["profiles"][name] for name in ("beside-slow", "beside-busy") if name in result["profiles"]
    ]
    parts = []
    for profile in found:
        names = [name for name in profile["servers"] if value(profile, name, "p50_ms") is not None]
        rows = [[_short(n), *(number(value(profile, n, key)) for key, _ in BESIDE)] for n in names]
        parts += [_sentence(profile["title"]), table(["", *(label for _, label in BESIDE)], rows)]
    return ["## Latency beside slow and busy requests", *parts, _image("beside", charts)] if parts else []


def _logging(result: Data) -> list[str]:
    profile = result["profiles"].get("accesslog")
    if profile is None:
        return []
    rows = [
        [name, *(cell(profile, name, key) for key in WHAT)]
        for name in profile["servers"]
        if value(profile, name, "cpu_us") is not None
    ]
    return ["## The access log", _sentence(profile["title"]), table(["", *WHAT.values()], rows)]


def _crowd(result: Data, charts: dict[str, str]) -> list[str]:
    profile = result["profiles"].get("crowd")
    if profile is None:
        return []
    rows = [
        [name, *(number(value(profile, name, key)) for key, _ in CROWD)]
        for name in profile["servers"]
        if value(profile, name, "idle_mb") is not None
    ]
    text = (
        f"{_sentence(profile['title'])} PSS is the proportional set size of all processes (Pronghorn's and "
        "gunicorn's masters are among them), without the kernel's buffers."
    )
    return [
        "## Memory and accepting",
        text,
        table(["", *(t for _, t in CROWD)], rows),
        _image("memory", charts),
    ]


def _growth(result: Data, charts: dict[str, str]) -> list[str]:
    parts: list[str] = []
    for name, heading, unit, keys in GROWTH:
        points = series(result, name)
        if not points:
            continue
        parts.append(f"### {heading}")
        for key in keys:
            names = servers_of(points, key)
            rows = [[f"{p['x']:,}", *(cell(p, n, key) for n in names)] for p in points]
            parts += [f"{_sentence(WHAT[key])}", table([unit, *map(_short, names)], rows)]
        parts.append(_image(CHART_AFTER.get(name, ""), charts))
    return ["## How cost grows", _about_growth(), *parts] if parts else []


def _about_growth() -> str:
    return (
        "Bodies are sent over 8 connections, the Django page is asked over 16. Opening the connections is "
        "part of the measurement. Two workers may use both cores, of which one is the load's, too: on a "
        "machine with more cores, the second worker brings more."
    )


def _worse(result: Data) -> list[str]:
    rows, count = worse.find(result)
    text = (
        "## What Pronghorn is not best at\n\n"
        f"Of {count} comparisons with the best peer (each measure of each profile and of each point above), "
        f"these {len(rows)} are those in which that peer is better than Pronghorn or Pronghorn compiled. "
        "In brackets, how many times worse; ≈ where the rounds of the two overlap."
    )
    cells = [[row.measure, row.name, *row.cells, f"{_short(row.peer)}: {row.best}"] for row in rows]
    return [text, table(["measure", "profile", "Pronghorn", "compiled", "best peer"], cells) if cells else ""]


def _failures(result: Data) -> list[str]:
    rows = [
        [name, server, failure.replace("|", "\\|")]
        for name, profile in result["profiles"].items()
        for server, outcome in profile["servers"].items()
        for failure in sorted(set(outcome["failures"]))
    ]
    if not rows:
        return []
    text = "Nothing is repeated until it succeeds; who failed in half of the rounds has no number above."
    return ["## What failed", text, table(["profile", "server", "what happened"], rows)]


def table(head: list[str], rows: list[list[str]]) -> str:
    """In Markdown: the first column is text, numbers stand at the right."""
    lines = [head, ["---", *("---:" if _numeric(rows, i) else "---" for i in range(1, len(head)))], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _numeric(rows: list[list[str]], column: int) -> bool:
    return all(row[column].lstrip("(")[:1].isdigit() or row[column] in ("–", "failed") for row in rows)


def _short(server: str) -> str:
    return {"pronghorn": "**Pronghorn**", "pronghorn compiled": "**compiled**"}.get(server, server)


def _sentence(text: str) -> str:
    return f"{text if text.startswith('µ') else text[0].upper() + text[1:]}."


def _image(name: str, charts: dict[str, str]) -> str:
    return f"![{charts[name]}](benchmarks/{name}.svg)" if name in charts else ""


if __name__ == "__main__":
    sys.exit(main())
