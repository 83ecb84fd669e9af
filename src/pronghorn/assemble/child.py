"""What a child of the master does with its life: import the application, serve, leave; or be the mold."""

import atexit
import contextlib
import faulthandler
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from pronghorn.apps import blame
from pronghorn.assemble import parts, working
from pronghorn.config.settings import Settings
from pronghorn.errors import ApplicationLoadError, ConfigError, StartupError
from pronghorn.net.listen import Listener
from pronghorn.observe import logs
from pronghorn.observe.access import AccessLog
from pronghorn.observe.scoreboard import Scoreboard
from pronghorn.process import mold
from pronghorn.process.birth import Birth
from pronghorn.process.children import Role
from pronghorn.process.hooks import HookInfo, Hooks
from pronghorn.process.lifeline import Lifeline
from pronghorn.process.messages import (
    Changed,
    Channel,
    Failed,
    Leave,
    Promote,
    Quit,
    Ready,
    Reopen,
    Retire,
    Stacks,
)
from pronghorn.process.options import ProcessOptions
from pronghorn.serve import signals
from pronghorn.serve.doors import Siblings
from pronghorn.serve.drain import End
from pronghorn.serve.pulse import Lifetime, Pulse
from pronghorn.wsgi.call import WSGIApplication

CUT_OFF = 1

_THREADS_MOMENT = 1.0
"""Seconds that threads which the application has started have to end, after the last request."""


@dataclass(frozen=True, slots=True)
class Work:
    """A generation's settings: what the master knows as a Job."""

    settings: Settings

    @property
    def options(self) -> ProcessOptions:
        return self.settings.process

    @property
    def patience(self) -> float:
        return self.settings.serve.graceful_timeout + self.settings.serve.drain_delay


@dataclass(slots=True)
class Inheritance:
    """What a child has from the master; a worker that the mold forks also has what the mold has added."""

    app: WSGIApplication | str
    listeners: Sequence[Listener]
    board: Scoreboard
    bell: int
    hooks: Hooks
    directory: str
    log: logging.Logger
    access: AccessLog | None = None
    served: parts.Served | None = None
    settled: bool = field(default=False)


def live(birth: Birth, heir: Inheritance) -> int | Birth:
    """The exit code; or, in a worker that the mold has forked, what it is to be."""
    work = birth.job
    assert isinstance(work, Work)
    settings = work.settings
    info = HookInfo(pid=os.getpid(), worker=birth.order.number + 1, generation=birth.order.generation)
    lifeline = Lifeline(birth.channel)
    try:
        _get_ready(birth, settings, heir, info)
    except StartupError as error:
        return _fail(birth.channel, error, lifeline)
    except BaseException as error:  # of whatever kind: only the application can have raised it
        failure = blame.explain(error, f"A new {birth.role.value}", "before it was ready")
        failure.__cause__ = error
        return _fail(birth.channel, failure, lifeline)
    if birth.role is Role.MOLD:
        lifeline.release()
        return _forge(birth, heir)
    return _Serving(birth, settings, heir, info, lifeline).run()


def _get_ready(birth: Birth, settings: Settings, heir: Inheritance, info: HookInfo) -> None:
    """Up to serving, or forking. Raises StartupError, and what an application may raise."""
    if not heir.settled:
        _settle(settings, heir)
    if birth.role is Role.WORKER:
        heir.hooks.run("post_fork", info, heir.log)
        if settings.process.reload:
            _watch_files(settings, birth.channel)
    _load(settings, heir)
    assert heir.served is not None
    # In the mold, too: what the first requests make is shared then.
    working.warm_up(heir.served.app, settings.process.warmup, heir.log)


def _forge(birth: Birth, heir: Inheritance) -> int | Birth:
    """Be the mold."""
    born = mold.forge(birth.job, birth.channel, heir.log, lambda: _reopen(heir))
    if born is None:
        birth.channel.close()
        return 0
    return born


def _fail(channel: Channel, error: StartupError, lifeline: Lifeline) -> int:
    """Tell the master why; its cause is for the log. The exit code."""
    trace = "".join(traceback.format_exception(error.__cause__)) if error.__cause__ else ""
    channel.send(Failed(str(error), trace, error.exit_code))
    lifeline.release()
    channel.close()
    return error.exit_code


def _settle(settings: Settings, heir: Inheritance) -> None:
    """Once for each process that the master itself has forked. Raises StartupError."""
    for variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        os.environ.pop(variable, None)  # the application is not the service's main process
    # By its name, not by what it was at the start: a deploy may have moved a link.
    parts.change_directory(heir.directory, "The directory in which the server was started")
    heir.log, heir.access = parts.open_logs(settings)
    parts.prepare(settings.app, importing=True)
    for listener in heir.listeners:
        listener.leave_file()
    parts.change_identity(settings, heir.listeners)
    _catch_faults(heir.log)
    heir.settled = True


def _catch_faults(log: logging.Logger) -> None:
    """Stacks of a process that crashes or is aborted go to the error log."""
    for handler in log.handlers:
        if isinstance(handler, logs.Handler):
            faulthandler.enable(handler.fd)


def _reopen(heir: Inheritance) -> None:
    """The mold: those it forks have its logs."""
    logs.reopen(heir.log)
    if heir.access is not None:
        heir.access.reopen()
    _catch_faults(heir.log)


