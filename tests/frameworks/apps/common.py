"""What every framework's application answers with; test_suite.py says what the routes are."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

TEXT = "plain text, naïvely\n"
DATA = {"name": "Zoë", "list": [1, 2, 3], "none": None}
LARGE = bytes(range(256)) * 20_000
LINES = 20
BLOCK = 1 << 16


def lines() -> Iterator[bytes]:
    for number in range(LINES):
        yield f"line {number} ✓\n".encode()


def blocks_of(read: Callable[[int], bytes]) -> Iterator[bytes]:
    return iter(lambda: read(BLOCK), b"")


def digest(blocks: Iterable[bytes], **more: Any) -> dict[str, Any]:
    """The size and the hash of what was received."""
    hashed, size = hashlib.sha256(), 0
    for block in blocks:
        hashed.update(block)
        size += len(block)
    return {"size": size, "sha256": hashed.hexdigest(), **more}
