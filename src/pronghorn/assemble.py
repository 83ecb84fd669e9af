"""The composition root: from settings and an application to a process that serves, and its exit code.

The sockets are bound before the application is imported, so that a port in use is told at once, and
clients of a slow start wait instead of being refused.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pronghorn import __version__
from pronghorn.apps.load import load
from pronghorn.config import check as checks
from pronghorn.config import sources
from pronghorn.config.settings import AppOptions, Settings
from pronghorn.errors import ApplicationLoadError, ConfigError
from pronghorn.net.address import Address
from pronghorn.net.listen import Listener, ListenOptions, bind
from pronghorn.observe import logs
from pronghorn.observe.access import AccessLog
from pronghorn.serve import signals
from pronghorn.serve.worker import Worker
from pronghorn.wsgi.call import WSGIApplication

_CUT_OFF = 1
"""Exit code when requests were cut off at the end."""


def run(settings: Settings, app: WSGIApplication | str) -> int:
    """Serve until stopped; gives the exit code. Raises StartupError."""
    prepare(settings.app, importing=isinstance(app, str))
    log, access = open_logs(settings)
    with contextlib.ExitStack() as leaving:
        if access is not None:
            leaving.callback(access.close)
        listeners = open_listeners(settings.listen)
        for listener in listeners:
            leaving.callback(listener.close)
        application = _load(app, log) if isinstance(app, str) else app
        worker = Worker(application, listeners, settings.serve, settings.limits, access=access, errors=log)
        worker.abandon = lambda: _abandon(leaving)
        print(banner(settings, app, listeners), file=sys.stderr, flush=True)
        for remark in settings.remarks:
            log.info(remark)
        with _signals(worker):
            worker.run()
        return 0 if worker.clean else _CUT_OFF


def check(settings: Settings, spec: str) -> int:
    """All of `run` up to serving, except for binding: the server may be running."""
    prepare(settings.app, importing=True)
    log, access = open_logs(settings)
    if access is not None:
        access.close()
    _load(spec, log)
    print(f"The settings and the application {spec} are in order.")
    return 0


def settings_from_python(options: Mapping[str, Any]) -> Settings:
    """Keyword arguments before PRONGHORN_* variables. Raises TypeError for an unknown option, ConfigError."""
    settings = sources.merge([sources.from_python(options), sources.from_environment(os.environ)])
    checks.check(settings)
    return settings


def prepare(options: AppOptions, *, importing: bool) -> None:
    """Make the surroundings that the application expects."""
    if options.chdir:
        os.chdir(options.chdir)
    for variable in options.env:
        name, _, value = variable.partition("=")
        os.environ[name] = value
    if importing and os.getcwd() not in (os.path.abspath(path) for path in sys.path[:1]):
        sys.path.insert(0, os.getcwd())
    # gunicorn separates directories by commas within one flag.
    extra = [os.path.abspath(path) for given in options.pythonpath for path in given.split(",")]
    sys.path[:0] = extra


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


def open_listeners(options: ListenOptions) -> list[Listener]:
    """All or none. Raises BindError."""
    listeners: list[Listener] = []
    try:
        for text in options.bind:
            listeners += bind(Address.parse(text), options.backlog)
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return listeners


def _load(spec: str, log: logging.Logger) -> WSGIApplication:
    try:
        return load(spec)
    except ApplicationLoadError as error:
        log.debug("%s could not be loaded", spec, exc_info=error.__cause__)
        raise


def banner(settings: Settings, app: WSGIApplication | str, listeners: Sequence[Listener]) -> str:
    """Three lines, to know at a glance what is served and where to click."""
    bold, link, plain = ("\x1b[1m", "\x1b[4;36m", "\x1b[0m") if logs.wants_colour(2) else ("", "", "")
    name = app if isinstance(app, str) else getattr(app, "__qualname__", type(app).__qualname__)
    urls = dict.fromkeys(listener.url for listener in listeners)
    threads = f"{settings.serve.threads} thread{'s' if settings.serve.threads != 1 else ''}"
    return (
        f"{bold}Pronghorn {__version__}{plain} serves {name} with {threads}\n"
        f"  {'  '.join(f'{link}{url}{plain}' for url in urls)}\n"
        f"  pid {os.getpid()}; Ctrl+C ends it"
    )


@contextlib.contextmanager
def _signals(worker: Worker) -> Iterator[None]:
    """An operator's signals for the worker, where Python allows it: on the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1)
    before = [(number, signal.getsignal(number)) for number in numbers]
    try:
        signals.install(worker)
        yield
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before:
            signal.signal(number, handler)


def _abandon(leaving: contextlib.ExitStack) -> None:
    """A call on the main thread does not end: the process has to."""
    leaving.close()
    os._exit(_CUT_OFF)
