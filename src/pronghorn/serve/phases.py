"""What a connection is doing, and what it may do next. One owner at a time changes it."""

from enum import IntEnum


class Phase(IntEnum):
    """What the connection is doing."""

    HEAD = 0
    """Idle, or a head is arriving."""
    BODY = 1
    QUEUED = 2
    """A request is complete and waits for a thread."""
    CALL = 3
    RETURNED = 4
    """The call has ended; the leader has not looked at it yet."""
    FLUSH = 5
    """The answer waits for the client to read."""
    LINGER = 6
    CLOSED = 7


HEAD, BODY, QUEUED, CALL, RETURNED, FLUSH, LINGER, CLOSED = Phase

MOVES = {
    HEAD: {BODY, QUEUED, CALL, FLUSH, LINGER, CLOSED},
    BODY: {QUEUED, CALL, FLUSH, LINGER, CLOSED},
    QUEUED: {CALL, CLOSED},
    CALL: {RETURNED, CLOSED},
    RETURNED: {HEAD, FLUSH, LINGER, CLOSED},
    FLUSH: {HEAD, LINGER, CLOSED},
    LINGER: {CLOSED},
    CLOSED: set(),
}
"""What may follow what; `move` obeys it."""
