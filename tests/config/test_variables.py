"""`${NAME}` in a text: what each form means, and that every text can be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pronghorn.config.variables import Unfilled, filled, written

ENVIRON = {"A": "a", "B": "b", "EMPTY": "", "INNER": "${A}", "BRACE": "}"}

MEANINGS = {
    "${A}": "a",
    "x${A}y${B}z": "xaybz",
    "${EMPTY}": "",
    "${A:-x}": "a",
    "${EMPTY:-x}": "x",
    "${NO:-x}": "x",
    "${NO:-}": "",
    "${NO:-:-}": ":-",
    "${NO:-a b/c:1}": "a b/c:1",
    # A default with variables
    "${NO:-${A}}": "a",
    "${NO:-<${NONE:-${B}}>}": "<b>",
    "${NO:-${A}${B}}!": "ab!",
    "${A:-${NONE}}": "a",  # what is not needed is not missed
    "${A:-${NO:-${NONE}}}": "a",
    "${NO:-{}": "{",
    "${NO:-{}}": "{}",  # the first brace ends the default, the second stands for itself
    # Values are not looked into
    "${INNER}": "${A}",
    "${NO:-${INNER}}": "${A}",
    "${NO:-${BRACE}x}": "}x",
    # Dollar signs
    "$${A}": "${A}",
    "$$${A}": "$a",
    "$$$${A}": "$${A}",
    "$$$$${A}": "$$a",
    "$${A:-${B}}": "${A:-b}",
    "${NO:-$${A}": "${A",
    "$A $ $$ $$$ 100 % $path": "$A $ $$ $$$ 100 % $path",
    "{}} $}{": "{}} $}{",
    "": "",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_it_means(text: str) -> None:
    assert filled(text, ENVIRON) == MEANINGS[text]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${}", "'${}' names no variable"),
        ("x${1A}y", "'${1A}' names no variable"),
        ("${A B}", "'${A B}' names no variable"),
        ("${A-x}", "'${A-x}' names no variable"),
        ("${A", "'${A' names no variable"),
        ("$${A}${A", "'${A' names no variable"),
        ("${A:-${}}", "'${}' names no variable"),
        ("x${A:-${B}", "'x${A:-${B}' has a default without its closing brace"),
        ("${NO}", "The environment has no NO."),
        ("${NO:-${NONE}}", "The environment has no NONE."),
        ("${EMPTY:-${NONE}}", "The environment has no NONE."),
    ],
)
def test_it_is_refused(text: str, said: str) -> None:
    with pytest.raises(Unfilled) as caught:
        filled(text, ENVIRON)
    assert said in str(caught.value)
    assert caught.value.missing in said


def test_depth_costs_no_stack() -> None:
    deep = 50_000
    assert filled("${NO:-" * deep + "x" + "}" * deep, {}) == "x"


@given(st.text("${}A:-x\n"))
def test_every_text_can_be_written(text: str) -> None:
    assert filled(written(text), {}) == text


@given(st.text("${}A:-x"), st.dictionaries(st.sampled_from("AX"), st.text("${}A")))
def test_a_text_is_filled_or_refused(text: str, environ: dict[str, str]) -> None:
    try:
        filled(text, environ)
    except Unfilled as error:
        assert str(error)
