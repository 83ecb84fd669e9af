"""What any start needs: surroundings, logs, listeners, the application, the banner."""

import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from pronghorn import __version__, later
from pronghorn.apps.load import load
from pronghorn.config import check as checks
from pronghorn.config import routes, sources
from pronghorn.config.composition import Composition
from pronghorn.config.settings import AppOptions, Settings
from pronghorn.errors import ApplicationLoadError, BindError, ConfigError
from pronghorn.net.address import Address
from pronghorn.net.listen import Listener, bind, take_over
from pronghorn.observe import logs
from pronghorn.observe.access import AccessLog
from pronghorn.process.hooks import NO_HOOKS, Hooks
from pronghorn.process.pidfile import PidFile
from pronghorn.process.privileges import Identity, parse_umask, resolve
from pronghorn.process.systemd import Passed
from pronghorn.process.upgrade import Predecessor
from pronghorn.serve.routing import Routing
from pronghorn.wsgi.call import WSGIApplication


def settings_from_python(options: Mapping[str, Any], app: Any = None) -> Settings:
    """Keyword arguments before PRONGHORN_* variables. Raises TypeError for an unknown option, ConfigError.

    app: what is served where static= has no route, an object or a specification.
    """
    settings = sources.merge([sources.from_python(options), sources.from_environment(os.environ)])
    checks.check(settings)
    if app is None or not settings.app.static:
        return settings
    spec = app if isinstance(app, str) else routes.GIVEN
    origin = settings.origins.get("static", "static")
    return replace(settings, composition=routes.place(Composition(), settings.app.static, spec, origin))


def prepare(options: AppOptions, *, importing: bool) -> None:
    """Make the surroundings that the application expects. Raises ConfigError."""
    if importing:
        make_importable(options)
    if options.chdir:
        change_directory(options.chdir, "--chdir")
    for variable in options.env:
        name, _, value = variable.partition("=")
        os.environ[name] = value


def change_directory(path: str, why: str) -> None:
    """why: for the one who reads that it cannot be entered. Raises ConfigError."""
    try:
        os.chdir(path)
    except OSError as error:
        raise ConfigError(
            f"{why}: {path!r} cannot be entered: {error.strerror}.",
            mend="Put it back, and let the server's user enter it.",
        ) from None


def working_directory() -> str:
    """Raises ConfigError where it was removed."""
    try:
        return os.getcwd()
    except OSError as error:
        raise ConfigError(
            f"The working directory cannot be told: {error.strerror}.",
            mend="It was removed, or moved away: change to one that is there, and start the server again.",
        ) from None


def import_paths(options: AppOptions) -> list[str]:
    """Where the application's modules are: --pythonpath, relative to --chdir, and that directory itself.

    Raises ConfigError.
    """
    base = options.chdir if os.path.isabs(options.chdir) else os.path.join(working_directory(), options.chdir)
    base = os.path.normpath(base)
    # gunicorn separates directories by commas within one flag.
    extra = [os.path.join(base, path) for given in options.pythonpath for path in given.split(",")]
    return [*extra, base]


def make_importable(options: AppOptions) -> None:
    """Before changing to --chdir. Raises ConfigError."""
    paths = import_paths(options)
    sys.path[:0] = [path for path in paths if path not in sys.path]


def open_logs(settings: Settings) -> tuple[logging.Logger, AccessLog | None]:
    """The error log, and the access log if one is wanted. Raises ConfigError."""
    options = settings.log
    name = "error_logfile"
    try:
        log = logs.setup(options)
        name = "access_logfile"
        wanted = options.access_logfile
        return log, AccessLog(wanted, options.access_logformat) if wanted else None
    except OSError as error:
        path = getattr(options, name)
        raise ConfigError(
            f"{settings.origins.get(name, name)}: {path!r} cannot be opened: {error.strerror}.",
            mend="Its directory must exist, and the file must be writable for this user.",
        ) from error


def open_listeners(
    settings: Settings, passed: Sequence[Passed] = (), predecessor: Predecessor | None = None
) -> list[Listener]:
    """All or none. Raises BindError.

    passed: sockets of systemd's, which count where no address was given, and by name (fd://name).
    predecessor: an old master, whose sockets are taken where it had the same addresses.
    """
    binds = settings.listen.bind
    if passed and "bind" not in settings.origins:
        binds = tuple(f"fd://{one.fd}" for one in passed)
    elif predecessor is not None and "bind" not in settings.origins:
        binds = tuple(dict.fromkeys(one.bind for one in predecessor.sockets))  # it may have been passed them
    listeners: list[Listener] = []
    try:
        for text in binds:
            address = Address.parse(text)
            inherited = predecessor.take(str(address)) if predecessor is not None else []
            if not inherited:
                address = _numbered(address, passed)
            if inherited:
                listeners += [take_over(one.fd, address, one.sole) for one in inherited]
            else:
                listeners += bind(address, settings.listen.backlog)
        for listener in listeners:
            listener.defer_accept(not settings.listen.no_defer_accept)
        if predecessor is not None:
            predecessor.close_rest()
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _numbered(address: Address, passed: Sequence[Passed]) -> Address:
    """fd://name as fd://number."""
    if address.kind != "fd" or not address.path:
        return address
    for one in passed:
        if one.name == address.path:
            return Address("fd", path=one.name, fd=one.fd)
    names = ", ".join(one.name for one in passed) or "none"
    raise BindError(
        f"{address}: no socket of that name was passed by the service manager; there are: {names}.",
        mend="Its FileDescriptorName= must be that name (systemd.socket(5)).",
    )


