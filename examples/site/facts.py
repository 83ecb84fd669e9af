"""A second application: a fact at a time, as JSON. It knows nothing of where it is mounted."""

import json
from collections.abc import Callable, Iterable
from typing import Any

FACTS = (
    "The pronghorn is the last of a family that once had a dozen kinds.",
    "No animal of its continent runs faster: nearly 90 km/h.",
    "Its nearest living relatives are the giraffe and the okapi.",
    "It seldom jumps: at a fence it looks for the gap below.",
)


def create_app(title: str) -> Callable[..., Iterable[bytes]]:
    """A WSGI application. title: it comes from pronghorn.toml."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"].strip("/")
        if path and not (path.isdigit() and int(path) < len(FACTS)):
            status, answer = "404 Not Found", {"error": f"there are facts 0 to {len(FACTS) - 1}"}
        elif path:
            status, answer = "200 OK", {"title": title, "fact": FACTS[int(path)]}
        else:
            links = [f"{environ['SCRIPT_NAME']}/{number}" for number in range(len(FACTS))]
            status, answer = "200 OK", {"title": title, "facts": links}
        answer["request"] = environ.get("pronghorn.request_id", "")
        body = json.dumps(answer, indent=2).encode() + b"\n"
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return application
