"""Flags before variables before the platform before defaults; values and their texts."""

from typing import Any

import pytest

from pronghorn.config import sources
from pronghorn.config.settings import Settings, all_options, flag_of, variable_of
from pronghorn.config.sources import from_environment, from_flags, from_platform, from_python, merge, size
from pronghorn.errors import ConfigError, UsageError


def merged(flags: dict[str, Any], environ: dict[str, str]) -> Settings:
    return merge([from_flags(flags), from_environment(environ), from_platform(environ)])


def test_defaults() -> None:
    settings = merged({}, {})
    assert settings == Settings()
    assert settings.listen.bind == ("127.0.0.1:8000",) and settings.origins == {}


def test_a_flag_counts_more_than_a_variable() -> None:
    settings = merged({"threads": "2"}, {"PRONGHORN_THREADS": "3", "PRONGHORN_BACKLOG": "4"})
    assert (settings.serve.threads, settings.listen.backlog) == (2, 4)
    assert settings.origins == {"threads": "--threads", "backlog": "PRONGHORN_BACKLOG"}


def test_port_counts_where_no_address_is_given() -> None:
    assert merged({}, {"PORT": "81"}).listen.bind == ("0.0.0.0:81",)
    assert merged({}, {"PORT": ""}).listen.bind == ("127.0.0.1:8000",)
    assert merged({}, {"PORT": "81", "PRONGHORN_BIND": ":82"}).listen.bind == (":82",)
    assert merged({"bind": [":83"]}, {"PORT": "81"}).listen.bind == (":83",)


@pytest.mark.parametrize("port", ["http", "-1", "65536", "9" * 5000, "8000 "])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(ConfigError, match="PORT") as caught:
        from_platform({"PORT": port})
    assert caught.value.exit_code == 5


def test_web_concurrency_is_the_number_of_workers() -> None:
    assert sources.merge([sources.from_platform({"WEB_CONCURRENCY": "3"})]).process.workers == 3
    with pytest.raises(ConfigError, match="WEB_CONCURRENCY: 'many'"):
        sources.from_platform({"WEB_CONCURRENCY": "many"})


def test_repeatable_options() -> None:
    settings = merged({"bind": [":1", "unix:a b"]}, {"PRONGHORN_ENV": "A=1 'B=2 3'"})
    assert settings.listen.bind == (":1", "unix:a b")
    assert settings.app.env == ("A=1", "B=2 3")


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("65536", 65536), ("64k", 65536), ("1M", 1 << 20), ("2g", 2 << 30)]
)
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["", "k", "-1", "1.5m", "1 k", "64kb", "0x10", "1_000", "٣", "9" * 5000])
def test_not_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        size(text)


BAD = [
    ("threads", "two"),
    ("threads", "1.5"),
    ("threads", ""),
    ("keep_alive", "soon"),
    ("keep_alive", "nan"),
    ("keep_alive", "1e3"),
    ("limit_request_body", "big"),
    ("log_level", "loud"),
    ("bind", "::1"),
    ("env", "NAME"),
    ("env", "=x"),
    ("access_logformat", "%(zz)s"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_flag_is_a_usage_error_that_names_the_flag(name: str, text: str) -> None:
    with pytest.raises(UsageError, match=f"^Error: {flag_of(name)}: ") as caught:
        from_flags({name: [text]})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_bad_variable_is_a_config_error_that_names_the_variable(name: str, text: str) -> None:
    if not text:
        text = "''"
    with pytest.raises(ConfigError, match=f"^Error: {variable_of(name)}: ") as caught:
        from_environment({variable_of(name): text})
    assert caught.value.exit_code == 5


def test_an_unbalanced_quote_in_a_variable() -> None:
    with pytest.raises(ConfigError, match="PRONGHORN_BIND"):
        from_environment({"PRONGHORN_BIND": "':80"})


def test_a_misspelt_choice_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'debug'"):
        from_flags({"log_level": "debgu"})


def test_python_options_take_values_as_they_are() -> None:
    settings = merge([from_python({"bind": [":1", ":2"], "threads": 3, "keep_alive": 2.5, "env": "A=1"})])
    assert settings.listen.bind == (":1", ":2")
    assert (settings.serve.threads, settings.serve.keep_alive, settings.app.env) == (3, 2.5, ("A=1",))


def test_an_unknown_python_option_is_a_type_error_with_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'threads'"):
        from_python({"thread": 3})


def test_a_bad_python_value() -> None:
    with pytest.raises(ConfigError, match="threads"):
        from_python({"threads": "many"})


def test_every_option_has_its_own_name_and_a_sentence_of_help() -> None:
    names = [declared.name for _, declared, _ in all_options()]
    assert len(names) == len(set(names)) > 15
    assert [
        name for (_, _, about), name in zip(all_options(), names, strict=True) if about.help[-1] != "."
    ] == []


def test_every_default_survives_its_own_text() -> None:
    for _, declared, about in all_options():
        value = declared.default
        texts = list(value) if about.repeat else [str(value)]
        assert sources.parse(declared, about, texts) == value
