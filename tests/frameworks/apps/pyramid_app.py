"""The suite's routes in Pyramid."""

from typing import Any
from wsgiref.validate import validator

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPFound
from pyramid.response import Response

from tests.frameworks.apps.common import DATA, LARGE, TEXT, blocks_of, digest, lines


def text(request: Any) -> Any:
    return Response(TEXT, content_type="text/plain", charset="utf-8")


def json(request: Any) -> Any:
    return Response(json_body=DATA)


def hello(request: Any) -> Any:
    return Response(f"Hello {request.matchdict['name']}")


def query(request: Any) -> Any:
    return Response(json_body={key: request.GET.getall(key) for key in request.GET})


def form(request: Any) -> Any:
    return Response(json_body={key: request.POST.getall(key) for key in request.POST})


def upload(request: Any) -> Any:
    file = request.POST["file"]
    return Response(
        json_body=digest(blocks_of(file.file.read), filename=file.filename, note=request.POST["note"])
    )


def raw(request: Any) -> Any:
    return Response(json_body=digest(blocks_of(request.environ["wsgi.input"].read)))


def whole(request: Any) -> Any:
    return Response(json_body=digest([request.body]))


def stream(request: Any) -> Any:
    return Response(app_iter=lines(), content_type="text/plain", charset="utf-8")


def set_cookies(request: Any) -> Any:
    response = Response("set")
    response.set_cookie("first", "1")
    response.set_cookie("second", "two", path="/", httponly=True)
    return response


def cookies(request: Any) -> Any:
    return Response(json_body=dict(request.cookies))


def redirect(request: Any) -> Any:
    return HTTPFound("/text")


def error(request: Any) -> Any:
    raise ValueError("deliberate")


def status(request: Any) -> Any:
    return Response("short and stout", status="418 I'm a teapot")


def headers(request: Any) -> Any:
    return Response(
        json_body={name: value for name, value in request.headers.items() if name.startswith("X-")}
    )


def client(request: Any) -> Any:
    return Response(request.remote_addr)


def url(request: Any) -> Any:
    return Response(request.url)


def method(request: Any) -> Any:
    return Response(request.method)


def large(request: Any) -> Any:
    return Response(LARGE, content_type="application/octet-stream")


def empty(request: Any) -> Any:
    response = Response(status=204)
    del response.content_type
    return response


def unchanged(request: Any) -> Any:
    response = Response(status=304)
    del response.content_type
    return response


ROUTES = {
    "/text": text,
    "/json": json,
    "/hello/{name}": hello,
    "/query": query,
    "/form": form,
    "/upload": upload,
    "/raw": raw,
    "/whole": whole,
    "/stream": stream,
    "/cookies/set": set_cookies,
    "/cookies": cookies,
    "/redirect": redirect,
    "/error": error,
    "/status": status,
    "/headers": headers,
    "/client": client,
    "/url": url,
    "/method": method,
    "/large": large,
    "/empty": empty,
    "/unchanged": unchanged,
}


def make_app() -> Any:
    with Configurator() as config:
        for number, (pattern, view) in enumerate(ROUTES.items()):
            config.add_route(str(number), pattern)
            config.add_view(view, route_name=str(number))
        return config.make_wsgi_app()


app = make_app()
validated = validator(app)
