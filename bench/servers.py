"""One declaration per server. Words in braces are filled in by process.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["subject", "peer", "tuned", "floor"]


@dataclass(frozen=True, slots=True)
class Server:
    """A way to start one server.

    role: only a "peer" can be the best peer. "tuned" is a peer with a setting that most users never
    find; it is shown beside the others and is no reference.
    """

    name: str
    role: Role
    command: str
    # How it serves blocking applications with 8 threads; empty when it has no threads.
    threaded: str = ""
    # The only profiles it takes part in; empty for all.
    only: tuple[str, ...] = ()


PRONGHORN = "{python} -m pronghorn {app} --bind 127.0.0.1:{port}"
BJOERN = "{python} -m bench.launch bjoern {app} {port}"
FASTPYSGI = "{bin}/fastpysgi {app} --host 127.0.0.1 --port {port} --loglevel 2"
FASTPYSGI_NODELAY = "{python} -m bench.launch fastpysgi-nodelay {app} {port}"
GRANIAN = (
    "{bin}/granian {app} --interface wsgi --workers 1 --backlog 2048 --no-access-log --log-level error"
    " --host 127.0.0.1 --port {port}"
)
# A thread per kept-alive connection: with 8 of them it would serve 8 of 64 clients, so it has 72.
UWSGI = (
    "{bin}/uwsgi --http11-socket 127.0.0.1:{port} --module {app} --need-app --disable-logging"
    " --listen 1024 --buffer-size 65535"
)
WAITRESS = (
    "{bin}/waitress-serve --listen=127.0.0.1:{port} --threads=8 --connection-limit=2048 --backlog=2048 {app}"
)
CHEROOT = "{python} -m bench.launch cheroot {app} {port}"
GUNICORN = (
    "{bin}/gunicorn {app} --bind 127.0.0.1:{port} -k gthread --threads 8 --keep-alive 75"
    " --worker-connections 2048 --log-level error --no-control-socket"
)
FLOOR = "{work}/floor {port} {answer} {body} {close}"

SERVERS = (
    Server("pronghorn", "subject", PRONGHORN, threaded=f"{PRONGHORN} --threads 8"),
    Server("pronghorn no-master", "tuned", f"{PRONGHORN} --no-master", only=("hello", "connection")),
    Server("bjoern", "peer", BJOERN),
    Server("fastpysgi", "peer", FASTPYSGI),
    Server("granian", "peer", f"{GRANIAN} --blocking-threads 1", threaded=f"{GRANIAN} --blocking-threads 8"),
    Server("uwsgi", "peer", f"{UWSGI} --threads 72", threaded=f"{UWSGI} --threads 8"),
    Server("waitress", "peer", WAITRESS, threaded=WAITRESS),
    Server("cheroot", "peer", CHEROOT, threaded=CHEROOT),
    Server("gunicorn", "peer", GUNICORN, threaded=GUNICORN),
    Server("fastpysgi nodelay", "tuned", FASTPYSGI_NODELAY, only=("pipelined",)),
    Server(
        "granian flush",
        "tuned",
        f"{GRANIAN} --blocking-threads 1 --http1-pipeline-flush",
        only=("pipelined",),
    ),
    Server("floor (C)", "floor", FLOOR),
)

# Against each other only: the second is the reference.
THREADS = (
    Server("pronghorn -t 8", "subject", f"{PRONGHORN} --threads 8"),
    Server("pronghorn -t 1", "peer", f"{PRONGHORN} --threads 1"),
)

FASTEST = ("bjoern", "fastpysgi", "granian")


def select(profile: str, names: tuple[str, ...], threaded: bool) -> list[Server]:
    """The servers of one profile, in the order in which they are declared."""
    if profile == "threads":
        return list(THREADS) if not names or "pronghorn" in names else []
    chosen = [s for s in SERVERS if not names or s.name.split()[0] in names]
    if threaded:
        return [s for s in chosen if s.threaded]
    return [s for s in chosen if not s.only or profile in s.only]
