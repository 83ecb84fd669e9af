"""Fixtures that several folders use."""

from tests.modules import write

__all__ = ["write"]
