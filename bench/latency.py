"""How long does a quick request take while other clients keep the threads occupied?

A closed loop with a pause: each quick client asks, waits for the answer, and rests before the next.
The background never rests. No request is given up at the end of the time: the last answers count too,
because they may be the slowest.
"""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from contextlib import closing

from bench import apps
from bench.process import Failure

BACKGROUND = 6
QUICK = 2
PAUSE = 0.005
LIMIT = 10.0


class _Client:
    """One kept-alive connection; opened again where the server has closed it."""

    def __init__(self, port: int, path: str) -> None:
        self.port = port
        self.data = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self.socket: socket.socket | None = None

    async def ask(self) -> None:
        """One exchange. Raises Failure when the answer is not the right one."""
        loop = asyncio.get_running_loop()
        if self.socket is None:
            self.socket = socket.socket()
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(self.socket, ("127.0.0.1", self.port))
        await loop.sock_sendall(self.socket, self.data)
        answer = b""
        while not answer.endswith(apps.HELLO):
            block = await loop.sock_recv(self.socket, 4096)
            if not block:
                raise Failure(f"connection closed after {len(answer)} bytes of the answer")
            answer += block
        self._judge(answer)

    def _judge(self, answer: bytes) -> None:
        if not answer.startswith(b"HTTP/1.1 200"):
            raise Failure(f"answered {answer[:30]!r}")
        if b"\r\nconnection: close\r\n" in answer.lower():
            self.close()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def run(port: int, background: str, seconds: float) -> dict[str, float]:
    """p50 and p99 of the quick request in milliseconds, and the background's requests per second."""
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_run(port, background, seconds))
    except OSError as error:
        raise Failure(f"{type(error).__name__}: {error}") from error
    finally:
        gc.enable()


async def _run(port: int, background: str, seconds: float) -> dict[str, float]:
    counted = [0]
    samples: list[float] = []
    occupied = [asyncio.create_task(_occupy(port, background, counted)) for _ in range(BACKGROUND)]
    await asyncio.sleep(0.2)
    started, first = time.perf_counter(), counted[0]
    try:
        async with asyncio.timeout(seconds + LIMIT):
            await asyncio.gather(*(_sample(port, started + seconds, samples) for _ in range(QUICK)))
    except TimeoutError:
        raise Failure(f"a quick request took more than {LIMIT:.0f} s") from None
    elapsed = time.perf_counter() - started
    for task in occupied:
        task.cancel()
    for ended in await asyncio.gather(*occupied, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    samples.sort()
    rate = (counted[0] - first) / elapsed
    return {"p50_ms": _percentile(samples, 50), "p99_ms": _percentile(samples, 99), "background": rate}


async def _occupy(port: int, path: str, counted: list[int]) -> None:
    with closing(_Client(port, path)) as client:
        while True:
            await client.ask()
            counted[0] += 1


async def _sample(port: int, end: float, samples: list[float]) -> None:
    with closing(_Client(port, "/")) as client:
        await client.ask()
        while (asked := time.perf_counter()) < end:
            await client.ask()
            samples.append((time.perf_counter() - asked) * 1000)
            await asyncio.sleep(PAUSE)


def _percentile(ordered: list[float], percent: int) -> float:
    if not ordered:
        raise Failure("no quick request was answered in time")
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
