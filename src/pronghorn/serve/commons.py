"""What a worker shares with its connections, and with the parts around it."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pronghorn.serve.clock import Clock
from pronghorn.serve.h1_exchange import Observer
from pronghorn.serve.pulse import Pulse
from pronghorn.serve.routing import Routing
from pronghorn.serve.timers import NEVER
from pronghorn.wsgi.call import Application

if TYPE_CHECKING:
    from pronghorn.serve.deadlines import Deadlines
    from pronghorn.serve.outbox import Outbox


class Commons:
    """A worker without what only the worker itself needs."""

    __slots__ = (
        "abandon",
        "answered",
        "application",
        "began",
        "clock",
        "deadlines",
        "from_begin",
        "idle_deadline",
        "observer",
        "on_signal",
        "orphan",
        "pulse",
        "routing",
        "stuck",
    )

    def __init__(self, application: Application) -> None:
        self.application = application
        self.clock = Clock()
        self.answered: list[Outbox] = []
        """Whose answers wait for those of the group (`poll_round`). Leader only."""
        self.idle_deadline = NEVER
        """When a connection that becomes idle in this round is to be looked at: see Connection.expired."""
        self.observer: Observer | None = None
        """Told of each exchange; set in `run`."""
        self.from_begin = False
        """Whether exchanges are told when their calls begin; set in `run`."""
        # To be set before `run`, by whoever wants it
        self.began: Callable[[], None] | None = None
        """Called in `run` when connections are accepted."""
        self.on_signal: Mapping[int, Callable[[], None]] = {}
        """By signal number: what the leader does."""
        self.abandon: Callable[[], None] | None = None
        """Called when a call on the main thread is stuck beyond the graceful timeout: does not return."""
        self.pulse: Pulse | None = None
        """Where there is a master."""
        self.routing: Routing | None = None
        """Where some requests need no application thread."""
        self.deadlines: Deadlines | None = None
        """Where calls have a time limit (--request-timeout)."""
        self.orphan = False
        """The master is gone: perhaps nobody else takes what is in the accept queues."""
        self.stuck: Callable[[str], None] | None = None
        """Told once, when a call cannot be ended: the process should be replaced."""
