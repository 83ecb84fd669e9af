"""How many workers there are, how long they live, and what their master does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pronghorn.later import Later
from pronghorn.option import option
from pronghorn.process.privileges import parse_umask

if TYPE_CHECKING:
    from pronghorn.process import cpus
else:
    cpus = Later("pronghorn.process.cpus")  # only for `--workers auto`


def _workers(text: str) -> int:
    if text == "auto":
        return cpus.usable_cpus()
    digits = text.removeprefix("-")  # of what is out of range, config/check.py tells
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise ValueError(f"{text!r} is neither a whole number nor auto.")
    return int(text)


def _umask(text: str) -> str:
    if text:
        parse_umask(text)
    return text


@dataclass(frozen=True, slots=True)
class ProcessOptions:
    """Processes. Times are in seconds."""

    workers: int = option(
        1,
        flags=("-w",),
        metavar="COUNT",
        parse=_workers,
        help="Worker processes; auto is one for each CPU that this process may use (affinity, cgroup quota).",
    )
    no_master: bool = option(
        False,
        help="Serve from this one process: no reload, nobody replaces it when it dies. For debuggers.",
    )
    boot_timeout: float = option(
        60.0, metavar="SECONDS", help="A new worker must have imported the application within this time."
    )
    warmup: str = option(
        "",
        metavar="PATH",
        help="Before a new worker serves, it calls the application with GET PATH; 500 or more: not ready.",
    )
    timeout: float = option(
        30.0,
        flags=("-t",),
        metavar="SECONDS",
        help="A worker that shows no sign of life for this long (it holds the GIL) is killed and replaced; "
        "0 for never. A slow request is no reason: see --request-timeout.",
    )
    max_requests: int = option(
        0, metavar="COUNT", help="A worker is replaced after this many requests; 0 for never."
    )
    max_requests_jitter: int = option(
        0,
        metavar="COUNT",
        help="At most this many more, at random, so that workers are not replaced together.",
    )
    max_worker_lifetime: float = option(
        0.0, metavar="SECONDS", help="A worker is replaced when it has served this long; 0 for never."
    )
    max_worker_lifetime_jitter: float = option(
        0.0, metavar="SECONDS", help="At most this much longer, at random."
    )
    max_worker_memory: int = option(
        0, metavar="BYTES", help="A worker that holds more memory is replaced and drained; 0 for no limit."
    )
    max_worker_memory_hard: int = option(
        0, metavar="BYTES", help="A worker that holds more memory than this is killed; 0 for no limit."
    )
    preload: bool = option(
        False,
        flags=("--preload-app",),
        help="Import the application once, in a process that forks the workers: they share its memory.",
    )
    refork_after: int = option(
        0,
        metavar="COUNT",
        help="With --preload: after this many requests a worker, warmed up, becomes the one that forks the "
        "workers; 0 for never.",
    )
    reload: bool = option(
        False, help="For development: reload when a file of the application changes, and show import errors."
    )
    reload_extra_file: tuple[str, ...] = option(
        (), metavar="FILE", repeat=True, help="Another file that --reload watches, such as a template."
    )
    hooks: str = option(
        "",
        metavar="MODULE",
        help="A Python module with functions such as post_fork(info); see docs/hooks.md.",
    )
    pid: str = option("", flags=("-p",), metavar="FILE", help="Write the master's process id to this file.")
    name: str = option(
        "pronghorn", flags=("-n",), metavar="NAME", help="How processes call themselves, with setproctitle."
    )
    user: str = option("", flags=("-u",), metavar="USER", help="Workers run as this user, by name or number.")
    group: str = option(
        "", flags=("-g",), metavar="GROUP", help="Workers run in this group; without it, in the user's."
    )
    umask: str = option(
        "", metavar="MODE", parse=_umask, help="Mode bits that new files do not get, in octal, such as 027."
    )
