"""Fixtures that several folders use, and what is left out where modules are compiled."""

import pytest

from pronghorn.cli import compiled_modules
from tests.modules import write

__all__ = ["write"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`source`: tests that look into a class in a way which compiled ones do not allow."""
    if compiled_modules():
        left_out = [item for item in items if item.get_closest_marker("source")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
