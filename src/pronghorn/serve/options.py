"""How a worker spends its threads and its patience."""

from dataclasses import dataclass

from pronghorn.option import option


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """Threads and time limits of one worker. Times are in seconds."""

    threads: int = option(
        8,
        metavar="COUNT",
        help="Application calls at once. With 1, every call runs on the main thread.",
    )
    keep_alive: float = option(
        75.0,
        metavar="SECONDS",
        help="How long an idle connection is kept for its next request; 0 closes after each answer.",
    )
    head_timeout: float = option(
        10.0, metavar="SECONDS", help="A request's head must arrive within this time, first byte to last."
    )
    body_timeout: float = option(
        30.0, metavar="SECONDS", help="A request body that brings no byte for this long is given up."
    )
    write_timeout: float = option(
        30.0, metavar="SECONDS", help="A client that takes no byte of its answer for this long is cut off."
    )
    graceful_timeout: float = option(
        30.0,
        metavar="SECONDS",
        help="A worker that leaves (TERM, reload, recycling) gives requests in progress this long.",
    )
    drain_delay: float = option(
        0.0,
        metavar="SECONDS",
        help="After TERM, health checks fail for this long before anything else changes (see --health).",
    )
    request_timeout: float = option(
        0.0,
        metavar="SECONDS",
        help="A request that takes longer is answered with 504, and RequestTimeout is raised in its thread; "
        "0 for no limit.",
    )
    switch_interval: float = option(
        0.0002,
        metavar="SECONDS",
        help="How long one thread may hold the interpreter while others wait (0.001 beside short calls); "
        "CPython's own is 0.005.",
    )
