"""What all requests that come by one listener have in common."""

import logging
from collections.abc import Sequence
from functools import partial

from pronghorn import __version__
from pronghorn.net.listen import Listener
from pronghorn.net.transport import speaks_tls
from pronghorn.observe.logs import write_text
from pronghorn.wsgi.environ import server_environ
from pronghorn.wsgi.error_stream import ErrorStream


def bases(
    listeners: Sequence[Listener], log: logging.Logger, *, multithread: bool, multiprocess: bool
) -> dict[Listener, dict[str, object]]:
    """The server's part of the environ, by listener. log: for wsgi.errors."""
    return {
        listener: server_environ(
            software=f"pronghorn/{__version__}",
            errors=ErrorStream(partial(write_text, log)),
            multithread=multithread,
            multiprocess=multiprocess,
            scheme="https" if speaks_tls(listener.socket) else "http",
            name=listener.server_name,
            port=listener.server_port,
        )
        for listener in listeners
    }
