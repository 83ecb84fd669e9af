"""Starts the peers that have no command line, or whose command line lacks what a fair run needs.

    python -m bench.launch bjoern bench.apps:hello 8000 [THREADS]

Runs inside bench/.env. Nothing here changes how a peer reads, parses or writes, but for
`fastpysgi_nodelay`, which is shown as a tuned row.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

BACKLOG = 2048
CONNECTIONS = 20_000


def bjoern(app: Any, port: int, _: int) -> None:
    """The default backlog, 1024, is short of the profile with 1000 connections."""
    server = importlib.import_module("bjoern")
    server.run(app, "127.0.0.1", port, listen_backlog=BACKLOG)


def cheroot(app: Any, port: int, threads: int) -> None:
    """By default at most 10 connections are kept alive, and 5 may wait to be accepted."""
    wsgi = importlib.import_module("cheroot.wsgi")
    server = wsgi.Server(("127.0.0.1", port), app, numthreads=threads, request_queue_size=BACKLOG)
    server.keep_alive_conn_limit = CONNECTIONS
    server.start()


def fastpysgi_nodelay(app: Any, port: int, _: int) -> None:
    """Without TCP_NODELAY a pipelined batch waits 40 ms for the client's delayed acknowledgement."""
    module = importlib.import_module("fastpysgi")
    module.server.tcp_nodelay = 1
    module.run(app, "127.0.0.1", port, 0)


def main() -> None:
    launcher, spec, port, *threads = sys.argv[1:]
    module, _, name = spec.partition(":")
    app = getattr(importlib.import_module(module), name)
    launchers = {"bjoern": bjoern, "cheroot": cheroot, "fastpysgi-nodelay": fastpysgi_nodelay}
    launchers[launcher](app, int(port), int(*threads))


if __name__ == "__main__":
    main()
