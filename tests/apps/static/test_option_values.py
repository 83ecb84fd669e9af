"""Values of StaticOptions that could only do harm: refused with a sentence, before anything is served."""

from typing import Any

import pytest

from pronghorn.apps.static.options import StaticOptions
from pronghorn.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("immutable_file_test", "([", "no regular expression"),
        ("headers", {"*": {"X-A": "a\r\nX-B: b"}}, "line break"),
        ("headers", {"*": {"X A": "a"}}, "not the name of a field"),
        ("headers", {"*": {"Content-Length": "3"}}, "the server's own"),
        ("mimetypes", {".foo": "foo"}, "not a media type"),
        ("mimetypes", {".foo": "text/x\n"}, "line break"),
        ("charset", "utf-8\r\nX: y", "line break"),
        ("max_age", -3, "negative"),
        ("max_age", True, "seconds or None"),
        ("cache", {"*.js": "no-cache\r\nX-Evil: 1"}, "line break"),
        ("cache", {"*.js": "max-age=\u20ac"}, "cannot stand in a field"),
        ("cache", {"*.js": "\u0663"}, "cannot stand in a field"),
        ("cache", {"*.js": -5}, "neither a number of seconds"),
        ("cache", {"*.js": "-5"}, "neither a number of seconds"),
        ("cache", {"*.js": " -5"}, "neither a number of seconds"),
        ("cache", {"*.js": True}, "neither a number of seconds"),
        ("cache", {"*.js": 1.5}, "neither a number of seconds"),
        ("cache_entries", -1, "negative"),
        ("error_pages", {999: "/404.html"}, "no status of an error"),
    ],
)
def test_what_could_only_do_harm_is_refused(name: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        StaticOptions(**{name: value})


def test_what_is_in_order_is_taken() -> None:
    StaticOptions(
        immutable_file_test=r"\.[0-9a-f]{8}\.",
        headers={"*.js": {"X-A": "b"}},
        mimetypes={".foo": "text/x-foo; charset=utf-8"},
        error_pages={404: "/404.html"},
        max_age=None,
        cache={"a": 0, "b": "3600", "c": "immutable", "d": "private, max-age=60", "e": "", "f": "new-one"},
    )
