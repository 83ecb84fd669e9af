"""A worker's parts, put together: the same with and without a master."""

# Werkzeug asks for this codec in each request: not in a worker's first, when a descriptor may lack.
import encodings.idna  # noqa: F401
import io
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pronghorn.apps import blame
from pronghorn.apps.health import Health
from pronghorn.apps.metrics import Metrics
from pronghorn.apps.own_path import as_path_info
from pronghorn.assemble.parts import Served
from pronghorn.config.settings import Settings
from pronghorn.errors import ApplicationLoadError
from pronghorn.net.listen import Listener
from pronghorn.observe.access import AccessLog
from pronghorn.observe.counters import Counters, Tally
from pronghorn.serve.doors import Siblings
from pronghorn.serve.routing import Routing
from pronghorn.serve.worker import Worker
from pronghorn.wsgi.call import WSGIApplication
from pronghorn.wsgi.environ import Environ, server_environ

Own = dict[str, WSGIApplication]
"""The server's own paths, as they stand in PATH_INFO, and who answers them."""


def build(
    served: Served,
    listeners: Sequence[Listener],
    settings: Settings,
    log: logging.Logger,
    access: AccessLog | None,
    siblings: Siblings | None = None,
    counters: Counters | None = None,
    number: int = 0,
) -> Worker:
    """siblings: the other workers on the same listeners, if there are any. number: of the worker's row in
    counters, which all workers share; None: there is no other worker."""
    counters = counters or Counters(1)
    own: Own = {}
    if health := settings.app.health:
        own[as_path_info(health)] = Health(lambda: worker.ready)
    if metrics := settings.app.metrics:
        own[as_path_info(metrics)] = Metrics(counters.text)
    largest = max(settings.limits.limit_request_body, served.routing.largest_body if served.routing else 0)
    worker = Worker(
        served.app,
        listeners,
        settings.serve,
        replace(settings.limits, limit_request_body=largest),
        access=access,
        errors=log,
        multiprocess=siblings is not None,
        siblings=siblings,
    )
    if metrics:
        worker.observation.tally = Tally(counters.row(number))
    if own:
        worker.application.own = own
    if served.routing is not None:
        worker.routing = _OwnFirst(own, served.routing) if own else served.routing
    set_deadlines(worker, served.least_timeout)
    return worker


class _OwnFirst:
    """The server's own paths before all routes."""

    def __init__(self, own: Own, routing: Routing) -> None:
        self._own = own
        self._quick = routing.quick
        self.largest_body = routing.largest_body
        self.body_limit = routing.body_limit
        self.rest = routing.rest

    def quick(self, environ: Environ) -> WSGIApplication | None:
        """See serve.routing.Routing."""
        return self._own.get(environ["PATH_INFO"]) or self._quick(environ)


def set_deadlines(worker: Worker, least: float = float("inf")) -> None:
    """As --request-timeout has it. least: the shortest time limit of a route, in seconds. Before `run`."""
    if worker.options.request_timeout or least != float("inf"):
        # Costs a megabyte, for ctypes: only where it is wanted.
        from pronghorn.serve.deadlines import Deadlines
        from pronghorn.serve.interrupt import interrupt

        worker.deadlines = Deadlines(worker, interrupt, least)


def warm_up(app: WSGIApplication, path: str, log: logging.Logger) -> None:
    """Call the application once with GET path, if there is one. Raises ApplicationLoadError."""
    if not path:
        return
    statuses: list[str] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        statuses.append(status)
        return lambda block: None

    try:
        result = app(_environ(path), start_response)
        try:
            for _ in result:
                pass
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
    except KeyboardInterrupt:  # somebody at the terminal
        raise
    except BaseException as error:
        log.debug("the warm-up request failed", exc_info=error)
        raise ApplicationLoadError(
            f"The warm-up request GET {path} failed: {type(error).__name__}: {blame.one_line(error)}",
            mend=f"--warmup names the path. {blame.WHOLE}",
        ) from error
    if not statuses or statuses[-1][:1] not in "1234":
        shown = statuses[-1] if statuses else "no status"
        raise ApplicationLoadError(
            f"The warm-up request GET {path} was answered with {shown}.",
            mend="A worker that cannot answer it is not ready. --warmup names the path.",
        )


def _environ(path: str) -> dict[str, Any]:
    environ = server_environ(
        software="pronghorn",
        errors=io.StringIO(),
        multithread=True,
        multiprocess=True,
        scheme="http",
        name="localhost",
        port="80",
    )
    before, _, query = path.partition("?")
    environ.update(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": before,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "localhost",
            "HTTP_USER_AGENT": "pronghorn warm-up",
            "REQUEST_URI": path,
            "RAW_URI": path,
            "wsgi.input": io.BytesIO(),
        }
    )
    return environ
