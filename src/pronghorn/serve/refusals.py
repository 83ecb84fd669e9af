"""The answers that are the server's own: a short text, and the connection ends with it."""

from pronghorn.errors import ProtocolError
from pronghorn.http.response import ResponseHead

_REASONS = {
    400: "Bad Request",
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}

Answer = tuple[ResponseHead, bytes]


def _answer(status: str, text: str, *fields: tuple[str, str]) -> Answer:
    body = f"{status}\n\n{text}\n".encode()
    fields = (("Content-Type", "text/plain; charset=utf-8"), *fields)
    return ResponseHead(status, list(fields), len(body), close=True), body


def refusal(error: ProtocolError) -> Answer:
    """To what may not be answered as a request."""
    return _answer(f"{error.status} {_REASONS.get(error.status, 'Error')}", str(error))


TIMED_OUT = _answer("504 Gateway Timeout", "The application did not answer in time.")
"""RFC 9110 section 15.6.5."""

BUSY = _answer("503 Service Unavailable", "All threads were busy for too long.", ("Retry-After", "1"))
"""RFC 9110 section 15.6.4. Nothing was done with the request, so it may be sent again."""
