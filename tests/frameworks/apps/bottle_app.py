"""The suite's routes in Bottle."""

import json as to_json
from typing import Any
from wsgiref.validate import validator

import bottle
from bottle import HTTPResponse, request

from tests.frameworks.apps.common import DATA, LARGE, TEXT, blocks_of, digest, lines

app = bottle.Bottle()


def as_json(data: Any) -> Any:
    return HTTPResponse(to_json.dumps(data), headers={"Content-Type": "application/json"})


def lists(values: Any) -> dict[str, list[str]]:
    # Bottle decodes as latin-1 unless asked.
    decoded = values.decode()
    return {key: decoded.getall(key) for key in decoded}


@app.get("/text")
def text() -> Any:
    return HTTPResponse(TEXT, headers={"Content-Type": "text/plain; charset=utf-8"})


@app.get("/json")
def json() -> Any:
    return as_json(DATA)


@app.get("/hello/<name>")
def hello(name: str) -> Any:
    return f"Hello {name}"


@app.get("/query")
def query() -> Any:
    return as_json(lists(request.query))


@app.post("/form")
def form() -> Any:
    return as_json(lists(request.forms))


@app.post("/upload")
def upload() -> Any:
    file = request.files["file"]
    note = request.forms.decode()["note"]
    return as_json(digest(blocks_of(file.file.read), filename=file.raw_filename, note=note))


@app.post("/raw")
def raw() -> Any:
    return as_json(digest(blocks_of(request["wsgi.input"].read)))


@app.post("/whole")
def whole() -> Any:
    return as_json(digest([request.body.read()]))


@app.get("/stream")
def stream() -> Any:
    bottle.response.content_type = "text/plain; charset=utf-8"
    return lines()


@app.get("/cookies/set")
def set_cookies() -> Any:
    bottle.response.set_cookie("first", "1")
    bottle.response.set_cookie("second", "two", path="/", httponly=True)
    return "set"


@app.get("/cookies")
def cookies() -> Any:
    return as_json(dict(request.cookies))


@app.get("/redirect")
def redirect() -> Any:
    bottle.redirect("/text", 302)


@app.get("/error")
def error() -> Any:
    raise ValueError("deliberate")


@app.get("/status")
def status() -> Any:
    return HTTPResponse("short and stout", status="418 I'm a teapot")


@app.get("/headers")
def headers() -> Any:
    return as_json({name: value for name, value in request.headers.items() if name.startswith("X-")})


@app.get("/client")
def client() -> Any:
    return request.remote_addr


@app.get("/url")
def url() -> Any:
    return request.url


@app.route("/method", method=["GET", "PUT", "PATCH", "DELETE", "POST"])
def method() -> Any:
    return request.method


@app.get("/large")
def large() -> Any:
    return HTTPResponse(LARGE, headers={"Content-Type": "application/octet-stream"})


@app.get("/empty")
def empty() -> Any:
    return HTTPResponse(status=204)


@app.get("/unchanged")
def unchanged() -> Any:
    return HTTPResponse(status=304)


validated = validator(app)
