"""What a process that serves has not imported: modules for what it may never do (docs/start.md)."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE = 10.0

APP = """
import sys
def app(environ, start_response):
    body = " ".join(sys.modules).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""

NEEDED = "argparse, dataclasses, json, logging, mmap, queue, selectors, shlex, socket, threading, traceback, typing"

RARE = {
    "asyncio", "bz2", "ctypes", "datetime", "difflib", "email",
    "hashlib", "html", "importlib.metadata", "ipaddress", "lzma", "multiprocessing", "paste.deploy",
    "pathlib", "pkgutil", "random", "secrets", "shutil", "ssl", "subprocess", "sysconfig", "tempfile",
    "tomllib", "urllib.parse", "uuid", "watchfiles", "wsgiref", "zlib",
    "pronghorn.apps.error_page", "pronghorn.apps.mount", "pronghorn.assemble.compose", "pronghorn.config.schema",
    "pronghorn.config.show", "pronghorn.embed", "pronghorn.process.cpus", "pronghorn.process.watch",
    "pronghorn.serve.deadlines",
}  # fmt: skip


def brought_by_python() -> set[str]:
    """By what cannot be done without, in this version of Python and this environment."""
    program = f"import sys, {NEEDED}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def served_modules(folder: Path, *flags: str) -> set[str]:
    (folder / "listing.py").write_text(APP)
    command = [sys.executable, "-m", "pronghorn", "listing:app", "--bind", "127.0.0.1:0", *flags]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            urls = (re.search(r"http://127\.0\.0\.1:(\d+)", line) for line in server.stderr)
            port = next(int(found[1]) for found in urls if found)
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda: client.recv(65536), b""))
        finally:
            server.kill() if flags else server.terminate()
    return set(answer.partition(b"\r\n\r\n")[2].decode().split())


@pytest.mark.parametrize("flags", [[], ["--no-master"]], ids=["worker", "no master"])
def test_a_process_that_serves_has_no_modules_for_what_is_rare(tmp_path: Path, flags: list[str]) -> None:
    modules = served_modules(tmp_path, *flags)
    assert {"pronghorn.serve.worker", "encodings.idna"} <= modules
    assert modules & (RARE - brought_by_python()) == set()
