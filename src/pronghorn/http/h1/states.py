"""The HTTP/1.1 automaton as tables: what may follow what. Code only fires it.

A quick request, complete in one segment and answered in one, moves neither side: it is read within
HEAD and answered within IDLE.
"""

from enum import IntEnum


class Reading(IntEnum):
    """What the next octets from the client are."""

    HEAD = 0
    BODY = 1
    CLOSED = 2
    """Nothing the client sends is looked at any more (RFC 9112 section 9.6)."""


class Writing(IntEnum):
    """What the server owes the client."""

    IDLE = 0
    BODY = 1
    """A head was sent, its content has not ended."""
    CLOSED = 2
    """Nothing may be sent any more."""


READING = {
    "body announced": {Reading.HEAD: Reading.BODY},
    "body complete": {Reading.BODY: Reading.HEAD},
    "refused": {Reading.HEAD: Reading.CLOSED, Reading.BODY: Reading.CLOSED, Reading.CLOSED: Reading.CLOSED},
}

WRITING = {
    "begun": {Writing.IDLE: Writing.BODY},
    "complete": {Writing.BODY: Writing.IDLE},
    "last": {Writing.IDLE: Writing.CLOSED, Writing.BODY: Writing.CLOSED, Writing.CLOSED: Writing.CLOSED},
}
