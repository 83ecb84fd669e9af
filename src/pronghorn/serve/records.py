"""What an exchange tells the access log when it is over."""

import time

from pronghorn.http.request import Request
from pronghorn.http.response import ResponseHead
from pronghorn.observe.record import Record
from pronghorn.serve.h1_exchange import H1Exchange


def record_of(exchange: H1Exchange, head: ResponseHead | None, sent: int) -> Record:
    """An exchange that the application answered; `head` is None if nothing was sent."""
    record = _record(exchange, exchange.request, head, sent)
    record.environ = exchange.environ
    record.duration = time.monotonic() - exchange.started
    record.started = time.time() - record.duration
    return record


def refusal_record(exchange: H1Exchange, request: Request | None, head: ResponseHead, sent: int) -> Record:
    """A message that was no request, or one whose body was refused."""
    record = _record(exchange, request, head, sent)
    record.started = time.time()
    return record


def _record(exchange: H1Exchange, request: Request | None, head: ResponseHead | None, sent: int) -> Record:
    peer = exchange.peer
    record = Record(sent=sent, peer=peer[0] if peer else "", peer_port=str(peer[1]) if peer else "")
    if request is not None:
        line = request.line
        record.method = line.method
        record.target = line.target
        record.version = line.version
        record.path = line.path
        record.query = line.query
        record.fields = request.fields
    if head is not None:
        record.status = head.code
        record.reason = head.status[4:]
        record.response_fields = head.fields
    return record
