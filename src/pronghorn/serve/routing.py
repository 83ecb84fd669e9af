"""What a worker asks of an application that knows its routes: which answers need no application thread.

Files are sent by the leader itself. So they cost no thread, and go on when all threads are in calls.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol

from pronghorn.errors import ProtocolError
from pronghorn.serve.phases import CALL, RETURNED
from pronghorn.wsgi.call import WSGIApplication
from pronghorn.wsgi.environ import Environ

if TYPE_CHECKING:
    from pronghorn.serve.connection import Connection
    from pronghorn.serve.worker import Worker

ANSWER = "pronghorn.answer"
"""Where in the environ the application stands that answers at once."""


LIMIT = "pronghorn.limit_deadline"
"""Where in the environ a route's time limit is told to the server; only where there are deadlines."""


class Routing(Protocol):
    """Leader only; neither may block, but for the disk, or raise."""

    largest_body: int
    """Octets: the most that a route with a limit of its own takes; 0: none has one, nobody need ask."""

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """The application that answers this request at once, or None; environ is unchanged then.

        What it returns is a list of blocks, or a file wrapper: the leader waits for no client.
        """

    def body_limit(self, environ: Environ) -> int:
        """Octets that this request's body may have: its route's limit, or else the server's."""

    def rest(self) -> None:
        """Once a second: give back what is kept for requests that no longer come."""


def answer_at_once(environ: Environ, start_response: Any) -> Iterable[bytes]:
    """A WSGI application: the one that `Routing.quick` has found."""
    answer: WSGIApplication = environ.pop(ANSWER)
    return answer(environ, start_response)


def try_at_once(
    worker: "Worker", routing: Routing, connection: "Connection"
) -> tuple[bool | None, Environ | None]:
    """Answer what needs no application thread. Leader only.

    True: it is answered. None: it was refused. False: it needs a thread; then its environ, as good as new,
    if one was made.
    """
    h1, exchange = connection.h1, connection.exchange
    if connection.body is not None or h1.content is not None:
        if connection.body is None and routing.largest_body and not limit_body(connection, routing):
            return None, None
        return False, None
    environ = connection.maker.make(exchange.request)
    answer = routing.quick(environ)
    if answer is None:
        return False, environ
    environ[ANSWER] = answer
    connection.phase = CALL
    if worker.from_begin:
        exchange.begin_call(environ)
    worker.quick_application.call(exchange, environ)
    connection.phase = RETURNED
    return True, None


def limit_body(connection: "Connection", routing: Routing) -> bool:
    """Whether the route takes such a body; one that does not say its length is watched as it comes.

    The parser lets through what the most generous route takes (`assemble/working.py`).
    """
    environ = connection.maker.make(connection.exchange.request)
    try:
        connection.h1.limit_body(routing.body_limit(environ))
    except ProtocolError as error:
        connection.refuse(error)
        return False
    return True
