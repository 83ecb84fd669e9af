"""--hooks: what loads, what is refused and how it is told, and what an exception in a hook does."""

import logging
import os
import sys
from dataclasses import FrozenInstanceError

import pytest

from pronghorn.errors import ConfigError
from pronghorn.process.hooks import HOOKS, NO_HOOKS, HookInfo, Hooks
from tests.modules import Write

INFO = HookInfo(pid=71, worker=2, generation=3)
LOG = logging.Logger("tests.hooks")  # none that a framework's dictConfig in another test could disable


def refusal(name: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        Hooks.load(name)
    assert caught.value.exit_code == 5
    assert 2 <= len(str(caught.value).splitlines()) <= 6
    return caught.value


# What runs


@pytest.mark.parametrize("name", HOOKS)
def test_each_hook_is_told_where_it_runs(name: str, write: Write) -> None:
    write(
        "hooks_a",
        f"seen = []\ndef {name}(info):\n    seen.append((info.pid, info.worker, info.generation))\n",
    )
    hooks = Hooks.load("hooks_a")
    assert [known for known in HOOKS if known in hooks] == [name]
    for each in HOOKS:
        hooks.run(each, INFO, LOG)
    assert sys.modules["hooks_a"].seen == [(71, 2, 3)]


def test_a_module_in_a_package_and_any_callable(write: Write) -> None:
    write("ops.hooks", "class Note:\n    def __call__(self, info): print(info)\npost_fork = Note()\n")
    assert "post_fork" in Hooks.load("ops.hooks")


def test_functions_of_ones_own_and_imported_ones_may_be_there(write: Write) -> None:
    write(
        "hooks_b",
        "import os\nfrom os.path import join\nfrom contextlib import ExitStack\n"
        "def connect(url): ...\ndef _postfork(info): ...\nwhen = 3\ndef post_fork(info): ...\n",
    )
    assert "post_fork" in Hooks.load("hooks_b")


def test_an_imported_hook_is_one(write: Write) -> None:
    write("shared", "def pre_exit(info): ...\n")
    write("hooks_c", "from shared import pre_exit\n")
    assert "pre_exit" in Hooks.load("hooks_c")


def test_no_hooks_do_nothing() -> None:
    for name in HOOKS:
        assert name not in NO_HOOKS
        NO_HOOKS.run(name, INFO, LOG)


def test_a_hook_that_there_is_not_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        NO_HOOKS.run("postfork", INFO, LOG)


def test_the_table_says_where_each_runs() -> None:
    assert {process for process, _ in HOOKS.values()} == {"master", "worker"}
    assert all(when.endswith(".") for _, when in HOOKS.values())


def test_what_a_hook_is_told_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        INFO.pid = 1  # type: ignore[misc]


# An exception in a hook


@pytest.mark.parametrize("raising", ["raise ValueError('no disk')", "raise SystemExit('no disk')"])
@pytest.mark.parametrize("name", [name for name in HOOKS if name != "on_starting"])
def test_an_exception_is_logged_with_its_traceback(
    name: str, raising: str, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    file = write("hooks_d", f"def {name}(info):\n    {raising}\n")
    LOG.addHandler(caplog.handler)
    Hooks.load("hooks_d").run(name, INFO, LOG)
    LOG.removeHandler(caplog.handler)
    assert f"hooks_d.{name} failed" in caplog.text
    assert f'File "{file}", line 2' in caplog.text and "no disk" in caplog.text


def test_an_exception_in_on_starting_stops_the_start(write: Write) -> None:
    file = write(
        "hooks_e", "def on_starting(info):\n    helper()\ndef helper():\n    open('/nowhere/at/all')\n"
    )
    hooks = Hooks.load("hooks_e")
    with pytest.raises(ConfigError) as caught:
        hooks.run("on_starting", INFO, LOG)
    assert "hooks_e.on_starting raised FileNotFoundError" in caught.value.what
    assert caught.value.where == f"File {file}, line 4: open('/nowhere/at/all')"
    assert isinstance(caught.value.__cause__, FileNotFoundError)


def test_ctrl_c_in_a_hook_is_no_exception_of_the_hook(write: Write) -> None:
    write("hooks_f", "def when_ready(info):\n    raise KeyboardInterrupt\n")
    hooks = Hooks.load("hooks_f")
    with pytest.raises(KeyboardInterrupt):
        hooks.run("when_ready", INFO, LOG)


# What does not load


def test_no_such_module(write: Write) -> None:
    error = refusal("hoooks")
    assert error.what == "--hooks: there is no module named 'hoooks'." and os.getcwd() in error.where
    write("ops.__init__", "")
    assert refusal("ops.hooks").what == "--hooks: there is no module named 'ops.hooks'."


@pytest.mark.parametrize(
    ("given", "hint"),
    [("hooks.py", "`--hooks hooks`"), ("ops/hooks.py", "`--hooks hooks --pythonpath ops`")],
)
def test_a_path(given: str, hint: str) -> None:
    assert hint in refusal(given).mend


@pytest.mark.parametrize("given", ["", "my-hooks", "a..b", "hooks:post_fork"])
def test_what_is_no_name(given: str) -> None:
    assert "is not the name of a module" in refusal(given).what


@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        ("import os\nimport nowhere_at_all\n", "ModuleNotFoundError: No module named 'nowhere_at_all'", 2),
        ("\n\n1 / 0\n", "ZeroDivisionError: division by zero", 3),
        ("import json\njson.loads('x')\n", "JSONDecodeError", 2),
        ("def post_fork(info):\n    return (\n", "syntax error: '(' was never closed", 2),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3", 2),
        ("raise ValueError\n", "raised ValueError.", 1),
    ],
)
def test_a_module_that_fails_names_its_line(text: str, said: str, line: int, write: Write) -> None:
    file = write("hooks_g", text)
    error = refusal("hooks_g")
    assert said in error.what
    assert error.where == f"File {file}, line {line}: {text.splitlines()[line - 1].strip()}"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("postfork", "post_fork"),
        ("PostFork", "post_fork"),
        ("on_start", "on_starting"),
        ("on_ready", "when_ready"),
        ("pre_exits", "pre_exit"),
        ("post_worker_init", "worker_ready"),
        ("worker_exit", "pre_exit"),
    ],
)
def test_a_name_that_is_nearly_a_hooks(name: str, meant: str, write: Write) -> None:
    file = write("hooks_h", f"\ndef {name}(info):\n    ...\n")
    error = refusal("hooks_h")
    assert error.what == f"hooks_h defines {name}(), which is not a hook."
    assert error.where == f"File {file}, line 2: def {name}(info):"
    assert f"Did you mean `{meant}`?" in error.mend


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("post_fork = 3", "is int, and a hook is a function"),
        ("post_fork = None", "is NoneType"),
        ("def post_fork(server, worker): ...", "cannot be called with one argument"),
        ("def post_fork(): ...", "cannot be called with one argument"),
        ("async def post_fork(info): ...", "is a coroutine function"),
    ],
)
def test_what_is_no_hook(text: str, said: str, write: Write) -> None:
    file = write("hooks_i", text + "\n")
    error = refusal("hooks_i")
    assert said in error.what and error.what.startswith("hooks_i.post_fork ")
    assert str(file) in error.where
