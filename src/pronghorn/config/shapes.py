"""Values of a configuration file against the types of the dataclass that they are for."""

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pronghorn.config.sources import size


class Misfit(ValueError):
    """A value of the wrong type. path: where within the value."""

    def __init__(self, what: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(what)
        self.path = path


def conform(value: Any, hint: Any) -> Any:
    """`value` as `hint` has it; arrays become tuples. Raises Misfit with a sentence."""
    if hint is Any:
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(value, inner, hint)
    if origin is Literal:
        if value not in inner or isinstance(value, bool) is not any(isinstance(i, bool) for i in inner):
            raise Misfit(f"{shown(value)} is not one of {', '.join(shown(choice) for choice in inner)}.")
        return value
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise Misfit(f"{shown(value)} is not {words_for(hint)}.")
        return {_key(key, inner[0]): _inside(item, inner[1], key) for key, item in value.items()}
    if origin is not None and issubclass(origin, Sequence):
        items = [value] if isinstance(value, str) and str in _flat(inner[0]) else value
        if not isinstance(items, list):
            raise Misfit(f"{shown(value)} is not {words_for(hint)}.")
        return tuple(_inside(item, inner[0], index) for index, item in enumerate(items))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise Misfit(f"{shown(value)} is not {words_for(hint)}.{_hint(value, hint)}")
    return value


def from_text(text: str, hint: Any) -> Any:
    """What a ${NAME} gave, as the number or truth value that `hint` may want; else the text."""
    kinds = _flat(hint)
    if str in kinds or not isinstance(text, str):
        return text
    if bool in kinds and text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        if kind in kinds and _would_do(text, kind):
            return kind(text)
    return text


def _one_of(value: Any, choices: tuple[Any, ...], hint: Any) -> Any:
    misfits = []
    for choice in choices:
        if choice is type(None) or get_origin(choice) is Callable:  # only Python has them
            continue
        try:
            return conform(value, choice)
        except Misfit as misfit:
            misfits.append(misfit)
    if len(misfits) == 1 or any(misfit.path for misfit in misfits):
        raise max(misfits, key=lambda misfit: len(misfit.path))
    raise Misfit(f"{shown(value)} is not {words_for(hint)}.")


def _inside(value: Any, hint: Any, name: str | int) -> Any:
    try:
        return conform(value, hint)
    except Misfit as misfit:
        raise Misfit(str(misfit), (name, *misfit.path)) from misfit


def _key(key: str, hint: Any) -> Any:
    """TOML has keys of text only; a status code is a number."""
    if hint is not int:
        return key
    if not (key.isascii() and key.isdigit()) or len(key) > 9:
        raise Misfit(f"{key!r} is not a whole number.", (key,))
    return int(key)


def _flat(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _hint(value: Any, hint: Any) -> str:
    if isinstance(value, str) and hint in (int, float, bool) and _would_do(value, hint):
        return " Leave out the quotes."
    return " Put it in quotes." if hint is str and isinstance(value, int | float) else ""


def _would_do(text: str, hint: Any) -> bool:
    if hint is bool:
        return text in ("true", "false")
    try:
        hint(text)
    except ValueError:
        return False
    return True


def words_for(hint: Any) -> str:
    """What a value has to be, in words."""
    simple = {
        str: "text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
    }
    if hint in simple:
        return simple[hint]
    inner = [arg for arg in get_args(hint) if arg is not type(None) and get_origin(arg) is not Callable]
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(words_for(arg) for arg in inner)
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(shown(choice) for choice in inner)
    if get_origin(hint) is not None and issubclass(get_origin(hint), Mapping):
        return "a table"
    return f"an array, [ … ], each item {words_for(inner[0])}"


def shown(value: Any) -> str:
    """A value as TOML has it, shortened."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "an array"
        case str() if len(value) > 60:
            return repr(value[:57] + "…")
    return repr(value) if isinstance(value, str | int | float) else str(value)


def bytes_of(value: Any) -> int:
    """65536 or "64k". Raises Misfit."""
    if isinstance(value, str):
        try:
            return size(value)
        except ValueError as error:
            raise Misfit(str(error)) from error
    number: int = conform(value, int)
    if number < 0:
        raise Misfit(f"{number} is less than nothing.")
    return number
