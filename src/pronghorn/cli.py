"""The command line: `pronghorn MODULE:CALLABLE [options]`.

Everything is imported where it is needed, so that `pronghorn --version` answers at once.
"""

import sys
from collections.abc import Sequence

from pronghorn import __version__
from pronghorn.errors import StartupError

_INTERRUPTED = 130
"""What a shell reports for a process that SIGINT ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives the exit code. 2 usage, 3 application, 4 address, 5 configuration."""
    given = sys.argv[1:] if arguments is None else arguments
    if "--version" in given:
        print(version())
        return 0
    try:
        return _run(given)
    except StartupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED


def version() -> str:
    """pronghorn 0.1.0 (pure Python, CPython 3.11.7)"""
    name = {"cpython": "CPython", "pypy": "PyPy"}.get(sys.implementation.name, sys.implementation.name)
    python = ".".join(map(str, sys.version_info[:3]))
    return f"pronghorn {__version__} (pure Python, {name} {python})"


def _run(arguments: Sequence[str]) -> int:
    import os

    from pronghorn.assemble import start
    from pronghorn.config import check, flags, sources
    from pronghorn.config.settings import Settings

    line = flags.read(arguments)

    def read() -> Settings:
        settings = sources.merge(
            [
                sources.from_flags(line.given),
                sources.from_environment(os.environ),
                sources.from_platform(os.environ),
            ]
        )
        check.check(settings)
        return settings

    settings = read()
    return start.check(settings, line.spec) if line.check_config else start.run(settings, line.spec, read)
