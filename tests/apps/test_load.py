"""From a specification to an application, and what a person is told who mistypes it."""

import pytest

from pronghorn.apps.load import load
from pronghorn.errors import ApplicationLoadError
from tests.modules import Write

APP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
"""


def refusal(spec: str) -> str:
    with pytest.raises(ApplicationLoadError) as caught:
        load(spec)
    text = str(caught.value)
    assert text.startswith("Error: ") and 2 <= len(text.splitlines()) <= 6
    assert caught.value.exit_code == 3
    assert "pronghorn/" not in caught.value.where and "importlib" not in caught.value.where
    return text


# What loads


def test_module_and_callable(write: Write) -> None:
    write("shop_a", APP)
    assert load("shop_a:app").__name__ == "app"


def test_a_dotted_module_and_a_dotted_attribute(write: Write) -> None:
    write("shop_b.wsgi", APP + "class site:\n    class inner:\n        wsgi_app = staticmethod(app)\n")
    assert load("shop_b.wsgi:site.inner.wsgi_app").__name__ == "app"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("create_app()", "() {}"),
        ('create_app("x", debug=True)', "('x',) {'debug': True}"),
        ("create_app([1, 2], {'a': None}, key=-1.5)", "([1, 2], {'a': None}) {'key': -1.5}"),
        ("Site.create_app(1)", "(1,) {}"),
    ],
)
def test_factories_with_literal_arguments(call: str, arguments: str, write: Write) -> None:
    write(
        "shop_c",
        APP
        + "def create_app(*a, **k):\n    app.got = f'{a} {k}'\n    return app\n"
        + "class Site:\n    create_app = staticmethod(create_app)\n",
    )
    assert load(f"shop_c:{call}").got == arguments  # type: ignore[attr-defined]


@pytest.mark.parametrize(("names", "wanted"), [("application app", "application"), ("app other", "app")])
def test_a_bare_module_is_tried_for_application_then_app(names: str, wanted: str, write: Write) -> None:
    functions = "".join(f"def {name}(environ, start_response): ...\n" for name in names.split())
    write("shop_d", functions)
    assert load("shop_d").__name__ == wanted


def test_classes_instances_and_optional_arguments_are_callables_too(write: Write) -> None:
    write(
        "shop_e",
        "class A:\n    def __init__(self, environ, start_response): ...\n"
        "class B:\n    def __call__(self, environ, start_response, more=1): ...\n"
        "b = B()\ndef c(*everything): ...\n",
    )
    for name in ("A", "b", "c"):
        assert callable(load(f"shop_e:{name}"))


# What does not


@pytest.mark.parametrize("spec", ["", ":", ":app", "shop:", "shop:1", "shop:a b", "shop:a[0]", "shop:f()()", "a-b:app", "shop:f(x=open('y'))"])  # fmt: skip
def test_not_a_specification(spec: str, write: Write) -> None:
    write("shop", APP)
    text = refusal(spec)
    assert "Name it as module:callable" in text or "literals" in text


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("shop.py:app", "Did you mean `shop:app`?"),
        ("shop.py", "Did you mean `shop`?"),
        ("src/shop.py:app", "Did you mean `shop:app --chdir src`?"),
    ],
)
def test_a_path_in_place_of_a_module(spec: str, hint: str) -> None:
    assert hint in refusal(spec)


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        ("store/rel.py:app", "Did you mean `store.rel:app`?"),
        ("store/inner/rel.py", "Did you mean `store.inner.rel`?"),
        ("./store/__init__.py:app", "Did you mean `store:app`?"),
        ("src/other/rel.py:app", "Did you mean `other.rel:app --chdir src`?"),
        ("store/no/rel.py", "Did you mean `rel --chdir store/no`?"),
    ],
)
def test_a_path_into_a_package(spec: str, hint: str, write: Write) -> None:
    for package in ("store", "store.inner", "src.other"):
        write(f"{package}.__init__", "")
    assert hint in refusal(spec)


def test_a_path_within_the_package_of_the_working_directory(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("store.__init__", "").parent
    monkeypatch.chdir(path)
    assert "Did you mean `store.rel:app --chdir ..`?" in refusal("rel.py:app")
    assert f"Did you mean `store.rel --chdir {path.parent}`?" in refusal(f"{path}/rel.py")


@pytest.mark.parametrize("spec", ["site.toml", "conf/site.toml"])
def test_a_configuration_file_in_place_of_a_module(spec: str) -> None:
    assert f"Did you mean `--config {spec}`?" in refusal(spec)


def test_module_not_found_suggests_the_nearest(write: Write) -> None:
    path = write("bookshop", APP)
    text = refusal("bokshop:app")
    assert "no module named 'bokshop'" in text and "Did you mean `bookshop`?" in text
    assert str(path.parent) in text


def test_module_not_found_in_a_package_suggests_the_nearest(write: Write) -> None:
    path = write("shop_f.__init__", "")
    write("shop_f.wsgi", APP)
    text = refusal("shop_f.wsgy:app")
    assert "no module named 'shop_f.wsgy'" in text and "Did you mean `shop_f.wsgi`?" in text
    assert str(path) in text


def test_the_package_of_a_module_not_found(write: Write) -> None:
    write("storefront.wsgi", APP)
    assert "Did you mean `storefront.wsgi`?" in refusal("storefrnt.wsgi:app")


@pytest.mark.parametrize("spec", ["storefrnt.wsgi:app", "storefront_a.wsgi:app"])
def test_only_what_is_there_as_a_whole_is_suggested(spec: str, write: Write) -> None:
    write("storefront.views", APP)
    text = refusal(spec)
    assert "mean" not in text and "--chdir DIR" in text
    write("storefrontal.wsgi", APP)  # less like it, but it has such a module
    assert "Did you mean `storefrontal.wsgi`?" in refusal(spec)


@pytest.mark.parametrize("spec", ["wsgirf:app", "wsgi:app", "wsgirf.util:app", "jsn"])
def test_no_module_of_python_is_suggested(spec: str, write: Write) -> None:
    text = refusal(spec)
    assert "`wsgiref" not in text and "`json" not in text


def test_a_dot_in_place_of_a_colon(write: Write) -> None:
    write("shop_g", APP)
    assert "Did you mean `shop_g:app`?" in refusal("shop_g.app")


def test_an_import_in_the_users_code_is_told_apart(write: Write) -> None:
    path = write("shop_h", "import os\n\nimport flsk_missing.views\n" + APP)
    text = refusal("shop_h:app")
    assert "shop_h imports 'flsk_missing', which cannot be found" in text
    assert f"File {path}, line 3: import flsk_missing.views" in text
    assert "Install 'flsk_missing'" in text


def test_a_user_module_that_imports_itself_under_a_wrong_name(write: Write) -> None:
    path = write("shop_i", "from shop_i.nothing import x\n")
    assert f"File {path}, line 1" in refusal("shop_i:app")


def test_a_name_that_cannot_be_imported(write: Write) -> None:
    path = write("shop_j", "from os import nothing_like_it\n")
    text = refusal("shop_j:app")
    assert "ImportError" in text and f"File {path}, line 1" in text


@pytest.mark.parametrize("where", ["shop_k", "shop_k_views"])
def test_syntax_error(where: str, write: Write) -> None:
    write("shop_k", "import shop_k_views\n")
    path = write(where, "x = 1\ndef broken(:\n    pass\n")
    text = refusal("shop_k:app")
    assert "syntax error: invalid syntax" in text
    assert f"File {path}, line 2: def broken(:" in text


def test_exception_while_importing_names_the_users_line_not_the_librarys(write: Write) -> None:
    path = write("shop_l", "import json\n\nCONFIG = json.loads('{')\n" + APP)
    text = refusal("shop_l:app")
    assert "shop_l raised JSONDecodeError" in text and "while it was imported" in text
    assert f"File {path}, line 3: CONFIG = json.loads('{{')" in text
    assert "--log-level debug" in text


def test_an_exceptions_text_of_many_lines_stays_one(write: Write) -> None:
    write("shop_m", "TEXT = 'first\\x1b[31m\\n' + 'second\\n' * 50\nraise RuntimeError(TEXT)\n")
    text = refusal("shop_m:app")
    assert "first?[31m" in text and "second" not in text


def test_an_exception_that_is_no_exception(write: Write) -> None:
    path = write("shop_m2", "class Stop(BaseException): pass\nraise Stop('no more')\n")
    assert f"File {path}, line 2" in refusal("shop_m2")
    write("shop_m3", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):  # somebody at the terminal
        load("shop_m3")


def test_system_exit_while_importing(write: Write) -> None:
    path = write("shop_n", "import sys\nsys.exit('bye')\n")
    text = refusal("shop_n:app")
    assert "called sys.exit('bye')" in text and f"File {path}, line 2" in text and "__main__" in text


def test_attribute_missing_suggests_the_nearest(write: Write) -> None:
    path = write("shop_o", APP)
    text = refusal("shop_o:ap")
    assert "has no attribute 'ap'" in text and "Did you mean `app`?" in text and str(path) in text


def test_attribute_missing_with_nothing_near_suggests_the_usual_name(write: Write) -> None:
    write("shop_p", APP)
    assert "Did you mean `app`?" in refusal("shop_p:wsgi_handler")


def test_bare_module_without_either_name(write: Write) -> None:
    write("shop_q", APP.replace("app", "handler"))
    text = refusal("shop_q")
    assert "neither `application` nor `app`" in text and "`shop_q:handler`" in text


def test_not_callable(write: Write) -> None:
    path = write("shop_r", "app = 'text'\n")
    text = refusal("shop_r:app")
    assert "is a str, which is not callable" in text and str(path) in text


def test_a_factory_without_its_parentheses(write: Write) -> None:
    write("shop_s", "def create_app(): ...\n")
    assert 'call it: "shop_s:create_app()"' in refusal("shop_s:create_app")


@pytest.mark.parametrize("definition", ["async def app(scope, receive, send): ...", "class A:\n    async def __call__(self, scope, receive, send): ...\napp = A()"])  # fmt: skip
def test_asgi(definition: str, write: Write) -> None:
    write("shop_t", definition)
    assert "ASGI" in refusal("shop_t:app")


def test_parentheses_after_what_is_no_factory(write: Write) -> None:
    write("shop_u", "app = 1\n")
    assert "cannot be called" in refusal("shop_u:app()")


def test_a_factory_that_raises(write: Write) -> None:
    path = write("shop_v", "def create_app():\n    return {}['SECRET']\n")
    text = refusal("shop_v:create_app()")
    assert "shop_v:create_app() raised KeyError: 'SECRET' when it was called" in text
    assert f"File {path}, line 2" in text


def test_a_factory_with_the_wrong_arguments(write: Write) -> None:
    path = write("shop_w", "def create_app(name): ...\n")
    text = refusal("shop_w:create_app()")
    assert "cannot be called like this" in text and "name" in text and str(path) in text


def test_a_factory_that_returns_none(write: Write) -> None:
    write("shop_x", "def create_app(): ...\n")
    assert "shop_x:create_app() returned None, which is not callable" in refusal("shop_x:create_app()")
