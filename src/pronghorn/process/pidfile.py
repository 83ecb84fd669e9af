"""`--pid FILE`: the master's process id, for scripts that send it signals.

    pid_file = PidFile("/run/site.pid")
    pid_file.write()
    ...
    pid_file.remove()

A file left behind by a crash must not keep the server from starting, not even when its number has
become another process's since; a server that runs must not lose its file to a second one.
"""

import os
from typing import TYPE_CHECKING

from pronghorn.errors import ConfigError
from pronghorn.later import Later

if TYPE_CHECKING:
    import tempfile
else:
    tempfile = Later("tempfile")  # only with --pid

_PROGRAM = b"pronghorn"

# Linux numbers no process above 2**22 (proc_sys_kernel(5), pid_max); others have fewer digits still.
_MOST_DIGITS = 10


class PidFile:
    """One file, "PID\\n". A path that is relative counts from the directory at the time of the call."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)

    def write(self, replace: bool = False) -> None:
        """Master. There is never half a file to read. Raises ConfigError.

        replace: take the place of a server that still runs; for its successor, once it is ready (USR2).
        """
        holder = self._holder()
        if holder not in (0, os.getpid()) and not replace and _is_pronghorn(holder):
            raise ConfigError(
                f"--pid: {self.path} belongs to a Pronghorn that is running, process {holder}.",
                mend="Stop that one, or choose another file for this one.\n"
                "If it is another server, which got the number of a dead one, remove the file.",
            )
        try:
            self._put(f"{os.getpid()}\n".encode("ascii"))
        except OSError as error:
            raise self._unusable(error) from error

    def remove(self) -> None:
        """Master, at its end; any number of times. A file that names another process stays."""
        try:
            if self._holder() == os.getpid():
                os.unlink(self.path)
        except (OSError, ConfigError):
            # Such as a directory that is not writable without root's rights: the file is stale, no more.
            pass

    def _holder(self) -> int:
        """The process that the file names; 0 if there is no file, or nothing in it."""
        try:
            with open(self.path, "rb") as file:
                # After a power failure, some file systems leave zeros.
                text = file.read(100).strip(b"\0 \r\n")
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise self._unusable(error) from error
        if not text:
            return 0
        if not text.isdigit() or len(text) > _MOST_DIGITS:
            raise ConfigError(
                f"--pid: {self.path} exists, and is not a PID file: it would be overwritten.",
                mend="Choose another file, or remove that one.",
            )
        return int(text)

    def _put(self, data: bytes) -> None:
        directory, name = os.path.split(self.path)
        fd, draft = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            try:
                os.write(fd, data)
                # Anyone may read it, whatever the umask: it is for others.
                os.fchmod(fd, 0o644)
            finally:
                os.close(fd)
            os.replace(draft, self.path)
        except BaseException:
            os.unlink(draft)
            raise

    def _unusable(self, error: OSError) -> ConfigError:
        directory = os.path.dirname(self.path)
        if os.path.isdir(self.path):
            return ConfigError(f"--pid: {self.path} is a directory.", mend="Name a file in it.")
        if not os.path.isdir(directory):
            return ConfigError(
                f"--pid: {self.path} cannot be written: there is no directory {directory}.",
                mend="Create the directory, or choose another file.",
            )
        return ConfigError(
            f"--pid: {self.path} cannot be written: {error.strerror}.",
            where=f"This process runs as user {os.geteuid()}, group {os.getegid()}.",
            mend=f"Let it write in {directory}, or choose another file.",
        )


def _is_pronghorn(pid: int) -> bool:
    """Does it live, and is it one of ours? Without /proc nobody knows, and a start is not refused."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
    except OSError:
        return False
    # A title, "bin/pronghorn" or "-m pronghorn"; not whatever runs from a directory of that name.
    names = (argument.rpartition(b"/")[2] for argument in command.split(b"\0"))
    return command.startswith(_PROGRAM) or any(_PROGRAM in name for name in names)
