"""What single parts cost, without sockets: `python -m bench.parts` prints µs for each.

These are the figures that stand beside clever code; absolute times differ between machines, their
ratios hardly.
"""

import socket
import timeit
from collections.abc import Callable
from itertools import cycle

from bench.profiles import BROWSER
from pronghorn.http.h1.connection import H1Connection
from pronghorn.http.h1.known import KnownHeads
from pronghorn.http.limits import Limits
from pronghorn.net.direct import Direct
from pronghorn.serve.effort import Gauge


def head_of(value: str) -> bytes:
    """A browser's head with one line that differs."""
    lines = ["GET / HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in BROWSER)]
    return ("\r\n".join([*lines, f"X-Trace: {value}"]) + "\r\n\r\n").encode()


def all_different(number: int) -> bytes:
    """A head of 20 lines whose values all differ."""
    lines = [f"X-Line-{index}: value-{number * 7919 % 100_003:032x}-{index}" for index in range(20)]
    return ("\r\n".join(["GET / HTTP/1.1", "Host: localhost", *lines]) + "\r\n\r\n").encode()


def cost(call: Callable[[], object]) -> float:
    """µs of one call: the best of seven times 20,000."""
    return min(timeit.repeat(call, number=20_000, repeat=7)) / 20_000 * 1e6


def main() -> None:
    """Print the table."""
    again, varying, known = H1Connection(Limits()), H1Connection(Limits()), KnownHeads()
    same, common = (
        head_of("a"),
        b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: check\r\nAccept: */*\r\n\r\n",
    )
    heads = cycle([head_of(f"{number:04}") for number in range(1000)])
    print(f"head, parsed anew           {cost(lambda: H1Connection(Limits()).receive(same)):6.2f} µs")
    print(f"common head, parsed anew    {cost(lambda: H1Connection(Limits()).receive(common)):6.2f} µs")
    others = cycle([common.replace(b"/", b"/%d?" % number, 1) for number in range(1000)])
    seen = cost(lambda: H1Connection(Limits(), known=known).receive(next(others)))
    print(f"common head, known block    {seen:6.2f} µs")
    seen = cost(lambda: H1Connection(Limits(), known=known).receive(common))
    print(f"common head, known          {seen:6.2f} µs")
    print(f"head, one free value        {cost(lambda: varying.receive(next(heads))):6.2f} µs")
    many = cycle([all_different(number) for number in range(200)])
    wide = H1Connection(Limits())
    one = all_different(1)
    print(f"20 lines, parsed anew       {cost(lambda: H1Connection(Limits()).receive(one)):6.2f} µs")
    print(f"20 lines, all free          {cost(lambda: wide.receive(next(many))):6.2f} µs")
    print(f"head, equal to the last one {cost(lambda: again.receive(same)):6.2f} µs")
    one_end, other_end = socket.socketpair()
    with one_end, other_end:
        plain = cost(lambda: (one_end.send(common), other_end.recv(16384)))
        sending, receiving = Direct(one_end), Direct(other_end)
        direct = cost(lambda: (sending.send(common), receiving.recv(16384)))
    gauge = Gauge().open()
    asked = cost(gauge.delayed), cost(gauge.ready)
    gauge.close()
    print(f"what the system says        {asked[0]:6.2f} µs of a thread's delay, {asked[1]:.2f} of its state")
    print(f"a head sent and received    {direct:6.2f} µs; by the socket's own methods {plain:.2f}")


if __name__ == "__main__":
    main()
