"""A direct WSGI call of Static, held to PEP 3333 and to what every answer must have."""

import os
import re
from pathlib import Path
from typing import Any

from pronghorn.apps.static.app import Static
from tests.serving import Fields

STATUS = re.compile(r"[2-5][0-9][0-9] [A-Za-z ]+")
FIELD = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
LONG_AGO = 1_000_000_000


class Answer(Fields):
    def __init__(self, status: str, fields: list[tuple[str, str]], body: bytes) -> None:
        self.status = int(status[:3])
        self.fields = fields
        self.body = body

    @property
    def etag(self) -> str:
        return self.one("etag") or ""


def environ_of(
    path: str, method: str = "GET", query: str = "", script: str = "", **fields: str
) -> dict[str, Any]:
    """path: as it stands in PATH_INFO. fields: `if_none_match="x"` is the field If-None-Match."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": script,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
    }
    environ.update({"HTTP_" + name.upper(): value for name, value in fields.items()})
    return environ


def call(app: Any, environ: dict[str, Any]) -> Answer:
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> None:
        assert not started
        assert STATUS.fullmatch(status), status
        assert type(fields) is list
        for name, value in fields:
            assert type(name) is str and type(value) is str
            assert FIELD.fullmatch(value), (name, value)
        started.append((status, fields))

    before = dict(environ)
    result = app(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    assert environ == before
    answer = Answer(*started[0], body)
    check(answer, environ["REQUEST_METHOD"])
    return answer


def check(answer: Answer, method: str) -> None:
    """What is true of every answer of ours."""
    assert answer.one("x-content-type-options") == "nosniff"
    length = answer.one("content-length")
    if method == "HEAD" or answer.status in (204, 304):
        assert answer.body == b""
        assert answer.status not in (204, 304) or length is None
    else:
        assert length == str(len(answer.body))
    for name in ("etag", "last-modified", "cache-control", "vary", "content-type", "location"):
        answer.one(name)


def get(app: Any, path: str, **more: str) -> Answer:
    return call(app, environ_of(path, **more))


def write(root: Path, name: str, content: bytes | str, age: float = 0.0) -> Path:
    """A file that was last changed long ago, or `age` nanoseconds before that."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    when = LONG_AGO * 10**9 - int(age)
    os.utime(path, ns=(when, when))
    return path


def forgetting(root: Path | str | list[str], **options: Any) -> Static:
    """A Static that remembers nothing."""
    return Static(root, cache_seconds=0, **options)
