"""The suite's routes in Django, in one file."""

from typing import Any
from wsgiref.validate import validator

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import (
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path

from tests.frameworks.apps.common import DATA, LARGE, TEXT, blocks_of, digest, lines

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this test",
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    DATA_UPLOAD_MAX_MEMORY_SIZE=10_000_000,
)
django.setup()


def text(request: Any) -> Any:
    return HttpResponse(TEXT, content_type="text/plain; charset=utf-8")


def json(request: Any) -> Any:
    return JsonResponse(DATA)


def hello(request: Any, name: str) -> Any:
    return HttpResponse(f"Hello {name}")


def query(request: Any) -> Any:
    return JsonResponse(dict(request.GET.lists()))


def form(request: Any) -> Any:
    return JsonResponse(dict(request.POST.lists()))


def upload(request: Any) -> Any:
    file = request.FILES["file"]
    return JsonResponse(digest(file.chunks(), filename=file.name, note=request.POST["note"]))


def raw(request: Any) -> Any:
    return JsonResponse(digest(blocks_of(request.read)))


def whole(request: Any) -> Any:
    return JsonResponse(digest([request.body]))


def stream(request: Any) -> Any:
    return StreamingHttpResponse(lines(), content_type="text/plain; charset=utf-8")


def set_cookies(request: Any) -> Any:
    response = HttpResponse("set")
    response.set_cookie("first", "1")
    response.set_cookie("second", "two", path="/", httponly=True)
    return response


def cookies(request: Any) -> Any:
    return JsonResponse(dict(request.COOKIES))


def redirect(request: Any) -> Any:
    return HttpResponseRedirect("/text")


def error(request: Any) -> Any:
    raise ValueError("deliberate")


def status(request: Any) -> Any:
    return HttpResponse("short and stout", status=418)


def headers(request: Any) -> Any:
    return JsonResponse({name: value for name, value in request.headers.items() if name.startswith("X-")})


def client(request: Any) -> Any:
    return HttpResponse(request.META["REMOTE_ADDR"])


def url(request: Any) -> Any:
    return HttpResponse(request.build_absolute_uri())


def method(request: Any) -> Any:
    return HttpResponse(request.method)


def large(request: Any) -> Any:
    return HttpResponse(LARGE, content_type="application/octet-stream")


def empty(request: Any) -> Any:
    response = HttpResponse(status=204)
    del response["Content-Type"]
    return response


def unchanged(request: Any) -> Any:
    return HttpResponseNotModified()


urlpatterns = [
    path("text", text),
    path("json", json),
    path("hello/<str:name>", hello),
    path("query", query),
    path("form", form),
    path("upload", upload),
    path("raw", raw),
    path("whole", whole),
    path("stream", stream),
    path("cookies/set", set_cookies),
    path("cookies", cookies),
    path("redirect", redirect),
    path("error", error),
    path("status", status),
    path("headers", headers),
    path("client", client),
    path("url", url),
    path("method", method),
    path("large", large),
    path("empty", empty),
    path("unchanged", unchanged),
]

app = get_wsgi_application()
validated = validator(app)
