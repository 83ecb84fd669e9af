"""Header blocks that some connection has sent before, and what they mean.

A connection's first head has no last one to be compared with (`h1/memo`). Health checks, proxies and programs
that make a connection for each request say the same lines each time, though: of whatever they ask for, only
the request line is parsed. `python -m bench.parts` prints what it costs.
"""

from pronghorn.http.request import FieldSection

_BLOCKS_MOST = 64
_BLOCK_LONGEST = 2048
"""Octets. Both are arbitrary: more than a deployment's programs say, and 1.5 MiB of a worker at most."""

_COMMON = frozenset(
    {
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"cache-control",
        b"connection",
        b"dnt",
        b"host",
        b"keep-alive",
        b"pragma",
        b"priority",
        b"sec-ch-ua",
        b"sec-ch-ua-mobile",
        b"sec-ch-ua-platform",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"sec-fetch-user",
        b"sec-gpc",
        b"te",
        b"upgrade-insecure-requests",
        b"user-agent",
    }
)
"""Fields that many clients say alike: none that is one client's own, or about a body."""


class KnownBlocks:
    """Of all connections of a worker, which have the same limits. Any thread.

    A FieldSection is immutable and nothing but what its octets say, so it makes no difference whose octets
    they were.
    """

    __slots__ = ("_sections",)

    def __init__(self) -> None:
        self._sections: dict[str, dict[bytes, FieldSection]] = {"HTTP/1.0": {}, "HTTP/1.1": {}}

    def find(self, version: str, block: bytes) -> FieldSection | None:
        """What exactly these octets mean in this version, if they are known."""
        return self._sections[version].get(block)

    def add(self, block: bytes, section: FieldSection) -> None:
        """`section` is what was parsed from `block`."""
        names = [name.lower() for name, _ in section.fields]
        # A line that was dropped counts, too.
        if len(block) > _BLOCK_LONGEST or block.count(b"\r\n") != len(names) or not _COMMON.issuperset(names):
            return
        known = self._sections[section.version]
        if len(known) >= _BLOCKS_MOST:
            known.clear()  # whoever comes often is soon back
        section.common = True
        known[block] = section
