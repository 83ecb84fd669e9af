"""`--hooks module`: functions of the user's that run at turning points of the server's life.

    # hooks.py
    def post_fork(info):
        random.seed(info.pid)

Each takes one argument, a HookInfo. HOOKS says which there are.
"""

import importlib
import inspect
import linecache
import logging
import os
import site
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pronghorn.errors import ConfigError
from pronghorn.option import nearest

HOOKS: dict[str, tuple[str, str]] = {
    "on_starting": ("master", "Before the addresses are bound. If it raises, the server does not start."),
    "when_ready": ("master", "When the first worker is ready for requests."),
    "on_reload": ("master", "When a reload begins, before its workers start."),
    "on_exit": ("master", "When all workers are gone, before the master ends."),
    "post_fork": ("worker", "In the new process, before the application is imported; with --preload, after."),
    "worker_ready": ("worker", "When the application is imported, before the first request."),
    "pre_exit": ("worker", "When the last request is answered, before the worker ends."),
}
"""Name: the process it runs in, and when."""

_OTHER_NAMES = {"post_worker_init": "worker_ready", "worker_exit": "pre_exit", "on_ready": "when_ready"}
"""What gunicorn calls them, where it does not call them the same; and what is nearer to a wrong one."""

_CUTOFF = 0.75
"""How like a hook's a name must be to be taken for a slip: `on_start` and `on_ready` are."""

_LIBRARIES = (
    os.path.dirname(os.__file__) + os.sep,
    *(path + os.sep for path in site.getsitepackages()),
    site.getusersitepackages() + os.sep,
)
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep

Hook = Callable[["HookInfo"], object]


@dataclass(frozen=True, slots=True)
class HookInfo:
    """What a hook is told.

    pid: of the process that it runs in.
    worker: the worker's number, from 1; None in the master.
    generation: 1 at the start, and one more with each reload.
    """

    pid: int
    worker: int | None
    generation: int


class Hooks:
    """The hooks that one module has."""

    __slots__ = ("_functions", "module")

    def __init__(self, module: str = "", functions: Mapping[str, Hook] | None = None) -> None:
        self.module = module
        self._functions = dict(functions or {})

    @classmethod
    def load(cls, module_name: str) -> "Hooks":
        """Import the module. Raises ConfigError, also for what looks like a hook and is none."""
        module = _import(module_name)
        functions = {}
        for name, value in vars(module).items():
            if name in HOOKS:
                functions[name] = _checked(value, name, module)
            elif not name.startswith("_") and inspect.isroutine(value) and (meant := _meant_by(name)):
                raise ConfigError(
                    f"{module_name} defines {name}(), which is not a hook.",
                    where=_place(value, module),
                    mend=f"Did you mean `{meant}`? A function of your own may be called `_{name}`.",
                )
        return cls(module_name, functions)

    def __contains__(self, name: str) -> bool:
        return name in self._functions

    def run(self, name: str, info: HookInfo, log: logging.Logger) -> None:
        """In the process that HOOKS names. Raises ConfigError when `on_starting` raises, else nothing."""
        assert name in HOOKS
        function = self._functions.get(name)
        if function is None:
            return
        try:
            function(info)
        except (Exception, SystemExit) as error:
            if name == "on_starting":
                raise _explained(error, f"The hook {self.module}.{name}") from error
            log.error("The hook %s.%s failed; the server goes on.", self.module, name, exc_info=error)


NO_HOOKS = Hooks()


def _import(name: str) -> ModuleType:
    if "/" in name or name.endswith(".py"):
        folder, file = os.path.split(name)
        path = f" --pythonpath {folder}" if folder else ""
        raise ConfigError(
            f"--hooks names a module, and {name!r} is a path.",
            mend=f"Did you mean `--hooks {file.removesuffix('.py')}{path}`?",
        )
    if not all(part.isidentifier() for part in name.split(".")):
        raise ConfigError(f"--hooks: {name!r} is not the name of a module.", mend="Such as `--hooks hooks`.")
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        absent = error.name or ""
        if _users_frame(error) is None and (name == absent or name.startswith(absent + ".")):
            raise ConfigError(
                f"--hooks: there is no module named {absent!r}.",
                where=f"Looked in {os.getcwd()} and sys.path",
                mend="Name a module, or its directory with --pythonpath DIR.",
            ) from error
        raise _explained(error, f"--hooks: {name}") from error
    except (Exception, SystemExit) as error:
        raise _explained(error, f"--hooks: {name}") from error


def _checked(value: Any, name: str, module: ModuleType) -> Hook:
    shown = f"{module.__name__}.{name}"
    if not callable(value):
        raise ConfigError(
            f"{shown} is {type(value).__name__}, and a hook is a function.",
            where=_place(value, module),
            mend=f"def {name}(info): ...",
        )
    if inspect.iscoroutinefunction(value):
        raise ConfigError(
            f"{shown} is a coroutine function, and nothing would await it.",
            where=_place(value, module),
            mend=f"Write `def {name}(info)`, without `async`.",
        )
    try:
        inspect.signature(value).bind(None)
    except TypeError as error:
        raise ConfigError(
            f"{shown} cannot be called with one argument.",
            where=_place(value, module),
            mend=f"A hook takes one, with its pid, worker and generation: def {name}(info)",
        ) from error
    except ValueError:  # written in C: its first run will tell
        pass
    return value  # type: ignore[no-any-return]


def _meant_by(name: str) -> str:
    """The hook that a name which is none was probably meant to be; empty if none."""
    plain = name.replace("_", "").lower()
    for known in HOOKS:
        if plain == known.replace("_", ""):
            return known
    return _OTHER_NAMES.get(name) or nearest(name, HOOKS, _CUTOFF)


def _explained(error: BaseException, what: str) -> ConfigError:
    """`what` raised `error`: with the line where it can be mended."""
    lines = str(error).strip().splitlines()
    said = f": {lines[0].rstrip('.')}" if lines else ""
    if isinstance(error, SyntaxError):
        return ConfigError(
            f"{what} has a syntax error: {error.msg}.",
            where=_line(error.filename or "?", error.lineno or 0),
            mend="Mend that line.",
        )
    frame = _users_frame(error)
    return ConfigError(
        f"{what} raised {type(error).__name__}{said}.",
        where=_line(frame.filename, frame.lineno or 0) if frame else "",
        mend="Mend that line, or leave out --hooks.",
    )


def _users_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of the user's own code; else of a library's."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen importlib", _OURS, importlib.__file__))
    ]
    own = [frame for frame in frames if not frame.filename.startswith(("<", *_LIBRARIES))]
    return next(reversed(own or frames), None)


def _place(value: Any, module: ModuleType) -> str:
    code = getattr(value, "__code__", None)
    if code is not None:
        return _line(code.co_filename, code.co_firstlineno)
    return f"File {getattr(module, '__file__', None) or module.__name__}"


def _line(filename: str, number: int) -> str:
    text = linecache.getline(filename, number).strip()
    return f"File {filename}, line {number}" + (f": {text[:100]}" if text else "")
