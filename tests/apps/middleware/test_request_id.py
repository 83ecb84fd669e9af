"""request-id: each request has a name."""

import pytest

from pronghorn.apps.middleware.request_id import RequestId
from pronghorn.errors import ConfigError
from tests.apps.middleware.calling import App, Called


def test_a_new_one_for_each_request() -> None:
    app = App()
    made = set()
    for _ in range(100):
        called = Called(RequestId(app))
        identifier = called.one("X-Request-ID")
        assert identifier is not None and len(identifier) == 32
        assert app.seen["pronghorn.request_id"] == app.seen["HTTP_X_REQUEST_ID"] == identifier
        made.add(identifier)
    assert len(made) == 100


SANE = ["a", "0f-3A.b_c:d=+/@", "x" * 128, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]
NOT_SANE = [
    "",
    " ",
    "a b",
    "a\tb",
    "x" * 129,
    "a\nb",
    'a"b',
    "a'b",
    "<b>",
    "ä",
    "a;b",
    "a,b",
    "a\\b",
    "a\n",
    "%0a",
    "$x",
]


@pytest.mark.parametrize("given", SANE)
def test_a_sane_one_is_taken_if_it_is_trusted(given: str) -> None:
    app = App()
    assert Called(RequestId(app, trust=True), HTTP_X_REQUEST_ID=given).one("X-Request-ID") == given
    assert app.seen["pronghorn.request_id"] == given
    assert Called(RequestId(app), HTTP_X_REQUEST_ID=given).one("X-Request-ID") != given
    assert app.seen["HTTP_X_REQUEST_ID"] != given


@pytest.mark.parametrize("given", NOT_SANE)
def test_one_that_is_not_is_replaced(given: str) -> None:
    app = App()
    identifier = Called(RequestId(app, trust=True), HTTP_X_REQUEST_ID=given).one("X-Request-ID")
    assert identifier is not None and len(identifier) == 32
    assert app.seen["HTTP_X_REQUEST_ID"] == identifier


def test_the_applications_own_is_replaced() -> None:
    app = App(fields=[("Content-Type", "text/plain"), ("x-request-id", "other")])
    called = Called(RequestId(app))
    assert called.one("X-Request-ID") == app.seen["pronghorn.request_id"] != "other"
    assert app.fields[1] == ("x-request-id", "other"), "the application's list was changed"


def test_another_field() -> None:
    app = App()
    called = Called(RequestId(app, trust=True, header="X-Trace"), HTTP_X_TRACE="t1", HTTP_X_REQUEST_ID="r1")
    assert (called.one("X-Trace"), called.one("X-Request-ID")) == ("t1", None)


@pytest.mark.parametrize("header", ["", "X Y", "X:", "ü", "X\n"])
def test_no_name_of_a_field(header: str) -> None:
    with pytest.raises(ConfigError, match="not the name of a field"):
        RequestId(App(), header=header)
