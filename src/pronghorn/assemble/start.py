"""The composition root: from settings and an application to a server that runs, and its exit code.

The sockets are bound before the application is imported, so that a port in use is told at once, and
clients of a slow start wait instead of being refused.
"""

import threading
from collections.abc import Callable

from pronghorn.assemble import alone, parts, supervised
from pronghorn.config.settings import Settings
from pronghorn.wsgi.call import WSGIApplication


def run(settings: Settings, app: WSGIApplication | str, reread: Callable[[], Settings] | None = None) -> int:
    """Serve until stopped; gives the exit code. Raises StartupError.

    reread: the settings as they are now, for a reload. Raises StartupError.
    """
    main = threading.current_thread() is threading.main_thread()
    # An application that is at hand as an object cannot be imported anew: a master would be of little use.
    single = settings.process.no_master or (not isinstance(app, str) and settings.process.workers == 1)
    if single or not main:
        return alone.serve(settings, app)
    return supervised.serve(settings, app, reread or (lambda: settings))


def check(settings: Settings, spec: str) -> str:
    """All of `run` up to serving, except for binding: the server may be running.

    Gives a sentence that all is well. Raises StartupError.
    """
    parts.prepare(settings.app, importing=True)
    log, access = parts.open_logs(settings)
    if access is not None:
        access.close()
    parts.resolved_identity(settings)
    parts.load_served(settings, spec, log)
    what = f"the application {spec}" if spec else "all applications"
    return f"The settings and {what} are in order."
