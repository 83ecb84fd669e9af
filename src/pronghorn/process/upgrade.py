"""USR2: a new master, of new code and settings, on the same sockets; the old one leaves when it is ready.

The old master starts its own command line anew, with the listening sockets and one end of a channel; an
environment variable says which descriptor is what. The new one says "ready" through the channel when its
first worker serves; if the channel ends before, the old one goes on as if nothing had happened.
"""

import json
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pronghorn.later import Later
from pronghorn.net.listen import Listener
from pronghorn.process.inbox import Inbox
from pronghorn.process.systemd import Notifier

if TYPE_CHECKING:
    import subprocess
else:
    subprocess = Later("subprocess")  # only for USR2

VARIABLE = "_PRONGHORN_UPGRADE"

_READY = b"ready\n"


class Inherited(NamedTuple):
    """A listening socket from the old master. bind: the address as it was given; sole: see Listener."""

    fd: int
    bind: str
    sole: bool


class Successor:
    """The new master, as the old one sees it."""

    def __init__(self, listeners: Sequence[Listener], directory: str) -> None:
        """Start it in the directory. Raises OSError; or ImportError, where Python has been removed."""
        ours, theirs = socket.socketpair()
        self._end = ours
        sockets = [Inherited(one.socket.fileno(), str(one.address), one.sole) for one in listeners]
        told = {"channel": theirs.fileno(), "sockets": sockets}
        passed = [theirs.fileno(), *(one.fd for one in sockets)]
        environment = {**os.environ, VARIABLE: json.dumps(told)}
        environment.pop("WATCHDOG_PID", None)  # systemd's watchdog waits for whoever is the main process
        try:
            # Not communicated with, and reaped with all other children.
            process = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                env=environment,
                pass_fds=passed,
                cwd=directory,
            )
        except (OSError, ImportError):
            ours.close()
            raise
        finally:
            theirs.close()
        self.pid = process.pid
        process.returncode = 0  # or Popen would complain, and wait for it

    def fileno(self) -> int:
        return self._end.fileno()

    def is_ready(self) -> bool:
        """What it has said; False if it is gone. Only when there is something to read."""
        try:
            return self._end.recv(64) == _READY
        except OSError:
            return False

    def close(self) -> None:
        self._end.close()


class Handover:
    """The old master's side of it."""

    def __init__(
        self,
        inbox: Inbox,
        listeners: Sequence[Listener],
        systemd: Notifier,
        directory: str,
        log: logging.Logger,
        leave: Callable[[], None],
    ) -> None:
        """directory: where the new master is started. leave: called when it is ready."""
        self._inbox = inbox
        self._listeners = listeners
        self._systemd = systemd
        self._directory = directory
        self._log = log
        self._leave = leave
        self._successor: Successor | None = None
        self.done = False
        """The new master is ready, and has the listeners."""

    @property
    def begun(self) -> bool:
        """There is, or may soon be, a new master with the listeners."""
        return self._successor is not None

    def renounce(self) -> None:
        """We end while it starts: the listeners are its own."""
        for listener in self._listeners:
            listener.disown()

    def start(self) -> None:
        """A new master, unless one is on its way."""
        if self._successor is not None:
            return
        if os.getpid() == 1:
            self._log.error(
                "no new master is started: this is process 1, and all others end with it; use HUP"
            )
            return
        self._log.info("a new master is started")
        try:
            self._successor = Successor(self._listeners, self._directory)
        except (OSError, ImportError) as error:
            self._log.error("a new master cannot be started: %s", error)
            return
        self._inbox.watch(self._successor.fileno(), self._speaks)

    def _speaks(self) -> None:
        successor = self._successor
        assert successor is not None
        self._inbox.ignore(successor.fileno())
        if successor.is_ready():
            self._log.info("the new master, %d, is ready; this one leaves", successor.pid)
            self._systemd.main_pid(successor.pid)
            for listener in self._listeners:
                listener.disown()
            self.done = True
            self._leave()
        else:
            self._log.error("the new master did not get ready; this one goes on")
            self.close()

    def close(self) -> None:
        """Also in a child: the channel is not its own."""
        if self._successor is not None:
            self._successor.close()
            self._successor = None


class Predecessor:
    """The old master, as the new one sees it."""

    def __init__(self, channel: int, sockets: Sequence[Inherited]) -> None:
        self._end = socket.socket(fileno=channel)
        self._end.set_inheritable(False)
        self.sockets = list(sockets)

    @classmethod
    def find(cls, environ: MutableMapping[str, str]) -> "Predecessor | None":
        """There is one if the environment says so; the variable is taken out of it."""
        text = environ.pop(VARIABLE, "")
        if not text:
            return None
        told: Mapping[str, object] = json.loads(text)
        channel, sockets = told["channel"], told["sockets"]
        assert isinstance(channel, int) and isinstance(sockets, list)
        return cls(channel, [Inherited(*one) for one in sockets])

    def take(self, bind: str) -> list[Inherited]:
        """The sockets of one address, which are the caller's from now on."""
        taken = [one for one in self.sockets if one.bind == bind]
        self.sockets = [one for one in self.sockets if one.bind != bind]
        return taken

    def close_rest(self) -> None:
        """Addresses that are not wanted any more."""
        for one in self.sockets:
            os.close(one.fd)
        self.sockets = []

    def say_ready(self) -> None:
        try:
            self._end.send(_READY)
        except OSError:
            pass  # it died meanwhile: so much the better

    def fileno(self) -> int:
        """Readable when it is gone."""
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()
