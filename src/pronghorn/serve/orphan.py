"""The client's side of a connection whose call lasts too long: it is answered, whatever its call does."""

from pronghorn.serve.connection import Connection
from pronghorn.serve.h1_exchange import Progress, SeizableExchange
from pronghorn.serve.phases import RETURNED
from pronghorn.serve.polled import Polled
from pronghorn.serve.refusals import TIMED_OUT
from pronghorn.serve.timers import NEVER


class Orphan(Connection):
    """Takes the socket over, with all that belongs to it. Leader only.

    What is left of the old connection is the call's: its body, and its phase, which the thread changes.
    """

    __slots__ = ()

    def __init__(self, seized: Connection, exchange: SeizableExchange) -> None:
        for name in (*Polled.__slots__, *Connection.__slots__):
            setattr(self, name, getattr(seized, name))
        self.exchange = exchange.rest()
        self.seized = None
        self.phase = RETURNED
        self.deadline = self.due = NEVER
        self.bucket = 0
        self.body = None
        seized._mask = 0
        self._worker.replace(seized, self)

    def finish(self, progress: Progress) -> None:
        """Answer, or cut the answer off; the connection ends with it."""
        if progress is Progress.NOTHING:
            self.answer(TIMED_OUT)
            return
        if progress is Progress.BEGUN:
            self.exchange.abort()
        else:
            self.h1.cut()
        self._settle()
