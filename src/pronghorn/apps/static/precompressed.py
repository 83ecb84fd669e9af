"""Which coding to send (S13): Accept-Encoding against the codings that stand beside a file."""

import re
from collections.abc import Sequence

IDENTITY = "identity"

_MEMBER = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?"
)
_MEMBERS_MOST = 64


def choose(accept: str | None, present: Sequence[str]) -> str | None:
    """The coding of the answer, "identity" for none; None if nothing that there is is acceptable (406).

    accept: the field's value, None where it is missing (RFC 9110 section 12.5.3). present: in our order.
    """
    if accept is None:
        return IDENTITY
    weights = _weights(accept)
    others = weights.get("*")
    best, highest = None, 0.0
    for coding in present:
        weight = weights.get(coding, others if others is not None else 0.0)
        if weight > highest:
            best, highest = coding, weight
    plain = weights.get(IDENTITY)
    if plain is not None:
        return IDENTITY if plain > highest else best
    return best if best is not None or others == 0 else IDENTITY


def _weights(accept: str) -> dict[str, float]:
    """Coding to weight; members that break the grammar are passed over, "x-gzip" is gzip."""
    weights: dict[str, float] = {}
    for member in accept.split(",", _MEMBERS_MOST)[:_MEMBERS_MOST]:
        found = _MEMBER.fullmatch(member.strip(" \t"))
        if found is not None:
            name = found[1].lower().removeprefix("x-")
            weights[name] = 1.0 if found[2] is None else float(found[2])
    return weights
