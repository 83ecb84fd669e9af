"""Times the hot functions of whichever pronghorn it finds; prints {name: nanoseconds} as JSON.

PYTHONPATH=src python tests_compiled/stopwatch.py
"""

import json
import logging
import timeit
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from pronghorn.http.exchange import Exchange
from pronghorn.http.h1 import head
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.limits import Limits
from pronghorn.http.response import ResponseHead
from pronghorn.net.transport import TlsTransport
from pronghorn.serve.clock import Clock
from pronghorn.serve.h1_exchange import H1Exchange, Persistence
from pronghorn.serve.outbox import Held, Outbox
from pronghorn.serve.streams import Streams
from pronghorn.wsgi.call import Application
from pronghorn.wsgi.environ import EnvironMaker
from pronghorn.wsgi.response import Heads, Response

LINES = [b"Host: example.org", b"Accept: */*", b"Accept-Language: en", b"User-Agent: stopwatch"]
OK = [("Content-Type", "text/plain"), ("Content-Length", "5")]
LOG = logging.getLogger("pronghorn.error")


def request(cookie: int = 0) -> bytes:
    return b"GET / HTTP/1.1\r\n" + b"\r\n".join([*LINES, b"Cookie: %d" % cookie]) + b"\r\n\r\n"


class Ignoring(Exchange):
    def respond(self, head: ResponseHead, block: bytes, goes_on: bool = False) -> None:
        pass


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", OK)
    return [b"hello"]


def functions() -> dict[str, Callable[[], object]]:
    """Each as a call of nothing, so that what is measured is the same for both."""
    limits, data, clock = Limits(), request(), Clock()
    h1 = H1Connection(limits)
    known = h1.receive(data)
    assert known is not None
    differing = [request(1), request(2)]
    changing = H1Connection(limits)
    for each in (*differing, *differing):
        changing.receive(each)
    maker = EnvironMaker({"wsgi.url_scheme": "http"}, ("127.0.0.1", 1))
    transport = TlsTransport(SimpleNamespace(send=len))  # takes everything, without a system call
    outbox = Outbox(transport, lambda: None, lambda: False, Held(), Streams(LOG))
    exchange = H1Exchange(h1, outbox, clock, Persistence(True), None, None)
    exchange.request = known
    heads = Heads()
    answer = heads.make("200 OK", OK, LOG.warning)
    application = Application(app, LOG)
    ignoring = Ignoring()
    environ = maker.make(known)

    def two() -> None:
        changing.receive(differing[0])
        changing.receive(differing[1])

    return {
        "H1Connection.receive, an equal head": lambda: h1.receive(data),
        "H1Connection.receive, another value": two,
        "head.parse_request_line": lambda: head.parse_request_line(b"GET /a?b=c HTTP/1.1", "http"),
        "head.parse_section": lambda: head.parse_section(LINES, "HTTP/1.1", limits),
        "Response and start_response": lambda: Response(exchange, heads, LOG.warning).start_response(
            "200 OK", OK
        ),
        "Application.call": lambda: application.call(ignoring, environ),
        "H1Exchange.respond": lambda: exchange.respond(answer, b"hello"),
        "Outbox.put": lambda: outbox.put(data),
        "Outbox.hold": lambda: outbox.hold(data),
        "EnvironMaker": lambda: EnvironMaker(environ, ("127.0.0.1", 1)),
    }


def main() -> None:
    times = {
        name: min(timeit.repeat(function, number=2000, repeat=30)) / 2000 * 1e9
        for name, function in functions().items()
    }
    print(json.dumps(times))


if __name__ == "__main__":
    main()
