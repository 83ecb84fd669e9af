"""From the text of an ini file to what a class wants: the annotations of its arguments decide.

In `[filter:main] use = egg:pronghorn#gzip`, `minimum_size = 500` becomes an int, since GZip says so.
"""

import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pronghorn.apps.paste_places import PasteError
from pronghorn.option import boolean, did_you_mean


def typed(
    target: Callable[..., Any], options: Mapping[str, str], what: str, *, but: int = 0
) -> dict[str, Any]:
    """The keyword arguments for `target` from texts; keys may be written with dashes.

    what: what they are options of, for errors. but: how many first arguments are no options.
    Raises PasteError.
    """
    hints = typing.get_type_hints(
        inspect.getattr_static(target, "__init__") if isinstance(target, type) else target
    )
    parameters = list(inspect.signature(target).parameters.values())[but:]
    known = [one.name for one in parameters if one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD)]
    values = {}
    for key, text in options.items():
        name = key.replace("-", "_")
        if name not in known:
            mend = did_you_mean(name, known) or (f"It has {', '.join(known)}." if known else "It has none.")
            raise PasteError(f"{what} has no option {key!r}.", mend=mend, key=key)
        try:
            values[name] = value(text, hints.get(name, str))
        except ValueError as error:
            raise PasteError(f"{key!r} of {what}: {error}", mend="Mend the value.", key=key) from error
    for one in parameters:
        if one.name in known and one.default is one.empty and one.name not in values:
            raise PasteError(f"{what} needs {one.name!r}.", mend=f"Add `{one.name} = …`.")
    return values


def value(text: str, kind: Any) -> Any:
    """One value. Raises ValueError with a sentence."""
    kinds = _alternatives(kind)
    origins = [typing.get_origin(one) or one for one in kinds]
    if type(None) in origins and text.strip().lower() in ("", "none"):
        return None
    for origin, whole in zip(origins, kinds, strict=True):
        if origin is not str and isinstance(origin, type):
            try:
                return _of_type(text, origin, typing.get_args(whole))
            except ValueError:
                if str not in origins:
                    raise
    return text


def _of_type(text: str, origin: type, arguments: tuple[Any, ...]) -> Any:
    if origin is bool:
        return boolean(text)
    if origin in (int, float):
        return _number(text, origin)
    if issubclass(origin, Mapping):
        return _pairs(text, *(arguments or (str, str)))
    if issubclass(origin, Collection):
        items = text.splitlines() if "\n" in text else text.replace(",", " ").split()
        make: Callable[..., Any] = origin if origin in (list, set, frozenset) else tuple
        return make(item.strip() for item in items if item.strip())
    raise ValueError("this cannot be said in a file, only in Python.")


def _alternatives(kind: Any) -> list[Any]:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return list(typing.get_args(kind))
    return [kind]


def _number(text: str, kind: type) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a {'whole ' if kind is int else ''}number.") from error


def _pairs(text: str, name_kind: Any, kind: Any) -> dict[Any, Any]:
    """Lines of `name = value`; without spaces around the sign, several in one line."""
    pairs = {}
    for line in text.splitlines() if "\n" in text or " = " in text else text.split():
        name, equals, given = line.partition("=")
        if equals:
            pairs[value(name.strip(), name_kind)] = value(given.strip(), kind)
        elif line.strip():
            raise ValueError(f"{line.strip()!r} is not `name = value`.")
    return pairs
