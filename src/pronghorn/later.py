"""Modules that a server needs rarely, or never: imported when something of them is first used.

    if TYPE_CHECKING:
        import difflib
    else:
        difflib = Later("difflib")  # only for suggestions

Each process would hold them otherwise, and each start wait for them. Not for what a request may need: an
import takes milliseconds and a descriptor, which a busy server may lack.
"""

import importlib
from typing import Any

_NAMES: list[str] = []


class Later:
    """Stands where the module of that name would. Any thread: the import has a lock of its own."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        """name: absolute, such as "urllib.parse". Nothing is looked for yet."""
        self._name = name
        _NAMES.append(name)

    def __getattr__(self, attribute: str) -> Any:
        """Raises ImportError, AttributeError."""
        return getattr(importlib.import_module(self._name), attribute)


def load_all() -> None:
    """Now, while this process may read them. Raises ImportError."""
    for name in _NAMES:
        importlib.import_module(name)
