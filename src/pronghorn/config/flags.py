"""The command line, from the options' declarations. This module costs the import of argparse."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import Field
from typing import Any, NamedTuple, NoReturn

from pronghorn.config.docs import TITLES, in_units
from pronghorn.config.elsewhere import INSTEAD
from pronghorn.config.settings import GROUPS, flag_of
from pronghorn.errors import UsageError
from pronghorn.option import Option, nearest, options_of

_EXAMPLE = "For example: pronghorn shop.wsgi:application --bind localhost:8051"
_HELP = "pronghorn --help lists the options."

COMMANDS = {
    "check": "check the settings, load every application, and end",
    "config": "show each value in force and where it comes from; --json for programs",
    "routes": "show hosts, paths, middleware and applications",
    "static": "serve the files of a directory: pronghorn static DIR",
    "compress": "write .zst, .br and .gz beside the files of a directory: pronghorn compress DIR",
    "schema": "print the JSON Schema of the configuration file",
}
"""The first argument alone may be one of these; a module of that name is served as `check:app`."""

_WITH_DIRECTORY = ("static", "compress")
_WITHOUT_OPTIONS = ("compress", "schema")


class CommandLine(NamedTuple):
    """What was typed. given: option name to its text, or texts where it repeats.

    spec: the application, or empty. command: one of COMMANDS, or empty. config: the file, or empty.
    """

    spec: str
    given: dict[str, str | Sequence[str]]
    check_config: bool
    config: str = ""
    command: str = ""
    directory: str = ""
    json: bool = False


class _Parser(argparse.ArgumentParser):
    """Errors are exceptions, for the one place that prints them."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", mend=_HELP)


def read(arguments: Sequence[str]) -> CommandLine:
    """Raises UsageError; SystemExit after --help."""
    command = arguments[0] if arguments and arguments[0] in COMMANDS else ""
    parser = _parser(command)
    given, unknown = parser.parse_known_args(arguments[1:] if command else arguments)
    if unknown:
        raise _unknown(parser, unknown[0], command)
    values = vars(given)
    spec = values.pop("spec", None) or ""
    if spec in COMMANDS:
        raise UsageError(
            f"The command {spec!r} stands first: pronghorn {spec} …",
            mend=f"A module of that name is served as {spec}:application.",
        )
    own = {name: values.pop(name, default) for name, default in _OWN.items()}
    values.pop("version", None)
    texts = {name: text for name, text in values.items() if text is not None}
    return CommandLine(spec, texts, command=command, **own)


_OWN: dict[str, Any] = {"check_config": False, "config": "", "directory": "", "json": False}


def no_application(where: str = "") -> UsageError:
    """To be raised: there is neither MODULE:CALLABLE nor a route. where: the file that might have had one."""
    return UsageError(
        "No application is named.",
        where=f"{where} has no [[route]]." if where else "",
        mend=f"{_EXAMPLE}\nOr write [[route]] into pronghorn.toml. {_HELP}",
    )


def _parser(command: str) -> argparse.ArgumentParser:
    parser = _Parser(
        prog=f"pronghorn {command}".strip(),
        usage=_usage(command),
        description=_description(command),
        epilog=_epilog(command),
        allow_abbrev=False,
        formatter_class=_Formatter,
    )
    if command in _WITH_DIRECTORY:
        parser.add_argument("directory", metavar="DIR", help="the directory")
    if command in _WITHOUT_OPTIONS:
        return parser
    if command not in _WITH_DIRECTORY:
        parser.add_argument(
            "spec",
            nargs="?",
            metavar="MODULE:CALLABLE",
            help='the application: shop.wsgi:application, "shop:create_app()", a module, or file.ini#name',
        )
    _add_own(parser, command)
    for group, options_class in GROUPS.items():
        section = parser.add_argument_group(TITLES[group])
        for declared, about in options_of(options_class):
            _add(section, declared, about)
    return parser


def _usage(command: str) -> str:
    if command == "schema":
        return "pronghorn schema"
    if command in _WITH_DIRECTORY:
        return f"pronghorn {command} DIR" + ("" if command in _WITHOUT_OPTIONS else " [options]")
    return (
        f"pronghorn {command} [MODULE:CALLABLE] [options]"
        if command
        else "pronghorn [MODULE:CALLABLE] [options]"
    )


def _description(command: str) -> str:
    if command:
        text = COMMANDS[command].partition(":")[0]
        return f"{text[:1].upper()}{text[1:]}."
    return (
        "Serves WSGI applications and files over HTTP/1.1: the application that is named, the routes of "
        "pronghorn.toml (or [tool.pronghorn] in pyproject.toml), or both."
    )


def _epilog(command: str) -> str:
    if command:
        return ""
    commands = "\n".join(f"  pronghorn {name:9} {text}" for name, text in COMMANDS.items())
    also = "Each option is also a variable and a key of the file: "
    also += "--keep-alive is PRONGHORN_KEEP_ALIVE and keep_alive."
    return f"Commands:\n{commands}\n\n{also}"


class _Formatter(argparse.HelpFormatter):
    """The list of commands keeps its lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(indent + line for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


def _columns() -> int:
    """Of the terminal. argparse would ask shutil, which costs each process 0.4 MB."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and len(said) < 6 and int(said):
        return int(said)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:  # no terminal
        return 80


def _add_own(parser: argparse.ArgumentParser, command: str) -> None:
    """What is no setting of the server."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        default="",
        help="the configuration file, instead of pronghorn.toml or pyproject.toml here",
    )
    if command == "config":
        parser.add_argument("--json", action="store_true", help="as JSON")
    if not command:
        parser.add_argument("--check-config", action="store_true", help="the same as `pronghorn check`")
        parser.add_argument("--version", action="store_true", help="print the version and end")


def _add(section: argparse._ArgumentGroup, declared: Field[Any], about: Option) -> None:
    names = (*about.flags, flag_of(declared.name))
    help_ = _help(about, declared.default)
    if declared.type is bool:
        section.add_argument(*names, dest=declared.name, action="store_const", const="true", help=help_)
        return
    section.add_argument(
        *names,
        dest=declared.name,
        action="append" if about.repeat else "store",
        metavar=about.metavar or None,
        help=help_,
    )


def _help(about: Option, default: Any) -> str:
    text = about.help.replace("%", "%%")
    if default in ("", ()) or default is False:
        return text
    if about.metavar == "BYTES":
        shown = in_units(default)
    elif isinstance(default, float):
        shown = f"{default:g}"
    else:
        shown = " ".join(default) if isinstance(default, tuple) else str(default)
    return f"{text} Default: {shown}".replace("%(", "%%(")


def _unknown(parser: argparse.ArgumentParser, argument: str, command: str) -> UsageError:
    if not argument.startswith("-"):
        if command:
            return UsageError(f"pronghorn {command} does not take {argument!r} too.", mend=_usage(command))
        return UsageError(
            f"One application is served; {argument!r} is a second one.",
            mend=f"Quote a specification that holds spaces. {_EXAMPLE}",
        )
    flag = argument.partition("=")[0]
    known = [name[2:] for action in parser._actions for name in action.option_strings if name[1] == "-"]
    meant = nearest(flag.lstrip("-"), known)  # hyphens would count as what they share
    mend = INSTEAD.get(flag) or (f"Did you mean --{meant}?" if meant else _HELP)
    return UsageError(f"There is no option {flag}.", mend=mend)
