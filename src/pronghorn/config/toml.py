"""Values as TOML has them: for `pronghorn config`, whose output is a configuration file again."""

import json
import re
from collections.abc import Mapping
from typing import Any

from pronghorn.config.variables import written

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def key(name: str) -> str:
    """As it stands before the equals sign or within brackets."""
    return name if _BARE.fullmatch(name) else text(name)


def text(value: str) -> str:
    """A basic string. What UTF-8 lacks becomes a question mark."""
    whole = value.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def comment(text: str) -> str:
    """Behind a value; what cannot stand on a line of UTF-8 becomes a question mark."""
    return "# " + "".join(sign if sign.isprintable() else "?" for sign in text)


def value(item: Any, *, literal: bool) -> str:
    """On one line. literal: a `${` in it means itself, so it has to be written as `$${`."""
    match item:
        case bool():
            return str(item).lower()
        case str():
            return text(written(item) if literal else item)
        case Mapping():
            pairs = (f"{key(str(name))} = {value(inner, literal=literal)}" for name, inner in item.items())
            return f"{{ {', '.join(pairs)} }}" if item else "{}"
        case list() | tuple():
            return f"[{', '.join(value(inner, literal=literal) for inner in item)}]"
    return str(item)  # numbers, dates
