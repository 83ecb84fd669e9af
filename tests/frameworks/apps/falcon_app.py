"""The suite's routes in Falcon."""

from typing import Any
from wsgiref.validate import validator

import falcon

from tests.frameworks.apps.common import DATA, LARGE, TEXT, blocks_of, digest, lines


def lists(values: dict[str, Any]) -> dict[str, list[str]]:
    return {key: value if isinstance(value, list) else [value] for key, value in values.items()}


class Text:
    def on_get(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.text = TEXT

    on_head = on_get


class Json:
    def on_get(self, request: Any, response: Any) -> None:
        response.media = DATA


class Hello:
    def on_get(self, request: Any, response: Any, name: str) -> None:
        response.text = f"Hello {name}"


class Query:
    def on_get(self, request: Any, response: Any) -> None:
        response.media = lists(request.params)


class Form:
    def on_post(self, request: Any, response: Any) -> None:
        response.media = lists(request.get_media())


class Upload:
    def on_post(self, request: Any, response: Any) -> None:
        found: dict[str, Any] = {}
        for part in request.get_media():
            if part.name == "file":
                found.update(digest(blocks_of(part.stream.read), filename=part.filename))
            else:
                found[part.name] = part.text
        response.media = found


class Raw:
    def on_post(self, request: Any, response: Any) -> None:
        response.media = digest(blocks_of(request.stream.read))


class Whole:
    def on_post(self, request: Any, response: Any) -> None:
        response.media = digest([request.bounded_stream.read()])


class Stream:
    def on_get(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.stream = lines()


class SetCookies:
    def on_get(self, request: Any, response: Any) -> None:
        response.set_cookie("first", "1", secure=False)
        response.set_cookie("second", "two", path="/", secure=False)
        response.text = "set"


class Cookies:
    def on_get(self, request: Any, response: Any) -> None:
        response.media = request.cookies


class Redirect:
    def on_get(self, request: Any, response: Any) -> None:
        raise falcon.HTTPFound("/text")


class Error:
    def on_get(self, request: Any, response: Any) -> None:
        raise ValueError("deliberate")


class Status:
    def on_get(self, request: Any, response: Any) -> None:
        response.status = falcon.HTTP_418
        response.text = "short and stout"


class Headers:
    def on_get(self, request: Any, response: Any) -> None:
        response.media = {
            name.title(): value for name, value in request.headers.items() if name.startswith("X-")
        }


class Client:
    def on_get(self, request: Any, response: Any) -> None:
        response.text = request.remote_addr


class Url:
    def on_get(self, request: Any, response: Any) -> None:
        response.text = request.url


class Method:
    def on_get(self, request: Any, response: Any) -> None:
        response.text = request.method

    on_put = on_patch = on_delete = on_post = on_get


class Large:
    def on_get(self, request: Any, response: Any) -> None:
        response.content_type = falcon.MEDIA_TEXT
        response.data = LARGE


class Empty:
    def on_get(self, request: Any, response: Any) -> None:
        response.status = falcon.HTTP_204


class Unchanged:
    def on_get(self, request: Any, response: Any) -> None:
        response.status = falcon.HTTP_304


app = falcon.App(media_type=falcon.MEDIA_JSON)
app.req_options.keep_blank_qs_values = True
ROUTES = {
    "/text": Text,
    "/json": Json,
    "/hello/{name}": Hello,
    "/query": Query,
    "/form": Form,
    "/upload": Upload,
    "/raw": Raw,
    "/whole": Whole,
    "/stream": Stream,
    "/cookies/set": SetCookies,
    "/cookies": Cookies,
    "/redirect": Redirect,
    "/error": Error,
    "/status": Status,
    "/headers": Headers,
    "/client": Client,
    "/url": Url,
    "/method": Method,
    "/large": Large,
    "/empty": Empty,
    "/unchanged": Unchanged,
}
for template, resource in ROUTES.items():
    app.add_route(template, resource())

validated = validator(app)
