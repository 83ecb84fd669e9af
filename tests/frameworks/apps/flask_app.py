"""The suite's routes in Flask."""

from typing import Any
from wsgiref.validate import validator

import flask

from tests.frameworks.apps.common import DATA, LARGE, TEXT, blocks_of, digest, lines

app = flask.Flask("suite")
request = flask.request


@app.get("/text")
def text() -> Any:
    return TEXT, 200, {"Content-Type": "text/plain; charset=utf-8"}


@app.get("/json")
def json() -> Any:
    return flask.jsonify(DATA)


@app.get("/hello/<name>")
def hello(name: str) -> Any:
    return f"Hello {name}"


@app.get("/query")
def query() -> Any:
    return flask.jsonify(request.args.to_dict(flat=False))


@app.post("/form")
def form() -> Any:
    return flask.jsonify(request.form.to_dict(flat=False))


@app.post("/upload")
def upload() -> Any:
    file = request.files["file"]
    return flask.jsonify(
        digest(blocks_of(file.stream.read), filename=file.filename, note=request.form["note"])
    )


@app.post("/raw")
def raw() -> Any:
    return flask.jsonify(digest(blocks_of(request.stream.read)))


@app.post("/whole")
def whole() -> Any:
    return flask.jsonify(digest([request.get_data()]))


@app.get("/stream")
def stream() -> Any:
    return flask.Response(lines(), mimetype="text/plain")


@app.get("/cookies/set")
def set_cookies() -> Any:
    response = flask.Response("set")
    response.set_cookie("first", "1")
    response.set_cookie("second", "two", path="/", httponly=True)
    return response


@app.get("/cookies")
def cookies() -> Any:
    return flask.jsonify(dict(request.cookies))


@app.get("/redirect")
def redirect() -> Any:
    return flask.redirect("/text")


@app.get("/error")
def error() -> Any:
    raise ValueError("deliberate")


@app.get("/status")
def status() -> Any:
    return "short and stout", 418


@app.get("/headers")
def headers() -> Any:
    return flask.jsonify({name: value for name, value in request.headers if name.startswith("X-")})


@app.get("/client")
def client() -> Any:
    return request.remote_addr


@app.get("/url")
def url() -> Any:
    return request.url


@app.route("/method", methods=["GET", "PUT", "PATCH", "DELETE", "POST"])
def method() -> Any:
    return request.method


@app.get("/large")
def large() -> Any:
    return flask.Response(LARGE, mimetype="application/octet-stream")


@app.get("/empty")
def empty() -> Any:
    response = flask.Response(status=204)
    del response.headers["Content-Type"]
    return response


@app.get("/unchanged")
def unchanged() -> Any:
    response = flask.Response(status=304)
    del response.headers["Content-Type"]
    return response


validated = validator(app)