def load_application(spec: str, settings: Settings, log: logging.Logger) -> WSGIApplication:
    """Raises ApplicationLoadError, or ConfigError for a PasteDeploy file."""
    try:
        return load(spec, dict(pair.split("=", 1) for pair in settings.app.paste_global))
    except ApplicationLoadError as error:
        log.debug("%s could not be loaded", spec, exc_info=error.__cause__)
        raise


class Served(NamedTuple):
    """What a worker serves.

    routing: where the server may ask it about routes. least_timeout: seconds, the shortest of a route's own.
    """

    app: WSGIApplication
    routing: Routing | None = None
    least_timeout: float = float("inf")


def load_served(settings: Settings, app: WSGIApplication | str, log: logging.Logger) -> Served:
    """The one application, or all that the routes lead to. Raises StartupError."""
    if not settings.composition:
        loaded = load_application(app, settings, log) if isinstance(app, str) else app
        if not type(loaded).__module__.startswith("pronghorn.apps."):
            return Served(loaded)
        from pronghorn.apps.mount import quick_of
        from pronghorn.assemble.compose import Composed

        if quick_of(loaded) is None:
            return Served(loaded)

        return Served(loaded, Composed(loaded, {}, True))  # a Mount, or another of ours that has files
    from pronghorn.assemble.compose import compose

    given = None if isinstance(app, str) else app
    composed = compose(
        settings.composition,
        lambda spec: load_application(spec, settings, log),
        given,
        settings.limits.limit_request_body,
    )
    return Served(composed.app, composed if composed.knows_more else None, composed.least_timeout)


def banner(settings: Settings, app: WSGIApplication | str, listeners: Sequence[Listener]) -> str:
    """Three lines, to know at a glance what is served and where to click."""
    bold, link, plain = ("\x1b[1m", "\x1b[4;36m", "\x1b[0m") if logs.wants_colour(2) else ("", "", "")
    name = app if isinstance(app, str) else getattr(app, "__qualname__", type(app).__qualname__)
    if settings.composition:
        routes = len(settings.composition.routes)
        name = name or f"{routes} route{'s' if routes != 1 else ''}"
    urls = dict.fromkeys(listener.url for listener in listeners)
    threads = f"{settings.serve.threads} thread{'s' if settings.serve.threads != 1 else ''}"
    if settings.process.workers > 1 and not settings.process.no_master:
        threads = f"{settings.process.workers} workers of {threads}"
    return (
        f"{bold}Pronghorn {__version__}{plain} serves {name} with {threads}\n"
        f"  {'  '.join(f'{link}{url}{plain}' for url in urls)}\n"
        f"  pid {os.getpid()}; Ctrl+C ends it"
    )


def load_hooks(settings: Settings) -> Hooks:
    """Raises ConfigError."""
    if not settings.process.hooks:
        return NO_HOOKS
    make_importable(settings.app)
    return Hooks.load(settings.process.hooks)


def write_pid(settings: Settings, leaving: ExitStack) -> None:
    """Raises ConfigError."""
    if settings.process.pid:
        file = PidFile(settings.process.pid)
        file.write()
        leaving.callback(file.remove)


def identity(settings: Settings) -> Identity | None:
    """Who the workers are to be, if they are to be somebody else. Raises ConfigError."""
    who = resolved_identity(settings)
    if who is not None:
        later.load_all()  # whoever that is may not be able to read them; shared, for the master asks, too
    return who


def resolved_identity(settings: Settings) -> Identity | None:
    """The same, without getting ready for it. Raises ConfigError, which names the source of the name."""
    process = settings.process
    if not process.user and not process.group:
        return None
    try:
        return resolve(process.user, process.group)
    except ConfigError as error:
        error.where = settings.origins.get(error.where.removeprefix("--"), error.where)
        raise


def hand_over(settings: Settings, listeners: Sequence[Listener], who: Identity) -> None:
    """Give the workers' user what it must be able to open again: log files and socket files."""
    paths = [
        path for path in (settings.log.error_logfile, settings.log.access_logfile) if path not in ("", "-")
    ]
    paths += [one.address.path for one in listeners if one.address.kind == "unix"]
    for path in paths:
        if os.path.lexists(path):  # rotated, or removed by a cleaner of /run: that must not keep workers away
            who.give(path)


def change_identity(settings: Settings, listeners: Sequence[Listener]) -> None:
    """Be what --user, --group and --umask say. Raises ConfigError."""
    if settings.process.umask:
        os.umask(parse_umask(settings.process.umask))
    who = identity(settings)
    if who is not None:
        hand_over(settings, listeners, who)
        who.drop()


_MASTERS = (
    "boot_timeout", "timeout", "max_requests", "max_requests_jitter", "max_worker_lifetime",
    "max_worker_lifetime_jitter", "max_worker_memory", "max_worker_memory_hard", "preload", "refork_after",
)  # fmt: skip


def remark_on_idle_options(settings: Settings, log: logging.Logger) -> None:
    """What a single process cannot do: silence would be a lie."""
    idle = [settings.origins[name] for name in _MASTERS if name in settings.origins]
    if idle:
        log.warning("without a master, these have no effect: %s", ", ".join(idle))
    if "WATCHDOG_USEC" in os.environ:
        log.warning("systemd's watchdog is not fed without a master: leave out WatchdogSec= or --no-master")


def remark_on_root(settings: Settings, log: logging.Logger) -> None:
    if hasattr(os, "geteuid") and os.geteuid() == 0 and not settings.process.user:
        log.info("the application runs as root; --user makes the workers somebody else")
