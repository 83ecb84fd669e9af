"""Options in docs/ are those that are declared."""

import re
import tomllib
from pathlib import Path

from pronghorn.apps.static.options import StaticOptions
from pronghorn.config.check import check
from pronghorn.config.composition import MIDDLEWARE
from pronghorn.config.docs import in_units, page
from pronghorn.config.file import PATHS, Found, from_file
from pronghorn.config.settings import all_options, flag_of, variable_of
from pronghorn.config.sources import merge, size
from pronghorn.config.tables import APP_KEYS, ROUTE_KEYS, STATIC_KEYS

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


class TestConfiguration:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")

    def test_it_names_every_key(self) -> None:
        stated = re.findall(r"^\| `(\w+)` \|", self.text, re.MULTILINE)
        assert stated == [*APP_KEYS, *ROUTE_KEYS, *STATIC_KEYS]

    def test_the_defaults_of_files(self) -> None:
        stated = dict(re.findall(r"^\| `(\w+)` \| `(.*?)` \| ", self.text, re.MULTILINE))
        usual = StaticOptions()
        assert {name: tomllib.loads(f"x = {value}")["x"] for name, value in stated.items()} == {
            name: list(value) if isinstance(value := getattr(usual, name), tuple) else value
            for name in STATIC_KEYS
        }

    def test_its_middlewares(self) -> None:
        assert [name for name in MIDDLEWARE if f'`"{name}"`' not in self.text] == []

    def test_its_paths(self) -> None:
        assert "`chdir`, `pythonpath`, `reload_extra_file` and `static`" in self.text
        assert {"chdir", "pythonpath", "reload_extra_file", "static"} == PATHS

    def test_the_example(self, tmp_path: Path) -> None:
        for name in ("dist", "public"):
            (tmp_path / name).mkdir()
        (example,) = re.findall(r"^```toml\n(.*?)^```", self.text, re.MULTILINE | re.DOTALL)
        (tmp_path / "pronghorn.toml").write_text(example)
        found = Found(str(tmp_path / "pronghorn.toml"), "pronghorn.toml")
        said = from_file(found, {"DB_URL": "x"})
        assert [route.path for route in said.composition.routes] == ["/static", "/api", "/"]
        check(merge([said.layer], said.composition))
