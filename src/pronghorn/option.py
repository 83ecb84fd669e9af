"""An option is one declaration, beside the code that obeys it.

    @dataclass(frozen=True, slots=True)
    class Limits:
        limit_request_fields: int = option(100, help="Most header fields in one request.")

The flag (`--limit-request-fields`), the environment variable (`PRONGHORN_LIMIT_REQUEST_FIELDS`), the
key in the configuration file and the page in `docs/` all follow from it.
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, field, fields
from typing import Any

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
