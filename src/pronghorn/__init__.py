"""Pronghorn, a WSGI server.

import pronghorn

pronghorn.serve(app, bind="127.0.0.1:8000", threads=8)      # until TERM or Ctrl+C
pronghorn.serve("shop.wsgi:application")

with pronghorn.make_server("127.0.0.1", 0, app) as httpd:   # where wsgiref's stood
    print(httpd.server_port)
    httpd.serve_forever()
"""

from pronghorn.errors import RequestTimeout

__version__ = "0.1.0"

__all__ = ["RequestTimeout", "__version__", "make_server", "serve"]

TYPE_CHECKING = False  # as typing has it, without the cost of importing typing
if TYPE_CHECKING:
    from typing import Any

    from pronghorn.embed import Server
    from pronghorn.wsgi.call import WSGIApplication


def serve(app: "WSGIApplication | str", **options: "Any") -> None:
    """Serve `app`, a WSGI callable or its specification, until stopped.

    options: as on the command line, with underscores: bind="localhost:8051" (or several in a list),
    threads=4, access_logfile="-". PRONGHORN_* variables count where an option is not given.

    A specification is served as on the command line, by a master and its workers; an object by this process,
    unless workers= says more. On the main thread TERM drains, INT and QUIT end at once, USR1 reopens the
    logs; on another thread there is no master, and signals are left alone.

    Raises a pronghorn.errors.StartupError if it cannot start.
    """
    from pronghorn.assemble import parts, start

    start.run(parts.settings_from_python(options, app), app)


def make_server(
    host: str,
    port: int,
    app: "WSGIApplication | None",
    server_class: "type | None" = None,
    handler_class: "type | None" = None,
    **options: "Any",
) -> "Server":
    """A drop-in for wsgiref.simple_server.make_server: bound and listening when it returns.

    server_class: one that mixes in socketserver.ThreadingMixIn gets 8 threads, any other 1, as in wsgiref.
    handler_class: its log_message and log_request are called for each request.
    options: as for serve(), such as threads=8.
    """
    from pronghorn import embed

    return embed.make_server(host, port, app, server_class, handler_class, **options)