def _load(settings: Settings, heir: Inheritance) -> None:
    if heir.served is not None:
        return
    try:
        heir.served = parts.load_served(settings, heir.app, heir.log)
    except (ApplicationLoadError, ConfigError) as error:
        if not settings.process.reload:
            raise
        from pronghorn.apps.error_page import ErrorPage

        heir.log.error("%s\n  Waiting for the next change of a file.", error)
        heir.served = parts.Served(ErrorPage(error))


def _watch_files(settings: Settings, channel: Channel) -> None:
    """Tell the master of changes. A watcher is done after one; as long as this process lives, the next
    change may be the one that mends it."""
    from pronghorn.process.watch import Watcher

    def changed(path: str) -> None:
        channel.send(Changed(path))
        _watch_files(settings, channel)

    # The process has changed to its --chdir.
    here = replace(settings.app, chdir="")
    Watcher(changed, parts.import_paths(here), settings.process.reload_extra_file).start()


class _Serving:
    """A worker between its birth and its end."""

    def __init__(
        self, birth: Birth, settings: Settings, heir: Inheritance, info: HookInfo, lifeline: Lifeline
    ) -> None:
        self._birth = birth
        self._lifeline = lifeline
        self._channel: Channel = birth.channel
        self._settings = settings
        self._heir = heir
        self._info = info
        self._promoted = False
        row = heir.board.row(birth.order.number)
        siblings = Siblings(row, heir.bell) if birth.order.shares else None
        assert heir.served is not None
        listeners = heir.listeners
        if settings.process.refork_after:  # the worker closes what it has, the mold still needs it
            listeners = [listener.twin() for listener in listeners]
        self._listeners = listeners
        self._worker = worker = working.build(
            heir.served,
            listeners,
            settings,
            heir.log,
            heir.access,
            siblings,
            heir.board.counters,
            row.number,
        )
        worker.pulse = Pulse(row, _lifetime(settings.process), self._retire, self._cramped)
        worker.began = self._began
        worker.abandon = self._abandon
        worker.stuck = self._retire
        worker.attend(self._channel.fileno(), self)

    def run(self) -> int | Birth:
        worker, heir = self._worker, self._heir
        heir.hooks.run("worker_ready", self._info, heir.log)
        signals.install(worker)
        # From an operator, or a master that has not heard of Ready yet: the others go on with the listeners.
        worker.on_signal = {**worker.on_signal, signal.SIGTERM: lambda: self._retire("SIGTERM")}
        worker.run()
        signal.set_wakeup_fd(-1)
        if self._promoted:
            return _forge(self._birth, heir)
        heir.hooks.run("pre_exit", self._info, heir.log)
        if heir.access is not None:
            heir.access.close()
        return 0 if worker.clean else CUT_OFF

    def _began(self) -> None:
        """Leader only."""
        self._lifeline.release()
        self._channel.send(Ready())

    def ready(self, mask: int) -> bool:
        """The master has something to say, or is gone. Leader only."""
        worker = self._worker
        messages, ended = self._channel.receive()
        for message in messages:
            match message:
                case Leave(final, sole):
                    for listener in self._listeners:
                        listener.sole = listener.sole or (sole and listener.address.kind != "fd")
                    worker.leave(End.FINAL if final else End.HANDED_OVER)
                case Quit():
                    worker.stop(graceful=False)
                case Reopen():
                    worker.reopen_logs()
                    worker.ask(lambda: _catch_faults(self._heir.log))
                case Stacks():
                    worker.log_stacks()
                case Promote():
                    self._promoted = True
                    worker.leave(End.HANDED_OVER)
        if ended:
            worker.ignore(self._channel.fileno())
            if not worker.drain.asked:
                self._heir.log.error("the master is gone; this worker drains and ends")
            worker.orphan = True
            worker.leave(End.HANDED_OVER)
        return True

    def _retire(self, reason: str) -> None:
        self._channel.send(Retire(reason))

    def _cramped(self, reason: str) -> None:
        self._channel.send(Retire(reason, cramped=True))

    def _abandon(self) -> None:
        """A call on the main thread does not end: the process has to."""
        if self._heir.access is not None:
            self._heir.access.close()
        os._exit(0 if self._worker.clean else CUT_OFF)


def _lifetime(options: ProcessOptions) -> Lifetime:
    never = float("inf")
    requests: float = never
    if options.max_requests:
        requests = options.max_requests + round(_up_to(options.max_requests_jitter))
    until = never
    if options.max_worker_lifetime:
        until = time.monotonic() + options.max_worker_lifetime + _up_to(options.max_worker_lifetime_jitter)
    return Lifetime(requests, until, options.max_worker_memory or never)


def _up_to(most: float) -> float:
    """At random, from 0. Not with `random`, which costs each process 0.4 MB."""
    return most * int.from_bytes(os.urandom(4)) / 2**32


def end_process(code: int) -> NoReturn:
    """A child's end: without what its program does after it has served, which is the master's to do.

    Threads of the application have a moment to end; whoever waits for them any longer would only be killed.
    """
    patience = threading.Timer(_THREADS_MOMENT, _exit, (code,))
    patience.daemon = True
    patience.start()
    threading._shutdown()  # type: ignore[attr-defined]
    patience.cancel()
    _exit(code)


def _exit(code: int) -> NoReturn:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)
