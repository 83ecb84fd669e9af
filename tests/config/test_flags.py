"""The command line as typed."""

import pytest

from pronghorn.config.elsewhere import INSTEAD
from pronghorn.config.flags import COMMANDS, read
from pronghorn.config.settings import all_options, flag_of
from pronghorn.errors import UsageError


def refusal(*arguments: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(arguments)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) <= 6
    return str(caught.value)


@pytest.mark.parametrize("flag", ["--app-x", "--environment-x", "--hocus", "--ad"])
def test_a_flag_that_is_like_none_is_not_said_to_be_one(flag: str) -> None:
    assert "mean" not in refusal("shop:app", flag)


def test_what_is_said_of_other_servers_flags_is_about_no_flag_of_ours() -> None:
    ours = {flag for _, declared, about in all_options() for flag in (*about.flags, flag_of(declared.name))}
    assert ours.isdisjoint(INSTEAD)
    said = {word.rstrip(".,:") for text in INSTEAD.values() for word in text.split() if word[:2] == "--"}
    assert said - ours == {"--json`"}


def test_as_gunicorns_users_type_it() -> None:
    typed = (
        "shop.wsgi:application -b :1 --bind=localhost:8051 --threads 4 --backlog 64 --keep-alive 5"
        " --graceful-timeout 10 --access-logfile - --error-logfile x --log-level debug -e A=1 --env B=2"
        " --chdir d --pythonpath a,b --limit-request-line 4094 --limit-request-fields 90"
    )
    line = read(typed.split())
    assert line.spec == "shop.wsgi:application"
    assert line.given == {
        "bind": [":1", "localhost:8051"],
        "threads": "4",
        "backlog": "64",
        "keep_alive": "5",
        "graceful_timeout": "10",
        "access_logfile": "-",
        "error_logfile": "x",
        "log_level": "debug",
        "env": ["A=1", "B=2"],
        "chdir": "d",
        "pythonpath": ["a,b"],
        "limit_request_line": "4094",
        "limit_request_fields": "90",
    }
    assert not line.check_config
    assert read(["--log-file", "y", "x"]).given == {"error_logfile": "y"}


def test_every_option_is_a_flag() -> None:
    for _, declared, _ in all_options():
        value = [] if declared.type is bool else ["1"]
        assert declared.name in read(["x", flag_of(declared.name), *value]).given


def test_flags_may_stand_anywhere() -> None:
    assert read(["--threads", "2", "x", "--check-config"]) == read(["x", "--check-config", "--threads=2"])


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("--thread 2", "Did you mean --threads?"),
        ("--bnid=:80", "Did you mean --bind?"),
        ("--keepalive 2", "Did you mean --keep-alive?"),
        ("--reloaded-often", "There is no option --reloaded-often."),
        ("--host localhost", "Write --bind HOST:PORT."),
        ("--port=80", "Write --bind HOST:PORT."),
        ("-k gthread", "--threads COUNT, --workers COUNT"),
        ("--worker-class gthread", "--threads COUNT, --workers COUNT"),
        ("--daemon", "docs/deploy.md"),
        ("--certfile x", "a proxy in front"),
        ("--json", "`pronghorn config --json`"),
        ("--threads", "expected one argument"),
        ("other:app", "'other:app' is a second one"),
    ],
)
def test_a_flag_mistyped(typed: str, hint: str) -> None:
    assert hint in refusal("x", *typed.split())


def test_no_application() -> None:
    """The file may have routes, so it is for config/command.py to complain."""
    assert read([]).spec == ""


def test_no_abbreviations() -> None:
    refusal("x", "--access-logfil", "-")


def test_help_shows_every_option_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        read(["--help"])
    assert not caught.value.code
    text = capsys.readouterr().out
    assert [
        flag_of(declared.name) for _, declared, _ in all_options() if flag_of(declared.name) not in text
    ] == []
    assert "Default: 64k" in text and "%(h)s" in text and "%%" not in text


class TestCommands:
    def test_the_first_argument_may_be_one(self) -> None:
        line = read(["check", "shop:app", "--threads", "2"])
        assert (line.command, line.spec, line.given) == ("check", "shop:app", {"threads": "2"})
        assert (read(["routes"]).command, read(["routes"]).spec) == ("routes", "")
        assert read(["config", "--json"]).json and not read(["config"]).json
        assert read(["static", "dist", "-b", ":1"]).directory == "dist"
        assert read(["compress", "dist"]).directory == "dist"
        assert read(["schema"]).command == "schema"

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_module_of_that_name(self, command: str) -> None:
        line = read([f"{command}:app"])
        assert (line.command, line.spec) == ("", f"{command}:app")
        assert f"served as {command}:application" in refusal("--threads", "2", command)

    @pytest.mark.parametrize(
        ("typed", "hint"),
        [
            ("static", "required: DIR"),
            ("compress", "required: DIR"),
            ("static a b", "pronghorn static does not take 'b' too"),
            ("schema --threads 2", "There is no option --threads"),
            ("compress a --thread 2", "There is no option --thread"),
            ("routes --check-config", "There is no option --check-config"),
            ("check --json", "There is no option --json"),
            ("config --jsn", "Did you mean --json?"),
            ("--confg x", "Did you mean --config?"),
        ],
    )
    def test_mistyped(self, typed: str, hint: str) -> None:
        assert hint in refusal(*typed.split())

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_has_its_help(self, command: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            read([command, "--help"])
        assert not caught.value.code
        text = capsys.readouterr().out
        assert text.startswith(f"usage: pronghorn {command}")
        assert ("--threads" in text) is (command not in ("compress", "schema"))

    def test_help_lists_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            read(["--help"])
        text = capsys.readouterr().out
        assert [name for name in COMMANDS if f"\n  pronghorn {name} " not in text] == []
