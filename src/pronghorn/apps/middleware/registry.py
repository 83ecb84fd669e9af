"""The middlewares that a file may name without their module: `middleware = ["request-id"]`."""

from typing import Any

from pronghorn.apps.middleware.basic_auth import BasicAuth
from pronghorn.apps.middleware.gzip import Gzip
from pronghorn.apps.middleware.lint import Lint
from pronghorn.apps.middleware.proxy_fix import ProxyFix
from pronghorn.apps.middleware.request_id import RequestId
from pronghorn.apps.static.sendfile import SendFile

NAMES: dict[str, type[Any]] = {
    "request-id": RequestId,
    "sendfile": SendFile,
    "proxy-fix": ProxyFix,
    "gzip": Gzip,
    "lint": Lint,
    "basic-auth": BasicAuth,
}
"""Each is called with the application, and its options as keywords."""
