"""From routes as they were written down to the application that serves them.

Each application is loaded once, however many routes lead to it; the middlewares are wrapped around each
route's own, the first of them outermost.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pronghorn.apps.load import load_object, make
from pronghorn.apps.middleware.registry import NAMES
from pronghorn.apps.mount import Mount, quick_of
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.cache import forget_old
from pronghorn.config.composition import AppSpec, Composition, MiddlewareSpec, RouteSpec
from pronghorn.config.routes import COMMAND_LINE, GIVEN
from pronghorn.errors import ApplicationLoadError, ConfigError, StartupError
from pronghorn.serve.routing import LIMIT
from pronghorn.wsgi.call import WSGIApplication
from pronghorn.wsgi.environ import Environ

Load = Callable[[str], WSGIApplication]


class Composed:
    """The application, and what the server may ask it (serve/routing.py)."""

    def __init__(
        self,
        app: Any,
        limits: Mapping[Any, int],
        has_files: bool,
        least_timeout: float = float("inf"),
        body_limit: int = 0,
    ) -> None:
        """app: has `quick`, and with limits, `key_of`, as Mount has them.

        limits: octets of a request body, by the mount's keys. has_files: some routes have, unwrapped.
        body_limit: octets, the server's limit, for all that has none of its own.
        """
        self.has_files = has_files
        self.largest_body = max(limits.values(), default=0)
        """See serve.routing.Routing."""
        self.least_timeout = least_timeout
        """Seconds: the shortest time limit that a route has of its own."""
        self.app = app
        self._limits = limits
        self._body_limit = body_limit
        self.quick = quick_of(app)

    @property
    def knows_more(self) -> bool:
        """Whether it is worth the server's while to ask for each request."""
        return bool(self._limits) or self.has_files

    def body_limit(self, environ: Environ) -> int:
        """See serve.routing.Routing."""
        return self._limits.get(self.app.key_of(environ), self._body_limit)

    def rest(self) -> None:
        """See serve.routing.Routing."""
        if self.has_files:
            forget_old()


def compose(
    composition: Composition, load: Load, given: WSGIApplication | None = None, body_limit: int = 0
) -> Composed:
    """load: an application from its specification. given: the one named GIVEN. Raises StartupError.

    body_limit: octets, the server's own.
    """
    loaded: dict[str, WSGIApplication] = {} if given is None else {GIVEN: given}

    def application(name: str) -> WSGIApplication:
        if name not in loaded:
            loaded[name] = _load(composition.apps.get(name) or AppSpec(name, use=name), load)
        return loaded[name]

    table: dict[Any, WSGIApplication] = {}
    limits: dict[Any, int] = {}
    for route in composition.routes:
        key = (route.host, route.path) if route.host else route.path
        try:
            table[key] = _route(route, application)
            Mount({key: table[key]})  # what is wrong with its path or host is told with its line
        except StartupError as error:
            error.where = error.where or route.where
            raise
        if route.limit_request_body is not None:
            limits[key] = route.limit_request_body
    has_files = any(route.root and not route.middleware for route in composition.routes)
    times = [route.request_timeout for route in composition.routes if route.request_timeout]
    return Composed(Mount(table), limits, has_files, min(times, default=float("inf")), body_limit)


def _load(spec: AppSpec, load: Load) -> WSGIApplication:
    try:
        if spec.paste:
            return load(spec.paste)
        return make(spec.use, spec.options) if spec.factory else load(spec.use)
    except StartupError as error:
        _add_place(error, spec.where)
        raise


def _add_place(error: StartupError, where: str) -> None:
    """Who names what cannot be had, beside the place where it fails, if that has one."""
    if not error.where:
        error.where = where
    elif where != COMMAND_LINE:
        error.mend = f"Named at {where}.\n{error.mend}"


def _route(route: RouteSpec, application: Callable[[str], WSGIApplication]) -> WSGIApplication:
    app: WSGIApplication
    if route.root:
        names = [entry[1:] for entry in route.try_ if entry.startswith("@") and entry != "@app"]
        behind = route.app or (names[0] if names else "")
        fallback = application(behind) if behind else None
        tries = tuple("@app" if entry.startswith("@") else entry for entry in route.try_)
        app = Static(route.root, fallback=fallback, try_=tries, options=route.static)
    else:
        app = application(route.app)
    if route.request_timeout is not None:
        app = _Patient(app, route.request_timeout)
    for middleware in reversed(route.middleware):
        app = _wrap(app, middleware)
    return app


def _wrap(app: WSGIApplication, spec: MiddlewareSpec) -> WSGIApplication:
    try:
        factory: Any = NAMES.get(spec.name) or load_object(spec.name)
        return factory(app, **spec.options)  # type: ignore[no-any-return]
    except StartupError as error:
        _add_place(error, spec.where)
        raise
    except TypeError as error:
        if spec.name not in NAMES:
            raise _unmade(spec, error) from error
        raise ConfigError(
            f"The middleware {spec.name}: {str(error).replace('.__init__()', '')}.",
            where=spec.where,
            mend="docs/middleware.md lists its options.",
        ) from error
    except Exception as error:
        raise _unmade(spec, error) from error


def _unmade(spec: MiddlewareSpec, error: Exception) -> ApplicationLoadError:
    return ApplicationLoadError(
        f"The middleware {spec.name} cannot be made: {type(error).__name__}: {error}",
        where=spec.where,
        mend="A middleware takes an application and its options, and returns an application.",
    )


class _Patient:
    """A route's own request_timeout. Files, which need no thread, need no limit."""

    __slots__ = ("_app", "_seconds", "quick")

    def __init__(self, app: WSGIApplication, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self.quick = quick_of(app) or (lambda environ: None)

    def __call__(self, environ: Environ, start_response: Any) -> Any:
        limit = environ.get(LIMIT)
        if limit is not None:
            limit(self._seconds)
        return self._app(environ, start_response)
