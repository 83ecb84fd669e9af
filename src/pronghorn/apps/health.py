"""`--health /path`: what a load balancer asks, answered without the application.

200 ok          while requests are welcome
503 draining    from the moment the server prepares to leave: send the next request elsewhere
"""

from collections.abc import Callable

from pronghorn.apps.own_path import OwnPath

_READY = "200 OK", b"ok\n"
_DRAINING = "503 Service Unavailable", b"draining\n"


class Health(OwnPath):
    """ready: is asked on each request to that path; any thread."""

    __slots__ = ()

    def __init__(self, ready: Callable[[], bool]) -> None:
        super().__init__(lambda: _READY if ready() else _DRAINING)
