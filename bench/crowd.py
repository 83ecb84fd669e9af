"""What many idle connections cost: opened in turn, one request on each, then nothing."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack

from bench.proc import cpu_time, pss, spent
from bench.process import WrongAnswer, leaves, tree
from bench.profiles import Profile

# So many are on their way at once; no backlog is shorter.
WAVE = 200
TIMEOUT = 3.0
SETTLE = 0.3
# For all of them; slower than 1000 a second is no answer.
LIMIT = 10.0


def run(pid: int, profile: Profile, port: int) -> dict[str, float]:
    """Memory before and after, and what accepting cost. Raises WrongAnswer if one gets no answer."""
    time.sleep(SETTLE)
    members = tree(pid)
    before, used = pss(members), cpu_time(members)
    heaviest = max(pss([member]) for member in leaves(pid))
    with ExitStack() as stack:
        started = time.perf_counter()
        for done in range(0, profile.connections, WAVE):
            _wave(stack, profile, port, done)
            if time.perf_counter() - started > LIMIT:
                raise WrongAnswer(f"{done + WAVE:,} of {profile.connections:,} connections in {LIMIT:.0f} s")
        elapsed = time.perf_counter() - started
        time.sleep(SETTLE)
        members = tree(pid)
        added, used_ns = pss(members) - before, spent(used, cpu_time(members))
    return {
        "idle_mb": before / 1024,
        "worker_mb": heaviest / 1024,
        "connection_kb": added / profile.connections,
        "accept_rate": profile.connections / elapsed,
        "accept_us": used_ns / 1000 / profile.connections,
    }


def _wave(stack: ExitStack, profile: Profile, port: int, done: int) -> None:
    data = profile.request(port)
    clients: list[socket.socket] = []
    try:
        for _ in range(min(WAVE, profile.connections - done)):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))
            client.sendall(data)
            clients.append(client)
        for client in clients:
            _answer(client, profile)
            done += 1
    except TimeoutError as error:
        raise WrongAnswer(f"of {profile.connections:,} connections, {done:,} are answered") from error
    except OSError as error:
        text = error.strerror or type(error).__name__
        raise WrongAnswer(f"after {done:,} of {profile.connections:,} connections: {text}") from error


def _answer(client: socket.socket, profile: Profile) -> None:
    """The floor's octets are others, but as many."""
    received = b""
    while len(received.partition(b"\r\n\r\n")[2]) < len(profile.answer):
        block = client.recv(4096)
        if not block:
            raise ConnectionResetError(0, "closed without an answer")
        received += block
    if not received.startswith(b"HTTP/1.1 200"):
        raise WrongAnswer(f"answered {received[:30]!r}")
