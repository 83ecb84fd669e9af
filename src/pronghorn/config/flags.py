"""The command line, from the options' declarations. This module costs the import of argparse."""

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import Field
from typing import Any, NamedTuple, NoReturn

from pronghorn.config.docs import TITLES, in_units
from pronghorn.config.settings import GROUPS, flag_of
from pronghorn.errors import UsageError
from pronghorn.option import Option, options_of

_EXAMPLE = "For example: pronghorn shop.wsgi:application --bind localhost:8051"
_HELP = "pronghorn --help lists the options."


class CommandLine(NamedTuple):
    """What was typed. given: option name to its text, or texts where it repeats."""

    spec: str
    given: dict[str, str | Sequence[str]]
    check_config: bool


class _Parser(argparse.ArgumentParser):
    """Errors are exceptions, for the one place that prints them."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", mend=_HELP)


def read(arguments: Sequence[str]) -> CommandLine:
    """Raises UsageError; SystemExit after --help."""
    parser = _parser()
    given, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise _unknown(parser, unknown[0])
    values = vars(given)
    spec, check_config = values.pop("spec"), values.pop("check_config")
    values.pop("version")
    if spec is None:
        raise UsageError("No application is named.", mend=f"{_EXAMPLE}\n{_HELP}")
    return CommandLine(spec, {name: text for name, text in values.items() if text is not None}, check_config)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="pronghorn",
        usage="pronghorn MODULE:CALLABLE [options]",
        description="Serves a WSGI application over HTTP/1.1.",
        epilog="Each option is also a variable: --keep-alive is PRONGHORN_KEEP_ALIVE.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "spec",
        nargs="?",
        metavar="MODULE:CALLABLE",
        help='the application: shop.wsgi:application, "shop:create_app()", or a bare module',
    )
    parser.add_argument(
        "--check-config", action="store_true", help="check the settings, load the application, and end"
    )
    parser.add_argument("--version", action="store_true", help="print the version and end")
    for group, options_class in GROUPS.items():
        section = parser.add_argument_group(TITLES[group])
        for declared, about in options_of(options_class):
            _add(section, declared, about)
    return parser


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


def _unknown(parser: argparse.ArgumentParser, argument: str) -> UsageError:
    if not argument.startswith("-"):
        return UsageError(
            f"One application is served; {argument!r} is a second one.",
            mend=f"Quote a specification that holds spaces. {_EXAMPLE}",
        )
    flag = argument.partition("=")[0]
    known = [name for action in parser._actions for name in action.option_strings]
    nearest = difflib.get_close_matches(flag, known, 1)
    return UsageError(f"There is no option {flag}.", mend=f"Did you mean {nearest[0]}?" if nearest else _HELP)
