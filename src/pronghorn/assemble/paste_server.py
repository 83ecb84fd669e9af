"""Pronghorn under pserve, and under whatever else starts a server from a PasteDeploy file.

    [server:main]
    use = egg:pronghorn#main
    bind = 127.0.0.1:8000 unix:run/site.sock
    threads = 8

Every option of the command line is a key; `host` and `port` stand for a `bind`, as in other servers.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from pronghorn.apps.paste_places import Places
from pronghorn.assemble.start import run
from pronghorn.config import check, sources
from pronghorn.config.settings import Settings, all_options
from pronghorn.errors import ConfigError, StartupError
from pronghorn.option import did_you_mean
from pronghorn.wsgi.call import WSGIApplication

_ELSEWHERE = {
    "listen": "bind",
    "unix_socket": "bind",
    "worker_threads": "threads",
    "numthreads": "threads",
    "channel_timeout": "keep_alive",
    "daemon": "no_master",
}
"""What waitress, CherryPy and Paste call it."""


def run_pronghorn(app: WSGIApplication, global_conf: Mapping[str, str] | None, **keys: str) -> None:
    """paste.server_runner: serve until stopped. Raises StartupError."""
    make_server(global_conf, **keys)(app)


def make_server(global_conf: Mapping[str, str] | None, **keys: str) -> Callable[[WSGIApplication], None]:
    """paste.server_factory: what serves an application until stopped. Raises ConfigError for wrong keys."""
    with _told_in_a_sentence():
        settings = settings_of(global_conf or {}, keys)

    def serve(app: WSGIApplication) -> None:
        with _told_in_a_sentence():
            run(settings, app)

    return serve


def settings_of(global_conf: Mapping[str, str], keys: Mapping[str, str]) -> Settings:
    """Keys of the section before PRONGHORN_* variables. Raises ConfigError."""
    file = _File(global_conf.get("__file__", ""))
    settings = sources.merge([_layer(dict(keys), file), sources.from_environment(os.environ)])
    try:
        check.check(settings)
    except ConfigError as error:
        error.where = error.where or file.path
        raise
    return settings


def _layer(keys: dict[str, str], file: "_File") -> sources.Layer:
    known = {declared.name: (declared, about) for _, declared, about in all_options()}
    layer = _address(keys, file)
    for key, text in keys.items():
        name = key.replace("-", "_")
        if name not in known:
            instead = _ELSEWHERE.get(name)
            mend = (
                f"Did you mean {instead!r}?"
                if instead in known
                else did_you_mean(name, [*known, "host", "port"])
            )
            raise ConfigError(
                f"There is no option {key!r}.",
                where=file.place(key),
                mend=mend or "The keys are the options of `pronghorn --help`.",
            )
        declared, about = known[name]
        try:
            texts = shlex.split(text) if about.repeat else [text]
            layer[name] = sources.Given(sources.parse(declared, about, texts), file.origin(key))
        except ValueError as error:
            raise ConfigError(f"{key}: {error}", where=file.place(key), mend=about.help) from error
    return layer


def _address(keys: dict[str, str], file: "_File") -> sources.Layer:
    """host and port, which are taken out, as `bind`."""
    given = [key for key in ("host", "port") if key in keys]
    if not given:
        return {}
    if "bind" in keys:
        raise ConfigError(
            f"{given[0]!r} and 'bind' both say where to listen.",
            where=file.place(given[0]),
            mend="Leave one.",
        )
    host, port = keys.pop("host", "127.0.0.1").strip("[] "), keys.pop("port", "8000").strip()
    if not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ConfigError(
            f"port: {port!r} is not a port from 0 to 65535.", where=file.place("port"), mend="port = 8000"
        )
    host = "0.0.0.0" if host in ("", "*") else host
    bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return {"bind": sources.Given((bind,), file.origin(given[0]))}


class _File:
    """The file that the keys are from, if it is known; a server is not told its section's name."""

    def __init__(self, path: str) -> None:
        self.path = f"File {path}" if path else ""
        self._places = Places(path) if path else None

    def place(self, key: str) -> str:
        return self._places.key_in("server:", key) if self._places else f"The key {key!r} of the server"

    def origin(self, key: str) -> str:
        return f"{key} in {os.path.basename(self.path)}" if self.path else key


@contextmanager
def _told_in_a_sentence() -> Iterator[None]:
    """pserve has no word for a server that cannot start: Python would print a traceback of its insides."""
    try:
        yield
    except StartupError:
        sys.excepthook = partial(_in_a_sentence, sys.excepthook)
        raise


def _in_a_sentence(
    before: Callable[..., Any],
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """sys.excepthook, once the server could not start."""
    if isinstance(error, StartupError):
        print(error, file=sys.stderr)
    else:
        before(kind, error, trace)
