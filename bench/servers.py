"""One declaration per server. Words in braces are filled in by process.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.profiles import Profile

Role = Literal["subject", "peer", "tuned", "floor"]


@dataclass(frozen=True, slots=True)
class Server:
    """A way to start one server.

    role: only a "peer" can be the best peer. "tuned" is a peer with a setting that most users never
    find, or Pronghorn with another one; it is shown beside the others and is no reference.
    """

    name: str
    # What --only calls it, and all its variants.
    group: str
    role: Role
    command: str
    # How it serves blocking applications with {threads} threads; empty when it has no threads.
    threaded: str = ""
    # How it serves with {workers} processes; empty when it has one.
    several: str = ""
    # The only profiles it takes part in, empty for all; and those it takes no part in.
    only: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    # What {more} is in profiles of this name or series.
    more: tuple[tuple[str, str], ...] = ()
    # Where Pronghorn is imported from, below the checkout.
    source: str = "src"

    def words(self, profile: Profile) -> list[str]:
        """The command line, with words in braces."""
        text: str = getattr(self, profile.mode)
        more = " ".join(words for name, words in self.more if name in (profile.name, profile.series))
        return text.replace("{more}", more).split()

    def takes_part(self, profile: Profile) -> bool:
        if profile.name in self.never or (self.only and profile.name not in self.only):
            return False
        if profile.servers and self.group not in profile.servers:
            return False
        return bool(getattr(self, profile.mode))


PRONGHORN = "{python} -m pronghorn {app} --bind 127.0.0.1:{port} {more}"
BJOERN = "{python} -m bench.launch bjoern {app} {port}"
FASTPYSGI = "{bin}/fastpysgi {app} --host 127.0.0.1 --port {port} --loglevel 2"
FASTPYSGI_NODELAY = "{python} -m bench.launch fastpysgi-nodelay {app} {port}"
GRANIAN = (
    "{bin}/granian {app} --interface wsgi --backlog 2048 --no-access-log --log-level error"
    " --host 127.0.0.1 --port {port}"
)
GRANIAN_ONE = f"{GRANIAN} --workers 1 --blocking-threads 1 {{more}}"
# A thread per kept-alive connection: with 8 of them it would serve 8 of 64 clients, so it has 72.
UWSGI = "--module {app} --need-app --disable-logging --listen 1024 --buffer-size 65535"
UWSGI_11 = f"{{bin}}/uwsgi --http11-socket 127.0.0.1:{{port}} {UWSGI}"
# What keeps connections alive obeys no `Connection: close`; this closes each, and says so to wrk.
UWSGI_10 = f"{{bin}}/uwsgi --http-socket 127.0.0.1:{{port}} {UWSGI} --add-header Connection:close"
CLOSING = ("connection",)
WAITRESS = (
    "{bin}/waitress-serve --listen=127.0.0.1:{port} --threads={threads} --connection-limit=20000"
    " --backlog=2048 {more} {app}"
)
CHEROOT = "{python} -m bench.launch cheroot {app} {port} {threads}"
GUNICORN = (
    "{bin}/gunicorn {app} --bind 127.0.0.1:{port} -k gthread --threads {threads} --keep-alive 75"
    " --worker-connections 20000 --log-level error --no-control-socket {more}"
)
FLOOR = "{work}/floor {port} {answer} {body} {close}"

# 200 header lines are more than the default lets through.
FIELDS = (("lines", "--limit-request-fields 1000"), ("lines-differ", "--limit-request-fields 1000"))
# By default it holds as many connections as its backlog.
PRESSURE = (("connections", "--backpressure 20000"), ("crowd", "--backpressure 20000"))
# select() ends at 1024 descriptors.
POLL = (("connections", "--asyncore-use-poll"), ("crowd", "--asyncore-use-poll"))

COMPILED = "bench/.work/compiled"
LOG = "--access-logfile {work}/access.log"


def _pronghorn(name: str, group: str, source: str) -> Server:
    return Server(
        name,
        group,
        "subject",
        PRONGHORN,
        threaded=f"{PRONGHORN} --threads {{threads}}",
        several=f"{PRONGHORN} --workers {{workers}}",
        more=FIELDS,
        source=source,
    )


SERVERS = (
    _pronghorn("pronghorn", "pronghorn", "src"),
    _pronghorn("pronghorn compiled", "compiled", COMPILED),
    Server(
        "pronghorn no-master",
        "pronghorn",
        "tuned",
        f"{PRONGHORN} --no-master",
        only=("hello", "connection", "crowd"),
    ),
    Server("pronghorn, logging", "pronghorn", "tuned", f"{PRONGHORN} {LOG}", only=("accesslog",)),
    Server(
        "compiled, logging",
        "compiled",
        "tuned",
        f"{PRONGHORN} {LOG}",
        only=("accesslog",),
        source=COMPILED,
    ),
    Server("bjoern", "bjoern", "peer", BJOERN),
    Server("fastpysgi", "fastpysgi", "peer", FASTPYSGI),
    Server(
        "granian",
        "granian",
        "peer",
        GRANIAN_ONE,
        threaded=f"{GRANIAN} --workers 1 --blocking-threads {{threads}}",
        several=f"{GRANIAN} --workers {{workers}} --blocking-threads 1",
        more=PRESSURE,
    ),
    Server(
        "uwsgi",
        "uwsgi",
        "peer",
        f"{UWSGI_11} --threads 72",
        threaded=f"{UWSGI_11} --threads {{threads}}",
        several=f"{UWSGI_11} --threads 72 --processes {{workers}}",
        never=CLOSING,
    ),
    Server("uwsgi", "uwsgi", "peer", f"{UWSGI_10} --threads 72", only=CLOSING),
    Server("waitress", "waitress", "peer", WAITRESS, threaded=WAITRESS, more=POLL),
    Server("cheroot", "cheroot", "peer", CHEROOT, threaded=CHEROOT),
    Server(
        "gunicorn",
        "gunicorn",
        "peer",
        GUNICORN,
        threaded=GUNICORN,
        several=f"{GUNICORN} --workers {{workers}}",
        more=FIELDS,
    ),
    Server("fastpysgi nodelay", "fastpysgi", "tuned", FASTPYSGI_NODELAY, only=("pipelined",)),
    Server(
        "granian flush",
        "granian",
        "tuned",
        f"{GRANIAN_ONE} --http1-pipeline-flush",
        only=("pipelined",),
    ),
    Server("floor (C)", "floor", "floor", FLOOR),
)

FASTEST = ("bjoern", "fastpysgi", "granian")


def select(profile: Profile, names: tuple[str, ...]) -> list[Server]:
    """The servers of one profile in the order of their declaration: all, or those in `names`."""
    return [s for s in SERVERS if (not names or s.group in names) and s.takes_part(profile)]
