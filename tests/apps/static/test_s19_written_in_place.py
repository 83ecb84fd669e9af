"""STATIC.md S19: a large file that is written to while it is sent, over sockets."""

import errno
import os
from pathlib import Path

import pytest

from pronghorn.apps.static.app import Static
from tests.apps.static.harness import write
from tests.serving import CutOff, head, serving

LARGE = 8 << 20
"""More than the sockets of one connection hold, so that a client that does not read stops the server."""


@pytest.mark.parametrize("asked", ["", "Range: bytes=5-"])
def test_s19_a_file_rewritten_while_it_is_sent_is_cut_off(root: Path, asked: str) -> None:
    """The right length would hide that the content is of two files."""
    path = write(root, "f", b"o" * LARGE)
    with serving(Static(root)) as server, server.connect() as client:
        client.send(head("GET", "/f", *([asked] if asked else [])))
        client.read_until(b"\r\n\r\n")
        assert client._take(1, b"") == b"o"  # the answer has begun
        with path.open("r+b") as file:
            file.write(b"n" * LARGE)
        with pytest.raises((CutOff, ConnectionResetError)):
            client._take(LARGE - 6, b"")
        assert server.get("/f").body == b"n" * LARGE
        assert server.log == ""


def test_s19_a_log_that_goes_on_is_sent_as_it_was(root: Path) -> None:
    """Written to behind each piece that the client takes."""
    path = write(root, "f.log", b"o" * LARGE)
    with serving(Static(root)) as server, server.connect() as client, path.open("ab", buffering=0) as log:
        client.send(head("GET", "/f.log"))
        client.read_until(b"\r\n\r\n")
        got = 0
        while got < LARGE:
            log.write(b"one more line\n")
            got += len(client._take(min(LARGE - got, 500_000), b""))
        assert client.ask(head("GET", "/f.log", "Range: bytes=-5")).body == b"line\n"


def test_s19_no_descriptor_left_in_the_middle(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is cut off; it is nobody's defect, and the next one is served."""
    write(root, "f", b"o" * LARGE)

    def dup(fd: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with serving(Static(root)) as server, server.connect() as client:
        with monkeypatch.context() as patch:
            patch.setattr(os, "dup", dup)
            with pytest.raises((CutOff, ConnectionResetError)):
                client.ask(head("GET", "/f"))
        assert server.get("/f").body == b"o" * LARGE
        assert server.log == "DEBUG the client left during GET /f"
