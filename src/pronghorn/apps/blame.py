"""Whose line is it? From an exception in a user's code to the place where the user can mend it."""

import importlib
import linecache
import os
import site
import traceback
from types import TracebackType

from pronghorn.errors import ApplicationLoadError

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_IMPORTLIB = os.path.dirname(os.path.abspath(importlib.__file__)) + os.sep
_LIBRARIES = tuple(
    path + os.sep
    for path in {
        os.path.dirname(os.path.abspath(os.__file__)),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
)

WHOLE = "The whole traceback is shown with --log-level debug."


def users_frame(error: BaseException) -> traceback.FrameSummary | None:
    """The innermost frame of the user's own code; else of a library's; None if there is neither."""
    frames = [frame for frame in _frames(error.__traceback__) if not is_machinery(frame.filename)]
    own = [frame for frame in frames if not _is_library(frame.filename)]
    candidates = own or frames
    return candidates[-1] if candidates else None


def _frames(start: TracebackType | None) -> list[traceback.FrameSummary]:
    return list(traceback.extract_tb(start))


def is_machinery(filename: str) -> bool:
    return filename.startswith(("<frozen importlib", _OURS, _IMPORTLIB))


def _is_library(filename: str) -> bool:
    return filename.startswith(("<", *_LIBRARIES))


def explain(error: BaseException, what: str, when: str) -> ApplicationLoadError:
    """What a person at a terminal is told when `what` failed with `error`."""
    frame = users_frame(error)
    where = _place(frame.filename, frame.lineno, frame.line) if frame else ""
    match error:
        case SyntaxError():
            return ApplicationLoadError(
                f"{what} has a syntax error: {one_line(error.msg)}.",
                where=_place(error.filename or "?", error.lineno, error.text),
                mend="Mend that line.",
            )
        case SystemExit():
            return ApplicationLoadError(
                f"{what} called sys.exit({'' if error.code is None else repr(error.code)}) {when}.",
                where=where,
                mend='Put what only a script should do under `if __name__ == "__main__":`.',
            )
        case ModuleNotFoundError(name=str(name)):
            package = name.partition(".")[0]
            return ApplicationLoadError(
                f"{what} imports {name!r}, which cannot be found.",
                where=where,
                mend=f"Install {package!r} into this environment, add its directory with --pythonpath DIR,"
                f"\nor mend the import. {WHOLE}",
            )
        case TypeError() if frame is None:
            return ApplicationLoadError(
                f"{what} cannot be called like this: {one_line(error)}.", mend="Mend the arguments."
            )
    said = one_line(error)
    raised = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return ApplicationLoadError(f"{what} raised {raised} {when}.", where=where, mend=WHOLE)


def one_line(said: object, most: int = 200) -> str:
    """The first line, without its full stop, not longer than a few lines of a terminal."""
    lines = str(said).strip().splitlines()
    line = "".join(letter if letter.isprintable() else "?" for letter in lines[0]) if lines else ""
    return (line if len(line) <= most else line[:most] + "…").rstrip(".")


def _place(filename: str, line_number: int | None, line: str | None) -> str:
    place = f"File {filename}, line {line_number}"
    text = (line or linecache.getline(filename, line_number or 0)).strip()
    return f"{place}: {text[:100]}" if text else place
