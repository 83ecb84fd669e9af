"""The application behind the tests that need a process of their own: small routes that can be awkward."""

import hashlib
import io
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

BLOCK = 65536


def octets(size: int) -> Iterator[bytes]:
    """So many octets in blocks, none like the one before it."""
    at = 0
    while at < size:
        yield (b"%015d\n" % at * (BLOCK // 16))[: size - at]
        at += BLOCK


def digest(blocks: Iterable[bytes]) -> str:
    total = hashlib.sha256()
    for block in blocks:
        total.update(block)
    return total.hexdigest()


def process_memory() -> dict[str, int]:
    """KiB: VmRSS and VmHWM of this process."""
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return {name: int(fields[name].split()[0]) for name in ("VmRSS", "VmHWM")}


def _file(size: int) -> Any:
    file = tempfile.TemporaryFile()  # noqa: SIM115
    if size > 1 << 24:
        os.ftruncate(file.fileno(), size)
    else:
        file.writelines(octets(size))
    file.seek(0)
    return file


def ticks(errors: Any) -> Iterator[bytes]:
    """Never ends by itself."""
    try:
        while True:
            yield b"tick\n"
            time.sleep(0.02)
    finally:
        errors.write("the ticks have been cleaned up\n")


def site(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    route = environ["PATH_INFO"]
    query = environ["QUERY_STRING"]
    status, headers = "200 OK", [("Content-Type", "text/plain")]
    if route == "/quick":
        body: Iterable[bytes] = [b"quick"]
    elif route == "/slow":
        time.sleep(float(query))
        body = [b"slow"]
    elif route == "/stuck":
        threading.Event().wait()
        body = []
    elif route == "/stuck-in-c":
        # No signal handler runs on this thread before it returns, in many minutes.
        hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2_000_000_000)
        body = []
    elif route == "/memory":
        body = [" ".join(f"{name}={size}" for name, size in process_memory().items()).encode()]
    elif route == "/list":
        body = [b"".join(octets(int(query)))]
    elif route == "/zeros":
        body = [bytes(int(query))]
    elif route == "/generator":
        body = octets(int(query))
    elif route == "/ticks":
        body = ticks(environ["wsgi.errors"])
    elif route == "/file":
        body = environ["wsgi.file_wrapper"](_file(int(query)))
    elif route == "/digest":
        source: io.BufferedIOBase = environ["wsgi.input"]
        body = [digest(iter(lambda: source.read(BLOCK), b"")).encode()]
    else:
        status, body = "404 Not Found", [b"no such route"]
    start_response(status, headers)
    return body
