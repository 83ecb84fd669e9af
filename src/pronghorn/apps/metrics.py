"""`--metrics /path`: what Prometheus scrapes, answered without the application.

The counters are of all workers together, so it does not matter which of them answers.
"""

from collections.abc import Callable

from pronghorn.apps.own_path import OwnPath

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics(OwnPath):
    """text: gives the text exposition format; any thread."""

    __slots__ = ()

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__(lambda: ("200 OK", text().encode()), _CONTENT_TYPE)
