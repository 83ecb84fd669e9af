"""What `--reload` watches: tells once, with its path, that a file of the application has changed.

    watcher = Watcher(tell_master, [os.getcwd()], ["templates/page.html"])
    watcher.start()      # before the application is imported: a save during the import counts
    ...
    watcher.stop()

What counts is the look: the time of change and size of each file, beside those of the look before. With
`watchfiles` the kernel says when to look; without it there is a look every half second.
"""

import atexit
import importlib
import os
import re
import site
import sys
import sysconfig
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import islice
from types import ModuleType
from typing import Any

# By name, so that the types are the same whether it is installed or not. This use of it is documented:
# https://watchfiles.helpmanual.io/api/rust_backend/
_RustNotify: Any
try:
    _RustNotify = importlib.import_module("watchfiles._rust_notify").RustNotify
except (ImportError, AttributeError):
    _RustNotify = None

Stamp = tuple[int, int]
"""Time of change (ns) and size (octets)."""

SETTLE = 0.05
"""Seconds of calm after a change, so that a file half written is not imported."""

_SETTLE_LOOKS = 40
"""Whoever writes for longer than that many looks gets a reload in the midst of it; arbitrary."""

_SAFETY = 5.0
"""Seconds between looks that nothing called for: network mounts send no notices. As in watchfiles."""

_IDLE_SHARE = 10
"""Polling rests ten times as long as a look takes: at most a tenth of one processor."""

_MOST_FILES = 20_000
_MOST_ENTRIES = 200_000
"""A working directory may be somebody's home, or hold a million pictures; arbitrary. Loaded modules and
extra files are watched beyond these bounds."""

_TREES = sys.platform == "darwin"
"""FSEvents watches whole trees for nothing; inotify wants one watch per directory, so only those are named
that matter."""

_SKIPPED = frozenset({"__pycache__", "node_modules"})
_TEMPORARY = re.compile(r"\.|#|flycheck_|.*_flymake\.py$")
"""Editors' own: vim's swap, Emacs' locks and its syntax checkers' copies; and everything hidden."""

_LIBRARIES = tuple(
    os.path.join(path, "")
    for path in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "")
"""Pronghorn itself lives on in the master: a new worker would not have its new code."""


class Watcher:
    """Calls `changed` once, in its own thread, with the path of a file that changed; then it is done.

    changed: its argument is an absolute path.
    directories: whose `.py` files count, loaded or not; the working directory and the Python path.
    extra_files: count whatever their suffix.
    poll_interval: seconds between looks where there are no notices.
    """

    def __init__(
        self,
        changed: Callable[[str], None],
        directories: Sequence[str],
        extra_files: Sequence[str] = (),
        poll_interval: float = 0.5,
    ) -> None:
        self._changed = changed
        self._directories = [os.path.abspath(path) for path in directories]
        self._watched = {os.path.abspath(path) for path in extra_files}
        self._interval = poll_interval
        self._pause = poll_interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pronghorn-watcher", daemon=True)
        self._notices: _Notices | None = None
        self._known = Look([], [])

    def start(self) -> None:
        """The starter's thread. What changes after this returns will be told."""
        self._known = self._look()
        self._notices = _Notices() if _RustNotify is not None else None
        # watchfiles 1.0.0 crashes when its thread comes back to an interpreter that is ending.
        atexit.register(self.stop)
        self._thread.start()

    def stop(self) -> None:
        """Any thread, also before start() and twice. Afterwards `changed` is not called any more."""
        self._stopped.set()
        atexit.unregister(self.stop)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(2.0)

    def _watch(self) -> None:
        """The watcher's thread."""
        try:
            while not self._stopped.is_set():
                if self._notices is not None and not self._notices.follow(self._known):
                    self._notices = None
                path = self._news()
                if path is not None:
                    if not self._stopped.is_set():
                        self._changed(path)
                    return
                self._wait()
        finally:
            self._notices = None
            atexit.unregister(self.stop)

    def _wait(self) -> None:
        """The watcher's thread: until it is time for a look."""
        if self._notices is None:
            self._stopped.wait(self._pause)
        elif self._notices.directories != self._known.directories:  # follow them first
            self._stopped.wait(SETTLE)
        elif not self._notices.wait(self._known, self._stopped):
            self._notices = None

    def _look(self) -> "Look":
        began = time.monotonic()
        self._watched |= loaded_files()
        look = Look(self._directories, self._watched)
        self._pause = max(self._interval, _IDLE_SHARE * (time.monotonic() - began))
        return look

    def _news(self) -> str | None:
        """The watcher's thread: a path that differs from what was known, once its writer has finished."""
        look = self._look()
        if look.differs_from(self._known) is None:
            self._known = look
            return None
        for _ in range(_SETTLE_LOOKS):
            if self._stopped.wait(SETTLE):
                return None
            last, look = look, self._look()
            if look.stamps == last.stamps:
                break
        # A file that was made and removed meanwhile, as some editors do, is no news.
        news = look.differs_from(self._known)
        if news is None:
            self._known = look
        return news


