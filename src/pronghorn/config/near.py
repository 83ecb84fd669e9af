"""The nearest known name to one that is not known."""

from collections.abc import Iterable

from pronghorn.later import Later

TYPE_CHECKING = False
if TYPE_CHECKING:
    import difflib
else:
    difflib = Later("difflib")  # only for suggestions


def nearest(name: str, known: Iterable[str], least: float = 0.6) -> str:
    """Empty if none is near. least: how much they must have in common, from 0 to 1."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, least)), "")


def near(name: str, known: Iterable[str]) -> str:
    """A question that suggests the nearest known name; empty if none is near. Hyphens are as underscores."""
    known = list(known)
    found = nearest(name.replace("-", "_") if any("_" in other for other in known) else name, known)
    return f"Did you mean {found!r}?" if found else ""
