"""The command line: `pronghorn MODULE:CALLABLE [options]`, and commands such as `pronghorn check`.

Everything is imported where it is needed, so that `pronghorn --version` answers at once.
"""

import sys
from collections.abc import Sequence

from pronghorn import __version__
from pronghorn.errors import StartupError

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost an import
    from typing import TextIO

    from pronghorn.config.settings import Settings

_PACKAGES = {"br": "brotli", "zstd": "backports.zstd"}

_INTERRUPTED = 130
"""What a shell reports for a process that SIGINT ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code. 2 usage, 3 application, 4 address, 5 configuration."""
    _fill_closed()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return _tell(version()) if "--version" in given else _run(given)
    except StartupError as error:
        _write(str(error), sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED


def _fill_closed() -> None:
    """/dev/null where stdin, stdout or stderr is closed: a socket would take its place, and get the log."""
    import os

    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free
            os.set_inheritable(fd, True)


def version() -> str:
    """pronghorn 0.1.0 (pure Python, CPython 3.11.7), or `compiled`, and then what is."""
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(sys.implementation.name, sys.implementation.name)
    python = ".".join(map(str, sys.version_info[:3]))
    modules = compiled_modules()
    kind = "compiled" if modules else "pure Python"
    lines = [f"pronghorn {__version__} ({kind}, {name} {python})", *modules]
    return "\n  ".join(lines)


def compiled_modules() -> list[str]:
    """The modules that were built by setup.py, such as pronghorn.wsgi.call; none in plain Python."""
    import os
    from importlib.machinery import EXTENSION_SUFFIXES

    found = []
    here = os.path.dirname(os.path.abspath(__file__))
    for folder, _, files in os.walk(here):
        parts = os.path.relpath(folder, os.path.dirname(here)).split(os.sep)
        found += [
            ".".join([*parts, file.partition(".")[0]])
            for file in files
            if any(file.endswith(suffix) for suffix in EXTENSION_SUFFIXES)
        ]
    return sorted(found)


def _run(arguments: Sequence[str]) -> int:
    import os

    from pronghorn.config import command, flags
    from pronghorn.config.settings import Settings

    line = flags.read(arguments)
    if line.command == "schema":
        from pronghorn.config import schema

        return _tell(schema.text())
    if line.command == "compress":
        return _compress(line.directory)
    here = command.working_directory(os.environ)

    def read() -> Settings:
        return command.settings(line, os.environ, here)

    settings = read()
    if line.command in ("config", "routes"):
        return _show(settings, line.command, line.json)

    from pronghorn.assemble import start

    if not line.command:
        _refuse_misspelt(line.spec, settings)
    if line.check_config or line.command == "check":
        return _tell(start.check(settings, line.spec))
    return start.run(settings, line.spec, read)


def _refuse_misspelt(spec: str, settings: "Settings") -> None:
    """A word that is nearly a command, and no module. Raises UsageError."""
    from importlib.machinery import PathFinder

    from pronghorn.assemble.parts import import_paths
    from pronghorn.config.flags import COMMANDS
    from pronghorn.errors import UsageError
    from pronghorn.option import nearest

    meant = nearest(spec, COMMANDS, 0.75) if spec.isidentifier() else ""
    declared = settings.composition.apps.get(spec)
    if not meant or (declared is not None and declared.use != spec):
        return
    if PathFinder.find_spec(spec, [*import_paths(settings.app), *sys.path]) is None:
        raise UsageError(
            f"There is neither a command nor a module {spec!r}.", mend=f"Did you mean `pronghorn {meant}`?"
        )


def _show(settings: "Settings", command: str, json: bool) -> int:
    from pronghorn.config import show

    if command == "routes":
        none = "There are no routes: the application that is named gets every request."
        return _tell(show.as_tree(settings.composition) or none)
    return _tell(show.as_json(settings) if json else show.as_toml(settings))


def _compress(directory: str) -> int:
    from pronghorn.apps.static.compress import compress

    bar = _Bar()
    summary = compress(directory, progress=bar.show if sys.stderr.isatty() else None)
    bar.clear()
    for path, reason in summary.failed:
        _write(f"Error: {path}: {reason}", sys.stderr)
    for coding in summary.missing:
        _write(f"No {coding}: install the package {_PACKAGES[coding]} for it.", sys.stderr)
    saved = summary.octets_before - summary.octets_after
    percent = f" ({saved * 100 // summary.octets_before} %)" if summary.octets_before else ""
    return _tell(
        f"{summary.files} files looked at, {summary.written} written, {saved} bytes saved{percent};"
        f" {summary.fresh} were there already, {summary.useless} are not worth it.",
        1 if summary.failed else 0,
    )


class _Bar:
    """Progress on a terminal, at most once for each hundredth."""

    _WIDTH = 40

    def __init__(self) -> None:
        self._shown = -1

    def show(self, done: int, total: int, path: str) -> None:
        hundredth = done * 100 // total
        if hundredth == self._shown:
            return
        self._shown = hundredth
        filled = self._WIDTH * done // total
        print(f"\r[{'#' * filled:{self._WIDTH}}] {done}/{total}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self._shown >= 0:
            print(f"\r{'':{self._WIDTH + 24}}\r", end="", file=sys.stderr, flush=True)


def _tell(text: str, code: int = 0) -> int:
    """All that a command prints goes this way; gives its exit code. Raises StartupError."""
    reason = _write(text, sys.stdout)
    if reason:
        raise StartupError(f"stdout cannot be written: {reason}.")
    return code


def _write(text: str, stream: "TextIO") -> str:
    """At once. Gives why that cannot be, but not where nobody reads any more: `pronghorn config | head`."""
    try:
        print(text, file=stream, flush=True)
    except OSError as error:
        import os

        # Or the interpreter would try again when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return "" if isinstance(error, BrokenPipeError) else error.strerror or str(error)
    return ""
