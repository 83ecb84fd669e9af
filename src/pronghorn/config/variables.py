"""`${NAME}` in a text of the configuration file.

${NAME}            the variable; an error where the environment lacks it
${NAME:-default}   the default where it is missing or empty; it may hold variables, which count only then
$${                a plain ${. Before a brace, two dollar signs stand for one: $$${NAME} is $ and the variable
"""

import re
from collections.abc import Mapping

_SIGN = re.compile(r"(\$+)\{|\}")
_NAMED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\}|:-)")
_DOLLARS = re.compile(r"(\$+)\{")


class Unfilled(ValueError):
    """It is said wrongly; or the environment has no `missing`."""

    def __init__(self, what: str, missing: str = "") -> None:
        super().__init__(what)
        self.missing = missing


def filled(text: str, environ: Mapping[str, str]) -> str:
    """The text with its variables' values, which are not looked into again. Raises Unfilled."""
    waiting: list[tuple[str, list[str]]] = []  # whose default is being read: its value, what came before it
    parts: list[str] = []
    at = 0
    for sign in _SIGN.finditer(text):
        if sign.start() < at:  # the brace behind a name
            continue
        parts.append(text[at : sign.start()])
        at = sign.end()
        if sign[1] is None:
            if waiting:
                value, before = waiting.pop()
                before.append(value or "".join(parts))
                parts = before
            else:
                parts.append("}")
            continue
        pairs, single = divmod(len(sign[1]), 2)
        parts.append("$" * pairs + ("" if single else "{"))
        if not single:
            continue
        named = _NAMED.match(text, at)
        if named is None:
            raise Unfilled(f"{_shown(text, at)!r} names no variable.")
        name, at = named[1], named.end()
        if named[2] == ":-":
            waiting.append((environ.get(name, ""), parts))
            parts = []
        elif name in environ or any(value for value, _ in waiting):
            parts.append(environ.get(name, ""))
        else:
            raise Unfilled(f"The environment has no {name}.", name)
    if waiting:
        raise Unfilled(f"{text!r} has a default without its closing brace.")
    return "".join([*parts, text[at:]])


def written(text: str) -> str:
    """What `filled` makes this text from."""
    return _DOLLARS.sub(lambda found: found[1] * 2 + "{", text)


def _shown(text: str, at: int) -> str:
    end = text.find("}", at)
    return text[at - 2 : end + 1 if end >= 0 else len(text)]
