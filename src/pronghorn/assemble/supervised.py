"""A master and its workers: how `pronghorn module:callable` runs."""

import contextlib
import logging
import os
from collections.abc import Callable

from pronghorn.assemble import parts
from pronghorn.assemble.child import Inheritance, Work, end_process, live
from pronghorn.config.settings import Settings
from pronghorn.errors import StartupError
from pronghorn.observe import logs
from pronghorn.observe.scoreboard import Scoreboard
from pronghorn.process import birth
from pronghorn.process.birth import Birth
from pronghorn.process.hooks import HookInfo, Hooks
from pronghorn.process.master import Master
from pronghorn.process.pidfile import PidFile
from pronghorn.process.surroundings import Surroundings
from pronghorn.process.systemd import Notifier, passed_sockets
from pronghorn.process.upgrade import Predecessor
from pronghorn.serve.doors import Siblings
from pronghorn.wsgi.call import WSGIApplication

_ROWS_LEAST = 256
"""Arbitrary: rows that are not used cost nothing."""


def serve(settings: Settings, app: WSGIApplication | str, reread: Callable[[], Settings]) -> int:
    """Until stopped; gives the exit code, also in each child. Raises StartupError."""
    log, access = parts.open_logs(settings)
    if access is not None:
        access.close()  # each worker opens it for itself; now it is known that it can
    parts.identity(settings)
    hooks = parts.load_hooks(settings)
    hooks.run("on_starting", HookInfo(pid=os.getpid(), worker=None, generation=1), log)
    with contextlib.ExitStack() as leaving:
        server = _Server(settings, app, log, leaving)
        heir = server.inheritance(hooks)
        birth.title(settings.process.name, "master")
        outcome = Master(Work(settings), server.surroundings(heir, reread)).run()
        if isinstance(outcome, Birth):
            leaving.pop_all()  # the sockets, the PID file: they are the master's
            while isinstance(outcome, Birth):
                outcome = live(outcome, heir)
            end_process(outcome)
    return outcome


class _Server:
    """What the master has and the workers inherit; and what the master cannot do for lack of knowledge."""

    def __init__(
        self,
        settings: Settings,
        app: WSGIApplication | str,
        log: logging.Logger,
        leaving: contextlib.ExitStack,
    ) -> None:
        """Open the listeners. leaving: what is undone when the master ends. Raises StartupError."""
        self._settings = settings
        self._app = app
        self._log = log
        self._leaving = leaving
        self._directory = _directory()
        self._predecessor = Predecessor.find(os.environ)
        passed = passed_sockets(os.environ, os.getpid())
        self._listeners = parts.open_listeners(settings, passed, self._predecessor)
        for listener in self._listeners:
            leaving.callback(listener.close)
        self._sole = {listener: listener.sole for listener in self._listeners}
        if self._predecessor is None:
            self._write_pid()
        else:
            for listener in self._listeners:
                listener.disown()
        rows = max(_ROWS_LEAST, settings.process.workers * 8)
        self._board = Scoreboard(rows, settings.serve.threads + 1)
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if hasattr(os, "eventfd") else -1

    def inheritance(self, hooks: Hooks) -> Inheritance:
        """The workers'."""
        return Inheritance(
            self._app, self._listeners, self._board, self._bell, hooks, self._directory, self._log
        )

    def surroundings(self, heir: Inheritance, reread: Callable[[], Settings]) -> Surroundings:
        """The master's."""
        return Surroundings(
            listeners=self._listeners,
            board=self._board,
            ring=Siblings(self._board.row(0), self._bell).ring,
            hooks=heir.hooks,
            systemd=Notifier(os.environ),
            predecessor=self._predecessor,
            relieve=self._relieve,
            alone=self._alone,
            reread=lambda: self._reread(reread),
            adopt_orphans=_adopter(self._settings),
            reopen=self._reopen,
            began=self._began,
            directory=self._directory,
            say=self._say,
            log=self._log,
        )

    def _reread(self, reread: Callable[[], Settings]) -> Work:
        with contextlib.suppress(OSError):  # a deploy may have put another directory in its place
            os.chdir(self._directory)
        return Work(reread())

    def _began(self) -> None:
        logs.say(parts.banner(self._settings, self._app, self._listeners))
        parts.remark_on_root(self._settings, self._log)

    def _say(self, text: str, trace: str) -> None:
        """Why the start fails. Who starts it sees a few lines, a log file has it all."""
        logs.say(text)
        if self._settings.log.error_logfile not in ("", "-"):
            self._log.error("the start failed. %s%s", text, f"\n{trace}" if trace else "")
        elif trace:
            self._log.debug("%s", trace)

    def _relieve(self) -> None:
        """The old master may go."""
        assert self._predecessor is not None
        self._write_pid(replace=True)
        self._predecessor.say_ready()

    def _alone(self) -> None:
        """The old master is gone: the sockets are ours alone, if they were its own."""
        for listener in self._listeners:
            listener.own(self._sole[listener])

    def _write_pid(self, replace: bool = False) -> None:
        if self._settings.process.pid:
            file = PidFile(self._settings.process.pid)
            file.write(replace)
            self._leaving.callback(file.remove)

    def _reopen(self) -> None:
        logs.reopen(self._log)
        try:
            who = parts.identity(self._settings)
            if who is not None:
                _create(self._settings.log.access_logfile)
                parts.hand_over(self._settings, [], who)
        except (StartupError, ImportError, OSError) as error:
            self._log.error("USR1: %s", error)


def _create(path: str) -> None:
    """The access log, where it was moved away: the workers' user may not be able to. Raises OSError."""
    if path in ("", "-") or os.path.lexists(path):
        return
    # A link that somebody puts there meanwhile is not followed: this is root.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    os.close(os.open(path, flags, 0o644))


def _directory() -> str:
    """Where the server was started, by the name that the user knows it by: a deploy may move a link.

    Raises ConfigError.
    """
    here = parts.working_directory()
    named = os.environ.get("PWD", "")
    with contextlib.suppress(OSError):
        if named and os.path.samefile(named, here):
            return named
    return here


def _adopter(settings: Settings) -> Callable[[], object]:
    if not settings.process.preload:
        return lambda: False
    from pronghorn.process.orphans import adopt_orphans

    return adopt_orphans
