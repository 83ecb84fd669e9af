"""The same application through five frameworks, with a real HTTP client."""

import hashlib
from collections.abc import Iterator

import httpx
import pytest

from tests.frameworks.apps.common import DATA, LARGE, LINES, TEXT
from tests.frameworks.conftest import Site

BODY = hashlib.sha256(b"seed").digest() * 150_000
DIGEST = {"size": len(BODY), "sha256": hashlib.sha256(BODY).hexdigest()}

_READ = "Werkzeug calls read() without a size where wsgi.input_terminated allows it; the validator wants one"
BREAKS_THE_VALIDATOR = {("flask", "/whole"): _READ, ("flask", "/form"): _READ}
"""(framework, route): why the framework itself does not pass wsgiref.validate there; the answer is 500."""


def get(site: Site, path: str, **options: object) -> httpx.Response:
    return site.client.get(path, **options)  # type: ignore[arg-type]


def breaks_the_validator(site: Site, route: str, response: httpx.Response) -> bool:
    """Whether this is one of the listed cases; it must then be as listed."""
    if not site.validated or (site.framework, route) not in BREAKS_THE_VALIDATOR:
        return False
    assert response.status_code == 500, "no longer breaks the validator: take it off the list"
    return True


def test_text(site: Site) -> None:
    response = get(site, "/text")
    assert (response.status_code, response.text) == (200, TEXT)
    assert response.headers["Content-Type"].lower() == "text/plain; charset=utf-8"
    assert response.headers["Content-Length"] == str(len(TEXT.encode()))
    assert response.http_version == "HTTP/1.1"


def test_json(site: Site) -> None:
    response = get(site, "/json")
    assert response.json() == DATA
    assert response.headers["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("name", ["world", "Zoë", "日本", "a b", "a+b", "%41", "😀"])
def test_path_parameter(site: Site, name: str) -> None:
    response = get(site, f"/hello/{name.replace('%', '%25')}")
    assert response.text == f"Hello {name}"


def test_query_parameters(site: Site) -> None:
    response = get(site, "/query", params=[("a", "1"), ("name", "Zoë & Co"), ("a", "日本"), ("a", "x=y+z")])
    assert response.json() == {"a": ["1", "日本", "x=y+z"], "name": ["Zoë & Co"]}


def test_form(site: Site) -> None:
    response = site.client.post("/form", data={"name": "Zoë & Co", "many": ["1", "zwölf"]})
    if breaks_the_validator(site, "/form", response):
        return
    assert response.json() == {"name": ["Zoë & Co"], "many": ["1", "zwölf"]}


def test_file_upload(site: Site) -> None:
    response = site.client.post(
        "/upload", files={"file": ("data.bin", BODY, "application/octet-stream")}, data={"note": "größer"}
    )
    assert response.json() == {**DIGEST, "filename": "data.bin", "note": "größer"}


def pieces() -> Iterator[bytes]:
    for at in range(0, len(BODY), 300_007):
        yield BODY[at : at + 300_007]


@pytest.mark.parametrize("route", ["/raw", "/whole"])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_body(site: Site, route: str, chunked: bool) -> None:
    """A chunked upload reaches every framework as an ordinary one."""
    response = site.client.post(
        route, content=pieces() if chunked else BODY, headers={"Content-Type": "application/octet-stream"}
    )
    if breaks_the_validator(site, route, response):
        return
    assert response.json() == DIGEST


def test_chunked_form(site: Site) -> None:
    body = iter([b"name=Zo%C3%AB", b"&many=1&ma", b"ny=2"])
    response = site.client.post(
        "/form", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert response.request.headers["Transfer-Encoding"] == "chunked"
    if breaks_the_validator(site, "/form", response):
        return
    assert response.json() == {"name": ["Zoë"], "many": ["1", "2"]}


def test_streaming_response(site: Site) -> None:
    with site.client.stream("GET", "/stream") as response:
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert list(response.iter_lines()) == [f"line {number} ✓" for number in range(LINES)]


def test_a_stream_that_is_left_early(site: Site) -> None:
    with httpx.stream("GET", f"{site.server.url}/stream") as response:
        assert next(response.iter_lines())
    assert get(site, "/text").text == TEXT


def test_cookies(site: Site) -> None:
    with httpx.Client(base_url=site.server.url) as client:
        response = client.get("/cookies/set")
        cookies = response.headers.get_list("set-cookie")
        assert [cookie.partition(";")[0] for cookie in cookies] == ["first=1", "second=two"]
        found = client.get("/cookies").json()
    assert {name: value if isinstance(value, str) else value[0] for name, value in found.items()} == {
        "first": "1",
        "second": "two",
    }


def test_redirect(site: Site) -> None:
    response = get(site, "/redirect")
    assert response.status_code == 302
    assert response.headers["Location"].removeprefix(site.server.url) == "/text"
    assert get(site, "/redirect", follow_redirects=True).text == TEXT


def test_not_found(site: Site) -> None:
    assert get(site, "/nowhere").status_code == 404


def test_an_exception_is_a_500(site: Site) -> None:
    for _ in range(2):
        response = get(site, "/error")
        assert response.status_code == 500
        assert "deliberate" not in response.text
        assert "Traceback" not in response.text
    assert get(site, "/text").status_code == 200


def test_head(site: Site) -> None:
    response = site.client.head("/text")
    assert (response.status_code, response.content) == (200, b"")
    assert get(site, "/text").text == TEXT


def test_custom_status(site: Site) -> None:
    response = get(site, "/status")
    assert (response.status_code, response.text) == (418, "short and stout")


def test_request_headers(site: Site) -> None:
    response = get(site, "/headers", headers={"X-One": "1", "X-Two-Words": 'a, b; c="d"', "X_Under": "never"})
    assert response.json() == {"X-One": "1", "X-Two-Words": 'a, b; c="d"'}


def test_client_address(site: Site) -> None:
    assert get(site, "/client").text == "127.0.0.1"


def test_url(site: Site) -> None:
    assert get(site, "/url?a=1&b=x%20y").text == f"{site.server.url}/url?a=1&b=x%20y"
    assert get(site, "/url", headers={"Host": "shop.example"}).text == "http://shop.example/url"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_methods(site: Site, method: str) -> None:
    assert site.client.request(method, "/method").text == method


def test_large_response(site: Site) -> None:
    response = get(site, "/large")
    assert response.content == LARGE
    assert response.headers["Content-Length"] == str(len(LARGE))


@pytest.mark.parametrize("route, status", [("/empty", 204), ("/unchanged", 304)])
def test_no_content(site: Site, route: str, status: int) -> None:
    for _ in range(2):
        response = get(site, route)
        if breaks_the_validator(site, route, response):
            return
        assert (response.status_code, response.content) == (status, b"")
        assert "Transfer-Encoding" not in response.headers
    assert get(site, "/text").text == TEXT
