"""The time, read once per poll round: a monotonic now for the timers and the stamp of every answer."""

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock:
    """The leader ticks it; any thread reads it.

    now: seconds of time.monotonic().
    stamp: the Date and Server lines (RFC 9110 sections 6.6.1 and 10.2.4).
    """

    __slots__ = ("_second", "now", "stamp")

    def __init__(self) -> None:
        self._second = -1
        self.now = 0.0
        self.stamp = b""
        self.tick()

    def tick(self) -> None:
        """Leader only."""
        self.now = time.monotonic()
        second = int(time.time())
        if second != self._second:
            self._second = second
            self.stamp = b"Date: %b\r\nServer: pronghorn\r\n" % http_date(second).encode()


def http_date(second: int) -> str:
    """IMF-fixdate, RFC 9110 section 5.6.7. strftime would follow the locale."""
    at = time.gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04}"
        f" {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )
