"""PasteDeploy files: those of OpenStack, Pyramid, CKAN, Zope and others, served as they are.

    pronghorn api-paste.ini#main
    load_paste("site.ini#blog", {"db_url": "sqlite://"})

What a file means is for the PasteDeploy library to say (the extra `paste`); `paste_loader` adds to it where
in the file a mistake is, and our own `egg:Paste#urlmap`, `#cascade` and `#static`. This module decides
whether the library is needed, and does without it until then.
"""

import importlib
import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pronghorn.errors import ApplicationLoadError
from pronghorn.later import Later

if TYPE_CHECKING:
    from urllib import parse
else:
    parse = Later("urllib.parse")  # only where there is such a file

# "config:" takes any name. A module's name has neither "#" nor, as its last part, one of these endings.
_SPEC = re.compile(r"(?:config:[^#]+|[^#:()]+\.(?:ini|conf))(?:#.*)?|[^#:()]*[./][^#:()]*#.+", re.DOTALL)
_OTHER_FILE = re.compile(r"\bconfig:([^\s#]+)")


def is_paste(spec: str) -> bool:
    """Does this name a PasteDeploy file: "file.ini", "file.ini#name", "config:file#name"?"""
    return _SPEC.fullmatch(spec) is not None


def file_and_name(spec: str) -> tuple[str, str]:
    """The path as it is given, and the section's name, or "", of what `is_paste` says yes to."""
    path, _, name = spec.partition("#")
    return parse.unquote(path.removeprefix("config:")) if path.startswith("config:") else path, name


def files_of(spec: str, base: str) -> list[str]:
    """The file, and those that it names by "config:", absolute; `base`: where the first one's path begins.

    For whoever watches them. Read without the library: a file more than it would read does no harm.
    """
    waiting = [os.path.join(base, file_and_name(spec)[0])]
    files: dict[str, None] = {}
    while waiting:
        path = os.path.normpath(waiting.pop())
        if path in files:
            continue
        files[path] = None
        folder = os.path.dirname(path)
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                named = _OTHER_FILE.findall(file.read())
        except OSError:
            continue
        waiting += [os.path.join(folder, parse.unquote(name.replace("%(here)s", folder))) for name in named]
    return list(files)


def load_paste(
    spec: str, global_conf: Mapping[str, str] | None = None, *, logging: bool = False
) -> Callable[..., Any]:
    """The application of a PasteDeploy file; the section's name is "main" where none is given.

    global_conf: as `pserve FILE name=value` gives it: for %(name)s, and for every factory.
    logging: set up what [loggers] says, as pserve does; for the one file of a whole server.

    Raises ApplicationLoadError.
    """
    path, name = file_and_name(spec)
    path = os.path.abspath(path)
    loader = _library(path)
    given = dict(global_conf or {})
    if logging:
        loader.set_up_logging(path, given)
    application: Callable[..., Any] = loader.load(path, name or "main", given)
    return application


def _library(path: str) -> Any:
    """paste_loader, which cannot be imported without the library."""
    try:
        return importlib.import_module("pronghorn.apps.paste_loader")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "paste":
            raise
        raise ApplicationLoadError(
            "PasteDeploy is not installed, which reads such files.",
            where=f"File {path}",
            mend="pip install 'pronghorn[paste]'",
        ) from error
