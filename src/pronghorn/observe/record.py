"""What is known of one exchange when it is over: what the access log and the counters live on."""

from collections.abc import Sequence
from typing import Any


class Record:
    """One request and its answer. Whoever answered fills it in; nothing is copied.

    method, target, version: as sent; all "" when the request line was refused.
    path, query: the target decoded and split, as PATH_INFO and QUERY_STRING have it.
    sent: bytes of the body that were sent. peer, peer_port: REMOTE_ADDR and REMOTE_PORT, or "".
    started: time.time() at the first byte. duration: in seconds, to the last byte.
    fields, response_fields: of the request and of the answer. environ: the application's, or None.
    """

    __slots__ = (
        "duration",
        "environ",
        "fields",
        "method",
        "path",
        "peer",
        "peer_port",
        "query",
        "reason",
        "response_fields",
        "sent",
        "started",
        "status",
        "target",
        "version",
    )

    def __init__(
        self,
        method: str = "",
        target: str = "",
        version: str = "",
        path: str = "",
        query: str = "",
        status: int = 0,
        reason: str = "",
        sent: int = 0,
        peer: str = "",
        peer_port: str = "",
        started: float = 0.0,
        duration: float = 0.0,
        fields: Sequence[tuple[bytes, bytes]] = (),
        response_fields: Sequence[tuple[str, str]] = (),
        environ: dict[str, Any] | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.path = path
        self.query = query
        self.status = status
        self.reason = reason
        self.sent = sent
        self.peer = peer
        self.peer_port = peer_port
        self.started = started
        self.duration = duration
        self.fields = fields
        self.response_fields = response_fields
        self.environ = environ
