"""Options in docs/ are those that are declared."""

from pathlib import Path

from pronghorn.config.docs import in_units, page
from pronghorn.config.settings import all_options, flag_of, variable_of
from pronghorn.config.sources import size

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_options_is_current() -> None:
    current = (DOCS / "options.md").read_text(encoding="utf-8")
    assert current == page(), "run: python -m pronghorn.config.docs > docs/options.md"


def test_it_names_every_flag_and_variable() -> None:
    text = page()
    for _, declared, _ in all_options():
        assert f"`{flag_of(declared.name)}`" in text and f"`{variable_of(declared.name)}`" in text


def test_sizes_are_shown_as_they_may_be_typed() -> None:
    for value in (1, 1000, 1024, 65536, 1 << 20, 3 << 30, (1 << 20) + 1024):
        assert size(in_units(value)) == value
