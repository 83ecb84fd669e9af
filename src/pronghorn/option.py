"""An option is one declaration, beside the code that obeys it.

    @dataclass(frozen=True, slots=True)
    class Limits:
        limit_request_fields: int = option(100, help="Most header fields in one request.")

The flag (`--limit-request-fields`), the environment variable (`PRONGHORN_LIMIT_REQUEST_FIELDS`), the
key in the configuration file and the page in `docs/` all follow from it.

A name that is none, of an option or of anything else that a person writes, is answered with the nearest
one: `did_you_mean`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import MISSING, Field, field, fields
from typing import TYPE_CHECKING, Any

from pronghorn.later import Later

if TYPE_CHECKING:
    import difflib
else:
    difflib = Later("difflib")  # only for suggestions

_KEY = "pronghorn"


class Option:
    """What an option says of itself beside its name, type and default."""

    __slots__ = ("choices", "flags", "help", "metavar", "parse", "repeat")

    def __init__(
        self,
        help: str,
        flags: tuple[str, ...],
        metavar: str,
        parse: Callable[[str], Any] | None,
        choices: tuple[str, ...],
        repeat: bool,
    ) -> None:
        self.help = help
        self.flags = flags
        self.metavar = metavar
        self.parse = parse
        self.choices = choices
        self.repeat = repeat


def option(
    default: Any,
    *,
    help: str,
    flags: tuple[str, ...] = (),
    metavar: str = "",
    parse: Callable[[str], Any] | None = None,
    choices: tuple[str, ...] = (),
    repeat: bool = False,
) -> Any:
    """A dataclass field that is also an option.

    default: its value when nobody sets it.
    help: one sentence, with the unit ("seconds", "bytes"), and the reason where one is due.
    flags: short flags beside the long one that follows from the name, such as ("-b",).
    parse: text to value, raising ValueError with a sentence; the field's type decides where it is None.
    repeat: may be given several times; the value is a tuple.
    """
    about = Option(help, flags, metavar, parse, choices, repeat)
    return field(default=default, metadata={_KEY: about})


def options_of(options_class: type) -> Iterator[tuple[Field[Any], Option]]:
    """Each option that a class declares, in order."""
    for declared in fields(options_class):
        about = declared.metadata.get(_KEY)
        if about is not None:
            assert declared.default is not MISSING
            yield declared, about


_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "off", "n", "f"})


def boolean(text: str) -> bool:
    """As variables and PasteDeploy files write it. Raises ValueError."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(f"{text!r} is neither true nor false.")


def nearest(name: str, known: Iterable[str], least: float = 0.75) -> str:
    """The known name that is most like it; empty if none is. least: how much they share, from 0 to 1."""
    return next(iter(difflib.get_close_matches(name, list(known), 1, least)), "")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that suggests the nearest known name; empty if none is near. Hyphens are as underscores."""
    known = list(known)
    found = nearest(name.replace("-", "_") if any("_" in other for other in known) else name, known)
    return f"Did you mean {found!r}?" if found else ""
