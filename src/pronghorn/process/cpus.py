"""How many CPUs this process may use: what `--workers auto` counts.

A container sees all the CPUs of its host, and is stopped for the rest of each period once its quota is
used up; so the host's count would start far too many workers. What counts is the least of the affinity
mask and the CPU quotas of the process's own cgroup and of every group above it:

- cgroup v2, `cpu.max`: "QUOTA PERIOD" or "max PERIOD" (kernel: admin-guide/cgroup-v2, "CPU Interface Files");
- cgroup v1, `cpu.cfs_quota_us` and `cpu.cfs_period_us`, -1 for none (kernel: scheduler/sched-bwc).

Part of a CPU counts as a whole one: 1.5 is 2, and never less than 1.
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

_V2 = "cgroup2"
_V1 = "cgroup"

# Space, tab, line feed and backslash are written so (proc_pid_mountinfo(5)).
_ESCAPE = re.compile(r"\\([0-7]{3})")


class _Mount(NamedTuple):
    """Where a cgroup file system is mounted, and which of its directories is at that place."""

    kind: str
    root: PurePosixPath
    point: PurePosixPath


def usable_cpus(root: Path = Path("/")) -> int:
    """At least 1. Never raises: what cannot be read is no limit.

    root: where /proc and the cgroup mounts are looked for.
    """
    return max(1, min([_allowed(), *_quotas(root)]))


def _allowed() -> int:
    """The affinity mask; from 3.13 on also `-X cpu_count` and PYTHON_CPU_COUNT, which are said on purpose."""
    counted: Callable[[], int | None] | None = getattr(os, "process_cpu_count", None)
    if counted is not None:
        return counted() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[int]:
    """The quota of each group that has one, in CPUs. A hybrid host may have both versions."""
    mounts = list(_mounts(root))
    for kind, path in _own_groups(root):
        for directory in _lineage(root, path, [mount for mount in mounts if mount.kind == kind]):
            cpus = _quota_of(directory, kind)
            if cpus is not None:
                yield cpus


def _own_groups(root: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """This process's groups that can have a CPU quota: "ID:CONTROLLERS:PATH" a line (cgroups(7))."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield _V2, PurePosixPath(path)
        elif "cpu" in controllers.split(","):
            yield _V1, PurePosixPath(path)


def _mounts(root: Path) -> Iterator[_Mount]:
    """proc_pid_mountinfo(5): "36 35 98:0 ROOT POINT rw,noatime master:1 - TYPE source rw,OPTION"."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        place, _, about = line.partition(" - ")
        words, described = place.split(" "), about.split(" ")
        if len(words) < 6 or len(described) < 3:
            continue
        kind, options = described[0], described[2].split(",")
        if kind == _V2 or (kind == _V1 and "cpu" in options):
            yield _Mount(kind, _unescaped(words[3]), _unescaped(words[4]))


def _unescaped(text: str) -> PurePosixPath:
    return PurePosixPath(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), text))


def _lineage(root: Path, path: PurePosixPath, mounts: list[_Mount]) -> Iterator[Path]:
    """The directory of the group at `path` and those above it, as far up as they are mounted."""
    inside = [(mount.point, path.relative_to(mount.root)) for mount in mounts if _shows(mount, path)]
    # Some runtimes move the process to a group beside the one they mount (Cloud Foundry's Garden,
    # JDK-8343191): then the mounted one is the container's, and the best there is to know.
    for point, relative in inside or [(mount.point, PurePosixPath()) for mount in mounts]:
        at = root / point.relative_to("/")
        for part in (relative, *relative.parents):
            yield at / part


def _shows(mount: _Mount, path: PurePosixPath) -> bool:
    """Is the group below what is mounted? "/../x" is outside of the namespace (cgroup_namespaces(7))."""
    return path.is_relative_to(mount.root) and ".." not in path.relative_to(mount.root).parts


def _quota_of(directory: Path, kind: str) -> int | None:
    if kind == _V2:
        quota, _, period = _text(directory / "cpu.max").strip().partition(" ")
    else:
        quota = _text(directory / "cpu.cfs_quota_us").strip()
        period = _text(directory / "cpu.cfs_period_us").strip()
    # "max", "-1" and a file that is not there are no quota.
    if not (_is_number(quota) and _is_number(period)) or int(period) == 0:
        return None
    return -(-int(quota) // int(period))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
