"""How much a client may send before it is refused."""

from dataclasses import dataclass

from pronghorn.option import option


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and counts of one request. Zero is never "unlimited"."""

    limit_request_line: int = option(
        65536, metavar="BYTES", help="Longest request line in bytes; a longer one is answered with 414."
    )
    limit_request_head: int = option(
        65536,
        metavar="BYTES",
        help="Most bytes of request line and header section together; more is answered with 431.",
    )
    limit_request_fields: int = option(
        100, metavar="COUNT", help="Most header fields of one request; more is answered with 431."
    )
    limit_request_body: int = option(
        1 << 30,
        metavar="BYTES",
        help="Largest request body in bytes; a larger one is answered with 413 before it is read.",
    )
