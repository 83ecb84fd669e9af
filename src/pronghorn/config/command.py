"""From the command line to settings: all sources read, and the routes put together."""

import os
from collections.abc import Mapping
from dataclasses import replace

from pronghorn.apps.paste import files_of, is_paste
from pronghorn.config import check, file, routes, sources
from pronghorn.config.composition import Composition
from pronghorn.config.flags import CommandLine, no_application
from pronghorn.config.settings import Settings
from pronghorn.errors import ConfigError

_SERVES_NOTHING = ("config", "routes")


def settings(line: CommandLine, environ: Mapping[str, str], here: str) -> Settings:
    """As they are now: called again for a reload. here: see `working_directory`. Raises StartupError."""
    found = None if line.command == "static" and not line.config else file.find(line.config, environ, here)
    said = file.from_file(found, environ) if found else file.FromFile({}, Composition())
    merged = sources.merge(
        [
            sources.from_flags(line.given),
            sources.from_environment(environ),
            sources.from_platform(environ),
            said.layer,
        ],
        said.composition,
    )
    origin = merged.origins.get("static", "--static")
    whole = routes.place(_composition(line, merged, here), merged.app.static, line.spec, origin, here)
    if not (line.spec or whole or line.command in _SERVES_NOTHING):
        raise no_application(found.shown if found else "")
    if line.command == "config":
        whole = routes.alone(whole, line.spec)
    result = replace(merged, composition=whole)
    check.check(result)
    if result.process.reload and line.command not in _SERVES_NOTHING:
        result = _watching(result, [found.path] if found else [], line.spec, here)
    return result


def _composition(line: CommandLine, merged: Settings, here: str) -> Composition:
    if line.command != "static":
        return merged.composition
    if merged.app.static:
        raise ConfigError(
            f"{merged.origins['static']}: pronghorn static serves one directory at /.", mend="Leave it out."
        )
    return routes.only_files(line.directory, here)


def _watching(settings: Settings, files: list[str], spec: str, here: str) -> Settings:
    """--reload looks at what configures, too: our own file, and those of PasteDeploy."""
    process = settings.process
    pastes = [app.paste for app in settings.composition.apps.values() if app.paste]
    base = os.path.join(here, settings.app.chdir)
    for paste in [*pastes, spec] if is_paste(spec) else pastes:
        files += files_of(paste, base)
    extra = dict.fromkeys((*process.reload_extra_file, *files))
    return replace(settings, process=replace(process, reload_extra_file=tuple(extra)))


def working_directory(environ: Mapping[str, str]) -> str:
    """By the name that the user knows it by: a deploy may have a link lead elsewhere before a reload."""
    named = environ.get("PWD", "")
    try:
        here = os.getcwd()
    except OSError:  # it was removed
        return named or "/"
    try:
        return named if named and os.path.samefile(named, here) else here
    except OSError:
        return here
