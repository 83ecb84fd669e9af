"""The time, read once per poll round: a monotonic now for the timers and the stamp of every answer."""

import time

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Clock:
    """The leader ticks it; any thread reads it.

    now: seconds of time.monotonic().
    stamp: the Date and Server lines (RFC 9110 sections 6.6.1 and 10.2.4).
    """

    __slots__ = ("_until", "now", "stamp")

    def __init__(self) -> None:
        self._until = float("-inf")  # on the clock that `now` is of
        self.now = 0.0
        self.stamp = b""
        self.tick()

    def tick(self) -> None:
        """Leader only."""
        now = self.now = time.monotonic()
        if now >= self._until:
            # Asked once a second, so that the stamp is right again a second after somebody sets the time.
            at = time.time()
            self._until = now + 1 - at % 1
            self.stamp = b"Date: %b\r\nServer: pronghorn\r\n" % http_date(int(at)).encode()


def http_date(second: int) -> str:
    """IMF-fixdate, RFC 9110 section 5.6.7. strftime would follow the locale."""
    at = time.gmtime(second)
    return (
        f"{_DAYS[at.tm_wday]}, {at.tm_mday:02} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04}"
        f" {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT"
    )
