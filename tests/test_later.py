"""Modules that come when they are used (later.py)."""

import os
import sys

import pytest

from pronghorn import later
from pronghorn.assemble import parts
from pronghorn.config.settings import Settings
from pronghorn.later import Later
from pronghorn.process.options import ProcessOptions


def test_it_comes_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    colorsys = Later("colorsys")
    assert "colorsys" not in sys.modules
    assert colorsys.rgb_to_hsv(1, 1, 1) == (0.0, 0.0, 1)
    assert "colorsys" in sys.modules


def test_what_is_not_there() -> None:
    with pytest.raises(ImportError):
        _ = Later("no_such_module").name
    with pytest.raises(AttributeError):
        _ = Later("math").no_such_name


def test_all_of_them_come_before_privileges_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(later, "_NAMES", [])
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    Later("colorsys")
    parts.identity(Settings())
    assert "colorsys" not in sys.modules
    parts.identity(Settings(process=ProcessOptions(user=str(os.geteuid()))))
    assert "colorsys" in sys.modules
