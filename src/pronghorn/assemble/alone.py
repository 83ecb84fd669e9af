"""One process, no master: `--no-master`, pronghorn.serve() with an object, a thread of a program."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator

from pronghorn.assemble import parts, working
from pronghorn.config.settings import Settings
from pronghorn.process.hooks import HookInfo
from pronghorn.process.systemd import Notifier, passed_sockets
from pronghorn.serve import signals
from pronghorn.serve.worker import Worker
from pronghorn.wsgi.call import WSGIApplication

CUT_OFF = 1
"""Exit code when requests were cut off at the end."""


def serve(settings: Settings, app: WSGIApplication | str) -> int:
    """Until stopped; gives the exit code. Raises StartupError."""
    log, access = parts.open_logs(settings)
    hooks = parts.load_hooks(settings)
    info = HookInfo(pid=os.getpid(), worker=1, generation=1)
    hooks.run("on_starting", info, log)
    with contextlib.ExitStack() as leaving:
        if access is not None:
            leaving.callback(access.close)
        listeners = parts.open_listeners(settings, passed_sockets(os.environ, os.getpid()))
        for listener in listeners:
            leaving.callback(listener.close)
        parts.write_pid(settings, leaving)
        parts.change_identity(settings, listeners)
        # Not before: paths of logs and sockets count from where the server was started.
        parts.prepare(settings.app, importing=isinstance(app, str))
        parts.remark_on_idle_options(settings, log)
        hooks.run("post_fork", info, log)
        served = parts.load_served(settings, app, log)
        working.warm_up(served.app, settings.process.warmup, log)
        worker = working.build(served, listeners, settings, log, access)
        worker.abandon = lambda: _abandon(leaving)

        systemd = Notifier(os.environ)

        def began() -> None:
            # Not before: whoever has read that it serves may tell it to end.
            print(parts.banner(settings, app, listeners), file=sys.stderr, flush=True)
            parts.remark_on_root(settings, log)
            systemd.ready("one process")
            hooks.run("worker_ready", info, log)
            hooks.run("when_ready", info, log)

        worker.began = began
        with _signals(worker):
            worker.run()
        systemd.stopping()
        hooks.run("pre_exit", info, log)
        hooks.run("on_exit", info, log)
        return 0 if worker.clean else CUT_OFF


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
    os._exit(CUT_OFF)
