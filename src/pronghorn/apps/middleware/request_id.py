"""For finding one request again: in the log of a proxy, of the application, of a service it calls.

    application = RequestId(application)

Each request has an identifier: environ["pronghorn.request_id"], and X-Request-ID in request and response.
"""

import re
from collections.abc import Callable, Iterable
from random import getrandbits
from typing import Any

from pronghorn.errors import ConfigError
from pronghorn.http.fields import TOKEN

_SANE = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")
"""Nothing that ends a line or a quotation in a log; room for a UUID, a traceparent, base64."""


class RequestId:
    """A WSGI middleware. Any thread.

    trust: take the identifier that the request brings, if it is sane: up to 128 of A-Za-z0-9._:=+/@-
        For use behind a proxy that sets one; others could have their requests confused with other people's.
    header: the field's name.
    """

    __slots__ = ("_app", "_header", "_key", "_lower", "_trust")

    def __init__(
        self, app: Callable[..., Iterable[bytes]], *, trust: bool = False, header: str = "X-Request-ID"
    ) -> None:
        if not header or not header.isascii() or header.encode().translate(None, TOKEN):
            raise ConfigError(
                f"request-id: {header!r} is not the name of a field.", mend='Such as "X-Request-ID".'
            )
        self._app = app
        self._trust = trust
        self._header = header
        self._lower = header.lower()
        self._key = "HTTP_" + header.upper().replace("-", "_")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get(self._key, "") if self._trust else ""
        # Unique and cheap, but no secret. Python seeds it anew after a fork.
        identifier = given if _SANE.fullmatch(given) else f"{getrandbits(128):032x}"
        environ["pronghorn.request_id"] = environ[self._key] = identifier
        field, lower = (self._header, identifier), self._lower

        def with_identifier(status: str, fields: list[tuple[str, str]], exc_info: Any = None) -> Any:
            kept = [other for other in fields if other[0].lower() != lower]
            return start_response(status, [*kept, field], exc_info)

        return self._app(environ, with_identifier)
