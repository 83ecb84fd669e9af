"""A middleware called as a server calls it, with wsgiref's validator on both sides."""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

Headers = list[tuple[str, str]]


class Called:
    """One call: what the server gets of it."""

    def __init__(self, app: Any, *, check: bool = True, **extra: Any) -> None:
        self.environ: dict[str, Any] = {"QUERY_STRING": "", **extra}
        setup_testing_defaults(self.environ)
        for key in [key for key, value in self.environ.items() if value is None]:
            del self.environ[key]
        self.heads: list[tuple[str, Headers]] = []
        self.blocks: list[bytes] = []
        """As they come, those of write() too."""
        self.after: list[str] = []
        result = (validator(app) if check else app)(self.environ, self.start_response)
        try:
            for block in result:
                assert self.heads, "content before start_response"
                self.blocks.append(block)
        finally:
            if hasattr(result, "close"):
                result.close()

    def start_response(self, status: str, fields: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        if exc_info is not None and any(self.blocks):
            raise exc_info[1]
        assert exc_info is not None or not self.heads
        self.heads.append((status, list(fields)))
        return self.blocks.append

    @property
    def status(self) -> str:
        return self.heads[-1][0]

    @property
    def fields(self) -> Headers:
        return self.heads[-1][1]

    @property
    def body(self) -> bytes:
        return b"".join(self.blocks)

    def one(self, name: str) -> str | None:
        values = [value for key, value in self.fields if key.lower() == name.lower()]
        assert len(values) <= 1, values
        return values[0] if values else None


class App:
    """An application that keeps what it saw, and answers as it was told."""

    def __init__(self, *blocks: bytes, status: str = "200 OK", fields: Headers | None = None) -> None:
        self.blocks = list(blocks) or [b"hello"]
        self.status = status
        self.fields = [("Content-Type", "text/plain")] if fields is None else fields
        self.seen: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.seen = dict(environ)
        start_response(self.status, self.fields)
        return self.blocks


class Closing:
    """An iterable that counts its close()."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self.blocks = blocks
        self.closed = 0

    def __iter__(self) -> Any:
        return iter(self.blocks)

    def close(self) -> None:
        self.closed += 1
