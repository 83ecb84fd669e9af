"""STATIC.md S18: X-Sendfile and X-Accel-Redirect, confined to allowed roots."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pronghorn.apps.static.dates import http_date
from pronghorn.apps.static.sendfile import SendFile
from tests.apps.static.harness import LONG_AGO, Answer, get, write
from tests.serving import serving


class Sending:
    """An application that answers with these fields, and remembers whether it was closed."""

    def __init__(self, *fields: tuple[str, str], status: str = "200 OK", late: bool = False) -> None:
        self.fields = [("Content-Type", "application/pdf"), ("Content-Length", "9"), *fields]
        self.status = status
        self.late = late
        self.closed = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if not self.late:
            start_response(self.status, list(self.fields))
        self.start_response = start_response
        return self

    def __iter__(self) -> Iterator[bytes]:
        if self.late:
            self.start_response(self.status, list(self.fields))
        yield b"not this!"

    def close(self) -> None:
        self.closed += 1


def sent(root: Path, value: str, *, late: bool = False, status: str = "200 OK", **more: str) -> Answer:
    inner = Sending(("X-Sendfile", value), ("Set-Cookie", "a=1"), status=status, late=late)
    answer = get(SendFile(inner, roots=[str(root)]), "/any", **more)
    assert inner.closed == 1
    assert answer.one("x-sendfile") is None
    return answer


@pytest.mark.parametrize("late", [False, True])
def test_a_file_in_place_of_the_content(root: Path, late: bool) -> None:
    answer = sent(root, f"{root}/sub/inner.txt", late=late)
    assert (answer.status, answer.body) == (200, b"inner")
    assert answer.one("content-type") == "application/pdf"
    assert answer.one("set-cookie") == "a=1"
    assert answer.etag
    part = sent(root, f"{root}/file.txt", late=late, range="bytes=0-6")
    assert (part.status, part.body) == (206, b"content")
    assert sent(root, f"{root}/file.txt", late=late, if_none_match="*").status == 304
    assert sent(root, f"{root}/file.txt", late=late, method="HEAD").one("content-length") == "19"


@pytest.mark.parametrize(
    "value",
    [
        "{root}/../secret.txt",
        "{root}-secret/secret.txt",
        "{root}/sub/../../secret.txt",
        "{root}//file.txt",
        "{root}/file.txt/",
        "{root}/out",
        "{root}/sub",
        "{root}/",
        "{root}",
        "{root}/nothing",
        "{root}/file.txt\0",
        "/etc/passwd",
        "file.txt",
        "../secret.txt",
        "\u20ac",
    ],
)
def test_whatever_is_not_below_the_root(root: Path, value: str, caplog: pytest.LogCaptureFixture) -> None:
    (root / "out").symlink_to("../secret.txt")
    answer = sent(root, value.format(root=root))
    assert answer.status == 404
    assert b"SECRET" not in answer.body
    assert len(caplog.records) == 1


def test_x_accel_redirect(root: Path) -> None:
    write(root, "a b", "blank")
    for value, body in {
        "/protected/file.txt": b"content of the file",
        "/protected/a%20b": b"blank",
        "/protected/inner/inner.txt": b"inner",
        "/protected/%2e%2e/secret.txt": None,
        "/protected/../secret.txt": None,
        "/other/file.txt": None,
        "protected/file.txt": None,
    }.items():
        inner = Sending(("X-Accel-Redirect", value))
        app = SendFile(inner, internal={"/protected": str(root), "/protected/inner/": str(root / "sub")})
        answer = get(app, "/any")
        assert answer.status == (200 if body else 404)
        assert body is None or answer.body == body


def test_one_field_does_not_stand_for_the_other(root: Path) -> None:
    assert (
        get(SendFile(Sending(("X-Accel-Redirect", f"{root}/file.txt")), roots=[str(root)]), "/").status == 404
    )


def test_another_status_or_method_is_kept(root: Path) -> None:
    answer = sent(root, f"{root}/file.txt", status="402 Payment Required", range="bytes=0-1")
    assert (answer.status, answer.body) == (402, b"content of the file")
    answer = sent(root, f"{root}/file.txt", method="POST", if_none_match="*")
    assert (answer.status, answer.body) == (200, b"content of the file")


EARLY, FILES, LATE = (http_date(LONG_AGO + seconds) for seconds in (-3600, 0, 3600))


@pytest.mark.parametrize("said", [EARLY, LATE])
def test_conditions_are_decided_by_the_last_modified_that_is_sent(root: Path, said: str) -> None:
    """RFC 9110 sections 13.1.3 to 13.1.5: the application's, where it gives one."""
    inner = Sending(("X-Sendfile", f"{root}/file.txt"), ("Last-Modified", said))
    app = SendFile(inner, roots=[str(root)])
    assert get(app, "/").one("last-modified") == said
    assert get(app, "/", if_modified_since=said).status == 304
    assert get(app, "/", if_unmodified_since=said).status == 200
    assert get(app, "/", if_modified_since=FILES).status == (304 if said == EARLY else 200)
    assert get(app, "/", if_unmodified_since=FILES).status == (200 if said == EARLY else 412)
    assert get(app, "/", range="bytes=0-1", if_range=said).status == 206
    assert get(app, "/", range="bytes=0-1", if_range=FILES).status == 200


def test_a_last_modified_that_is_no_date_decides_nothing(root: Path) -> None:
    inner = Sending(("X-Sendfile", f"{root}/file.txt"), ("Last-Modified", "yesterday"))
    app = SendFile(inner, roots=[str(root)])
    assert get(app, "/", if_modified_since=FILES).status == 304
    assert get(app, "/", if_modified_since=EARLY).status == 200


@pytest.mark.parametrize("late", [False, True])
def test_everything_else_goes_through(root: Path, late: bool) -> None:
    inner = Sending(("X-Content-Type-Options", "nosniff"), late=late)
    assert get(SendFile(inner, roots=[str(root)]), "/").body == b"not this!"
    assert inner.closed == 1


def test_large_files_over_a_socket(root: Path) -> None:
    write(root, "large", b"x" * 1_000_000)
    for late in (False, True):
        app = SendFile(Sending(("X-Sendfile", f"{root}/large"), late=late), roots=[str(root)])
        with serving(app) as server:
            assert server.get("/").body == b"x" * 1_000_000
            assert server.get("/", "Range: bytes=-5").body == b"xxxxx"
