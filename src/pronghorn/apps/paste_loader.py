"""PasteDeploy's own loader, with the place of a mistake added, and three factories of Paste's replaced.

The library reads the file and decides what it means. `Loader` is a subclass of its `ConfigLoader`, so the
library itself stays as it is for all others in this process: nothing is patched, no distribution pretends to
be installed. A subclass is enough, since whatever a section names passes through its `get_context`.
"""

import configparser
import logging.config
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from typing import Any
from urllib.parse import unquote

from paste.deploy import loadwsgi

from pronghorn.apps import paste_blame as blame
from pronghorn.apps.paste_factories import PASTE
from pronghorn.apps.paste_places import PasteError, Places
from pronghorn.errors import StartupError

Sections = list[tuple[str, str]]
"""The file and the name of each section that is being read or made; the innermost is the last."""


def load(path: str, name: str, global_conf: Mapping[str, str]) -> Callable[..., Any]:
    """The application `name` of the file. Raises ApplicationLoadError."""
    loader = Loader(path)
    loader.update_defaults(global_conf, overwrite=False)
    made: Any = loader.get_context(loadwsgi.APP, name, dict(global_conf)).create()
    if not callable(made):
        raise PasteError(
            f"{name!r} is {type(made).__name__}, which is not callable.",
            where=f"File {path}",
            mend="Its factory has to return a WSGI application.",
        )
    application: Callable[..., Any] = made
    return application


def set_up_logging(path: str, global_conf: Mapping[str, str]) -> None:
    """What [loggers], [handlers] and [formatters] of the file say, if they are there. Raises PasteError."""
    if "loggers" not in Loader(path).parser.sections():
        return
    defaults = {"here": os.path.dirname(path), "__file__": path, **global_conf}
    try:
        logging.config.fileConfig(path, defaults, disable_existing_loggers=False)
    except Exception as error:
        raise PasteError(
            f"The logging of this file cannot be set up: {blame.told(error)}.",
            where=Places(path).section("loggers"),
            mend="Mend its [logger_…], [handler_…] and [formatter_…], or take [loggers] out.",
        ) from error


class Loader(loadwsgi.ConfigLoader):  # type: ignore[misc]
    """One file.

    sections: what is being read while this file is; files that name each other share it.
    named_at: the place that names this file.
    """

    def __init__(self, filename: str, sections: Sections | None = None, named_at: str = "") -> None:
        """Raises PasteError."""
        try:
            super().__init__(filename)
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            raise blame.unreadable(filename, error) from error
        self.sections: Sections = [] if sections is None else sections
        self.named_at = named_at or f"File {filename}"
        self.real = os.path.realpath(filename)  # however it is named: `config:../site/site.ini`

    def get_context(self, object_type: Any, name: str | None = None, global_conf: Any = None) -> Any:
        """What `name`, a section of this file or a whole "scheme:…#name", stands for. Raises PasteError."""
        if name is not None and self.absolute_name(name):
            return self._elsewhere(object_type, name, global_conf)
        try:
            section = self.find_config_section(object_type, name=name)
        except LookupError as error:
            raise blame.no_section(self, object_type, name or "main", self._names(name)) from error
        with self._inside(section, blame.reading):
            context = super().get_context(object_type, name=name, global_conf=global_conf)
        # An attribute of this one object, in place of its method: all that makes a context calls it.
        context.create = partial(self._create, section, context.create)
        return context

    def _create(self, section: str, create: Callable[[], Any]) -> Any:
        with self._inside(section, blame.making):
            return create()

    @contextmanager
    def _inside(self, section: str, explain: Callable[..., StartupError]) -> Iterator[None]:
        """While a section is read or made; what goes wrong is told with its place."""
        if (self.real, section) in self.sections:
            raise blame.circle(self, section)
        self.sections.append((self.real, section))
        try:
            yield
        except (Exception, SystemExit) as error:
            explained = explain(self, section, error)
            raise explained from (error.__cause__ if explained is error else error)
        finally:
            self.sections.pop()

    def _elsewhere(self, object_type: Any, name: str, global_conf: Any) -> Any:
        scheme = name.partition(":")[0].lower()
        if scheme == "config":
            return self._other_file(object_type, name.partition(":")[2], global_conf)
        if scheme == "egg" and not name.partition(":")[2].partition("#")[0].strip():
            raise blame.no_package(name, self._names(name))
        try:
            return super().get_context(object_type, name=name, global_conf=global_conf)
        except metadata.PackageNotFoundError as error:
            context = self._ours(object_type, name, global_conf)
            if context is None:
                raise blame.no_egg(name, self._names(name)) from error
            return context
        except Exception as error:
            raise blame.not_found(object_type, name, self._names(name), error) from error

    def _other_file(self, object_type: Any, rest: str, global_conf: Any) -> Any:
        path, _, name = rest.partition("#")
        path = os.path.join(os.path.dirname(self.filename), unquote(path))
        named_at = self._names(f"config:{rest}")
        if not os.path.isfile(path):
            raise PasteError(
                f"There is no file {path}.",
                where=named_at,
                mend="The path is relative to the file that names it.",
            )
        other = Loader(path, self.sections, named_at)
        if global_conf:
            other.update_defaults(global_conf, overwrite=False)
        return other.get_context(object_type, name or "main", global_conf)

    def _ours(self, object_type: Any, name: str, global_conf: Any) -> Any:
        """egg:Paste#urlmap and its like, where Paste is not installed."""
        egg, _, entry = name.partition(":")[2].partition("#")
        if egg.lower() != "paste" or object_type is not loadwsgi.APP or entry not in PASTE:
            return None
        protocol, factory = PASTE[entry]
        return loadwsgi.LoaderContext(factory, object_type, protocol, global_conf or {}, {}, self)

    def _names(self, name: str | None) -> str:
        """The place that names it: the innermost section that does."""
        for filename, section in reversed(self.sections):
            if filename == self.real:
                for key, value in self.parser.items(section, raw=True):
                    if name == value or name in value.split():
                        return Places(self.filename).key(section, key)
        return self.named_at
