"""Every key that tomllib finds has a line, and the right one."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.config.lines import Path, lines_of

TEXT = '''\
a = 1
"b c".d = """x
y = 2 # no key
\\""" [no.table]
"""
e.'f.g' = \'\'\'
[no]
\'\'\' # yes

[apps . api] # [no]
use = 'x' # y = 3
options = { a = 1, b = [1,
  2, "]"], c.d = { e = 5 } }

[[route]]
date = 1979-05-27 07:32:00
[[ "route" ]]
middleware = [
  "a", # b
  { use = "b", options = {} },
  [],
]
[route.cache]
"*.js" = -3.5e7
[[route.sub]]
x = 1
[[route.sub]]
x = """"quoted""""
'''
EXPECTED = {
    ("a",): 1,
    ("b c",): 2,
    ("b c", "d"): 2,
    ("e",): 6,
    ("e", "f.g"): 6,
    ("apps",): 10,
    ("apps", "api"): 10,
    ("apps", "api", "use"): 11,
    ("apps", "api", "options"): 12,
    ("apps", "api", "options", "a"): 12,
    ("apps", "api", "options", "b"): 12,
    ("apps", "api", "options", "b", 0): 12,
    ("apps", "api", "options", "b", 1): 13,
    ("apps", "api", "options", "b", 2): 13,
    ("apps", "api", "options", "c"): 13,
    ("apps", "api", "options", "c", "d"): 13,
    ("apps", "api", "options", "c", "d", "e"): 13,
    ("route",): 15,
    ("route", 0): 15,
    ("route", 0, "date"): 16,
    ("route", 1): 17,
    ("route", 1, "middleware"): 18,
    ("route", 1, "middleware", 0): 19,
    ("route", 1, "middleware", 1): 20,
    ("route", 1, "middleware", 1, "use"): 20,
    ("route", 1, "middleware", 1, "options"): 20,
    ("route", 1, "middleware", 2): 21,
    ("route", 1, "cache"): 23,
    ("route", 1, "cache", "*.js"): 24,
    ("route", 1, "sub"): 25,
    ("route", 1, "sub", 0): 25,
    ("route", 1, "sub", 0, "x"): 26,
    ("route", 1, "sub", 1): 27,
    ("route", 1, "sub", 1, "x"): 28,
}


def paths_of(value: Any, path: Path = ()) -> set[Path]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    found = {path} if path else set()
    return found.union(*(paths_of(item, (*path, name)) for name, item in items))


def test_each_key_and_its_line() -> None:
    assert lines_of(TEXT) == EXPECTED


def test_they_are_those_of_tomllib() -> None:
    assert paths_of(tomllib.loads(TEXT)) == set(EXPECTED)


def test_the_end_may_lack_its_line_end() -> None:
    assert lines_of("a = 1 # x") == {("a",): 1}
    assert lines_of("") == {} == lines_of("# nothing")


NAMES = st.sampled_from(["a", "b-c", '"d.e"', "'f = g'", '"[h]"'])
VALUES = st.recursive(
    st.sampled_from(
        ["1", "true", '"x # y"', "'a\"b'", '"""\n[a]\n"""', "'''\nb = 2'''", "[ ]", "{}", '"\\""', "1.5e3"]
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # no\n".join(items) + "\n]"),
        st.lists(st.tuples(NAMES, inner), max_size=3, unique_by=lambda pair: pair[0]).map(
            lambda pairs: "{ " + ", ".join(f"{name} = {value}" for name, value in pairs) + " }"
        ),
    ),
    max_leaves=6,
)
STATEMENTS = st.one_of(
    st.tuples(NAMES, VALUES).map(" = ".join),
    st.tuples(NAMES, NAMES, VALUES).map(lambda parts: f"{parts[0]}.{parts[1]} = {parts[2]}"),
    NAMES.map(lambda name: f"[t.{name}]"),
    NAMES.map(lambda name: f"[[s.{name}]]"),
    st.just("# comment = 1"),
)


@given(st.lists(STATEMENTS, max_size=8))
def test_whatever_tomllib_reads(statements: list[str]) -> None:
    text = "\n".join(statements)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = lines_of(text)
    assert set(lines) == paths_of(parsed)
    for path, line in lines.items():
        if isinstance(path[-1], str):
            assert path[-1] in text.split("\n")[line - 1]


@pytest.mark.parametrize(
    "text", ["[", "[[a", "a", "a =", "a = [", "a = {", 'a = "', "a = {b", "= =", "]", ". = 1", "a.\nb"]
)
def test_it_ends_where_there_is_no_toml(text: str) -> None:
    lines_of(text)