class Look:
    """How the files stood at one time.

    directories: those that hold them, with their inode: one that was made anew needs a new watch.
    found: the `.py` files below the directories asked for; `cut` when the bounds were met.
    names: of the files asked for one by one, without their directories.
    stamps: of all of them; None for one that is missing.
    """

    __slots__ = ("cut", "directories", "found", "names", "stamps")

    def __init__(self, directories: Sequence[str], files: Collection[str]) -> None:
        self.directories: dict[str, int] = {}
        self.stamps: dict[str, Stamp | None] = {}
        self.cut = False
        self._walk(directories)
        self.found = frozenset(self.stamps)
        self.names = {os.path.basename(path) for path in files}
        for path in files:
            if path not in self.stamps:
                self.stamps[path] = _stamp(path)
                self._add_directory(os.path.dirname(path))

    def differs_from(self, before: "Look") -> str | None:
        """A path that was changed, made or removed since."""
        cut = self.cut or before.cut
        for path, stamp in self.stamps.items():
            if path in before.stamps:
                if before.stamps[path] != stamp:
                    return path
            elif path in self.found and not cut:  # any other is a module that was loaded since
                return path
        for path in before.stamps.keys() - self.stamps.keys():
            if before.stamps[path] is not None and _stamp(path) is None:
                return path
        return None

    def _walk(self, roots: Sequence[str]) -> None:
        """Breadth first: where the bounds cut, they cut the deepest."""
        waiting = deque(roots)
        left = _MOST_ENTRIES
        for root in roots:
            self._add_directory(root)
        while waiting:
            directory = waiting.popleft()
            try:
                with os.scandir(directory) as listing:
                    entries = list(islice(listing, left))
            except OSError:
                self.directories.pop(directory, None)
                continue
            left -= len(entries)
            if directory not in roots and any(entry.name == "pyvenv.cfg" for entry in entries):
                del self.directories[directory]
                continue
            for entry in entries:
                self._take(entry, waiting)
            if left <= 0 or len(self.stamps) >= _MOST_FILES:
                self.cut = True
                return

    def _take(self, entry: os.DirEntry[str], waiting: deque[str]) -> None:
        name, path = entry.name, entry.path
        if name[0] == ".":
            return
        try:
            if name.endswith(".py") and entry.is_file():
                if is_source(name):
                    found = entry.stat()
                    self.stamps[path] = (found.st_mtime_ns, found.st_size)
            elif self._may_enter(name, path) and entry.is_dir(follow_symlinks=False):
                self.directories[path] = entry.inode()
                waiting.append(path)
        except OSError:  # gone since it was listed
            pass

    def _may_enter(self, name: str, path: str) -> bool:
        if name in _SKIPPED or path in self.directories:
            return False
        return not os.path.join(path, "").startswith(_LIBRARIES)

    def _add_directory(self, path: str) -> None:
        if path not in self.directories:
            try:
                self.directories[path] = os.stat(path).st_ino
            except OSError:
                pass


class _Notices:
    """The kernel's notices, through watchfiles. The watcher's thread."""

    def __init__(self) -> None:
        self.directories: dict[str, int] = {}
        self._rust: Any = None

    def follow(self, look: Look) -> bool:
        """Watch the look's directories; False where that cannot be: then poll."""
        if self.directories == look.directories:
            return True
        self.directories, self._rust = {}, None
        try:
            # Arguments: paths, debug, force_polling, poll_delay_ms, recursive, ignore_permission_denied.
            self._rust = _RustNotify(list(look.directories), False, False, 300, _TREES, True)
        except FileNotFoundError:  # removed since the look: the next one knows
            return True
        except (
            OSError,
            RuntimeError,
            TypeError,
        ):  # no watches left (fs.inotify.max_user_watches), or no inotify
            return False
        self.directories = look.directories
        return True

    def wait(self, look: Look, stopped: threading.Event) -> bool:
        """Until something happened to a file that may count, or it is time for a look anyway.

        False when there are no notices any more.
        """
        deadline = time.monotonic() + _SAFETY
        while not stopped.is_set() and (left := deadline - time.monotonic()) > 0:
            try:
                # In ms: the longest to gather changes, the calm that ends it, the longest to wait.
                changes = self._rust.watch(400, int(SETTLE * 1000), int(left * 1000) + 1, stopped)
            except (OSError, RuntimeError):
                return False
            if isinstance(changes, set) and any(may_count(path, look) for _, path in changes):
                break
        return True


def may_count(path: str, look: Look) -> bool:
    """Whether a notice about this path calls for a look."""
    name = os.path.basename(path)
    # By name, because a notice on macOS has the path without its symbolic links.
    if is_source(name) or name in look.names or path in look.directories:
        return True
    return name not in _SKIPPED and not name.startswith(".") and os.path.isdir(path)


def is_source(name: str) -> bool:
    """A Python file, and no editor's temporary one."""
    return name.endswith(".py") and _TEMPORARY.match(name) is None


def loaded_files() -> set[str]:
    """The files of the loaded modules that are neither Python's, nor installed, nor Pronghorn's."""
    files = set()
    for module in list(sys.modules.values()):
        if issubclass(type(module), ModuleType):
            # Not module.__file__: that would load one that importlib.util.LazyLoader put off.
            file = ModuleType.__getattribute__(module, "__dict__").get("__file__")
            if isinstance(file, str) and not file.startswith(("<", _OURS, *_LIBRARIES)):
                files.add(os.path.abspath(file))
    return files


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size)
