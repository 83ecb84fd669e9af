"""Heads and header blocks that some connection has sent before, and what they mean.

A connection's first head has no last one to be compared with (`h1/memo`). Health checks, proxies and programs
that make a connection for each request say the same lines each time, though: of whatever they ask for, only
the request line is parsed; and nothing, if it is what others ask for. `python -m bench.parts` prints what it
costs. What many connections share is also near: the processor fetches less for each of a thousand.
"""

from pronghorn.http.request import FieldSection, Request

_MOST = 64
_LONGEST = 2048
"""Octets. Both are arbitrary: more than a deployment's programs say, and 3 MiB of a worker at most."""

_SEEN_MOST = 1024
"""Arbitrary: whole heads of which it is known that there was one such. 64 KiB."""

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


class KnownHead:
    """A whole head that several connections have sent.

    octets: of it all. line, block: as for HeadMemo.parse. request: what it means.
    """

    __slots__ = ("block", "line", "octets", "request")

    def __init__(self, octets: bytes, line: bytes, block: bytes, request: Request) -> None:
        self.octets = octets
        self.line = line
        self.block = block
        self.request = request


class KnownHeads:
    """Of all connections of a worker, which have the same limits. Any thread.

    What a Request says never changes, and is nothing but what its octets say, so it makes no difference whose
    octets they were.
    """

    __slots__ = ("_heads", "_sections", "_seen")

    def __init__(self) -> None:
        self._sections: dict[str, dict[bytes, FieldSection]] = {"HTTP/1.0": {}, "HTTP/1.1": {}}
        self._heads: dict[bytes, KnownHead] = {}
        self._seen: set[int] = set()  # hashes: of what only one client has asked for, nothing is kept

    def whole(self, octets: bytes) -> KnownHead | None:
        """The head that is exactly these octets, if it is known."""
        return self._heads.get(octets) if len(octets) <= _LONGEST else None

    def add_whole(self, octets: bytes, line: bytes, block: bytes, request: Request) -> None:
        """`request` is what they mean, and the block was known."""
        # The absolute form means something else to a listener of another scheme; a query may be a secret.
        if request.line.authority is not None or request.line.query or len(octets) > _LONGEST:
            return
        seen, heads = self._seen, self._heads
        if len(seen) >= _SEEN_MOST:
            seen.clear()
        mark = hash(octets)
        if mark not in seen:
            seen.add(mark)  # a path may be a secret, or just one of very many
            return
        if len(heads) >= _MOST:
            heads.clear()
        request.common = True
        heads[octets] = KnownHead(octets, line, block, request)

    def find(self, version: str, block: bytes) -> FieldSection | None:
        """What exactly these octets mean in this version, if they are known."""
        return self._sections[version].get(block)

    def add(self, block: bytes, section: FieldSection) -> None:
        """`section` is what was parsed from `block`."""
        names = [name.lower() for name, _ in section.fields]
        # A line that was dropped counts, too.
        if len(block) > _LONGEST or block.count(b"\r\n") != len(names) or not _COMMON.issuperset(names):
            return
        known = self._sections[section.version]
        if len(known) >= _MOST:
            known.clear()  # whoever comes often is soon back
        section.common = True
        known[block] = section
