"""The lead is taken back by its own token only."""

from typing import Any

from pronghorn.http.limits import Limits
from pronghorn.serve.connection import Connection
from pronghorn.serve.options import ServeOptions
from pronghorn.serve.worker import Worker


def test_an_old_leader_leaves_the_new_one_its_lead() -> None:
    """The lead is lost during a call, and the new leader offers it during a call of its own."""
    worker: Any = Worker(lambda environ, start_response: [], [], ServeOptions(), Limits())
    worker.crew.turn.watched = True
    others = [object()]

    class Call(Connection):
        def __init__(self) -> None:
            pass

        def call(self, environ: object = None) -> None:
            worker.crew.turn.slot.pop()  # the lookout takes the lead,
            worker.crew.turn.slot = others  # and runs a call

        def resume(self) -> bool:
            raise AssertionError("nobody leads")

    assert worker.run_call(Call()) is False
    assert len(others) == 1
    worker.poller.close()
    worker._bell.close()
