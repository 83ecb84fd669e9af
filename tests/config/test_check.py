"""Ranges and combinations."""

from pathlib import Path

import pytest

from pronghorn.config.check import RANGES, check
from pronghorn.config.settings import all_options
from pronghorn.config.sources import from_environment, from_flags, merge
from pronghorn.errors import ConfigError


def refusal(**flags: str | list[str]) -> str:
    with pytest.raises(ConfigError) as caught:
        check(merge([from_flags(flags)]))
    assert caught.value.exit_code == 5
    assert len(str(caught.value).splitlines()) <= 6
    return str(caught.value)


def test_the_defaults_are_fine() -> None:
    check(merge([]))


def test_every_number_has_a_range_that_holds_its_default() -> None:
    numbers = {
        declared.name: declared.default for _, declared, _ in all_options() if declared.type in (int, float)
    }
    assert numbers.keys() == RANGES.keys()
    for name, default in numbers.items():
        least, most = RANGES[name]
        assert least <= default <= most


@pytest.mark.parametrize("name", RANGES)
def test_beyond_either_end(name: str) -> None:
    least, most = RANGES[name]
    flag = "--" + name.replace("_", "-")
    if least >= 1:
        assert f"{flag}: 0 is not between" in refusal(**{name: "0"})
    assert f"{flag}: " in refusal(**{name: str(int(most) + 1)})


def test_the_source_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^Error: PRONGHORN_THREADS: 0 is not between 1 and 1024"):
        check(merge([from_flags({}), from_environment({"PRONGHORN_THREADS": "0"})]))


def test_a_request_line_longer_than_the_head() -> None:
    text = refusal(limit_request_line="128k")
    assert "--limit-request-line: 131072" in text and "65536" in text
    check(merge([from_flags({"limit_request_line": "128k", "limit_request_head": "256k"})]))
    check(merge([from_flags({"limit_request_head": "8k"})]))


def test_an_address_twice() -> None:
    assert "given twice" in refusal(bind=[":80", ":80"])
    check(merge([from_flags({"bind": [":0", ":0"]})]))


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    assert "is not a directory" in refusal(chdir=str(tmp_path / "no"))
    check(merge([from_flags({"chdir": str(tmp_path)})]))


def test_the_servers_own_paths() -> None:
    assert "--metrics: 'metrics' is not a path" in refusal(metrics="metrics")
    assert "--metrics: '/x' is taken by --health" in refusal(metrics="/x", health="/x")
