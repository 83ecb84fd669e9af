"""examples/site, the page of `make serve`, through the server and wsgiref's validator."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from wsgiref.validate import validator

import httpx
import pytest

from pronghorn.apps.load import load
from pronghorn.assemble.compose import compose
from pronghorn.config import file as config
from tests.serving import serving

SITE = Path(__file__).parents[1] / "examples" / "site"
FILE = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def site() -> Iterator[httpx.Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        file = config.Found(str(SITE / "pronghorn.toml"), "pronghorn.toml")
        composed = compose(config.from_file(file, {}).composition, lambda spec: validator(load(spec)))
        with (
            serving(composed.app, prepare=lambda worker: setattr(worker, "routing", composed)) as server,
            httpx.Client(
                base_url=f"http://127.0.0.1:{server.port}", headers={"Accept": "text/html"}
            ) as client,
        ):
            yield client


@pytest.mark.parametrize("path", ["/", "/environ", "/stream", "/upload"])
def test_pages(site: httpx.Client, path: str) -> None:
    page = site.get(path)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "http://" not in page.text.replace(str(site.base_url).rstrip("/"), "").replace(
        "http://www.w3.org", ""
    )
    head = site.head(path)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/static/style.css", "/static/stream.js", "/static/mark.svg"])
def test_files(site: httpx.Client, path: str) -> None:
    answer = site.get(path)
    assert answer.content == (SITE / path[1:]).read_bytes()
    assert answer.headers["ETag"]


def test_the_second_application(site: httpx.Client) -> None:
    answer = site.get("/api")
    assert answer.json()["facts"][0] == "/api/0"
    assert site.get("/api/0").json()["title"] == "Facts about pronghorns"
    assert answer.headers["X-Request-ID"] == answer.json()["request"] != ""


def test_environ_is_escaped(site: httpx.Client) -> None:
    page = site.get("/environ/<b>caf\xe9?x=<i>", headers={"X-Evil": "<script>alert(1)</script>"}).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "/environ/&lt;b&gt;caf\xc3\xa9" in page
    assert "wsgi.input_terminated" in page


def test_stream(site: httpx.Client) -> None:
    with site.stream("GET", "/stream/lines") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert next(response.iter_lines()).startswith("The pronghorn")


def test_upload_of_a_form(site: httpx.Client) -> None:
    page = site.post("/upload", files={"file": ("<b>.bin", FILE)}, data={"text": "<i>ö</i>"})
    assert page.status_code == 200
    assert hashlib.sha256(FILE).hexdigest() in page.text
    assert f"{len(FILE):,} bytes" in page.text
    assert "&lt;b&gt;.bin" in page.text
    assert "“&lt;i&gt;ö&lt;/i&gt;”" in page.text


def test_upload_of_a_bare_body(site: httpx.Client) -> None:
    text = site.put("/upload", content=iter([FILE, FILE])).text
    assert text.startswith(f"size {len(FILE) * 2}\nsha256 {hashlib.sha256(FILE * 2).hexdigest()}\nspeed ")


def test_a_broken_form(site: httpx.Client) -> None:
    kind = "multipart/form-data; boundary=b"
    for body in (b"", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\nno end", b"nothing"):
        assert site.post("/upload", content=body, headers={"Content-Type": kind}).status_code == 400
    assert (
        site.post("/upload", content=b"x", headers={"Content-Type": "multipart/form-data"}).status_code == 400
    )


def test_not_found_and_not_allowed(site: httpx.Client) -> None:
    page = site.get("/<script>x")
    assert page.status_code == 404
    assert "&lt;script&gt;x" in page.text
    refused = site.delete("/")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
