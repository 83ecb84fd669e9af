"""Who is told of each exchange that has ended: the access log, the counters, whoever embeds the server."""

import logging
from collections.abc import Callable

from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead
from pronghorn.observe import logs
from pronghorn.observe.access import AccessLog
from pronghorn.observe.counters import Tally
from pronghorn.serve.h1_exchange import H1Exchange, Observer
from pronghorn.serve.records import Refused


class Observation:
    """One worker's. What is None wants to know nothing; set before the worker runs."""

    def __init__(self, access: AccessLog | None) -> None:
        self.access = access
        self.tally: Tally | None = None
        """Where answers are counted (--metrics)."""
        self.after_request: Callable[[], None] | None = None
        """Called after each exchange, in the thread that ended it."""

    @property
    def from_begin(self) -> bool:
        """Whether somebody wants to know when a call began, or its environ."""
        return self.tally is not None or (self.access is not None and self.access.from_begin)

    def observer(self) -> Observer | None:
        """Whom exchanges tell. Where only one wants to know, there is no step between: 0.1 µs."""
        if self.after_request is None:
            if self.tally is None and self.access is not None:
                return self.access.write
            if self.tally is not None and self.access is None:
                return self.tally.ended
        return None if self.access is None and self.after_request is None else self.ended

    def ended(self, exchange: H1Exchange, head: ResponseHead | None, sent: int) -> None:
        """The thread that ended the exchange. sent: octets of content."""
        if self.access is not None:
            self.access.write(exchange, head, sent)
        if self.tally is not None:
            self.tally.ended(exchange, head, sent)
        if self.after_request is not None:
            self.after_request()

    def refused(self, exchange: H1Exchange, request: Request | None, head: ResponseHead, sent: int) -> None:
        """Before the application saw it. request: if its head was good. Leader only."""
        if self.access is not None:
            self.access.write(Refused(request, exchange.peer), head, sent)
        if self.tally is not None:
            self.tally.refused(head, sent)
        if self.after_request is not None:
            self.after_request()

    def end_round(self) -> None:
        """All that was ready has been answered. Leader only."""
        if self.access is not None:
            self.access.flush()
        if self.tally is not None:
            self.tally.add_up()

    def reopen(self, log: logging.Logger) -> None:
        """After a log rotation; log: the error log, which comes last. Leader only."""
        if self.access is not None:
            self.access.reopen()
        logs.reopen(log)
