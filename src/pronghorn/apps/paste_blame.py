"""What is wrong in a PasteDeploy file: from the library's exceptions to sentences with a place."""

import configparser
import os
import re
from importlib import metadata
from typing import Any

from pronghorn.apps import blame
from pronghorn.apps.paste_places import PasteError, Places
from pronghorn.errors import ApplicationLoadError, StartupError
from pronghorn.option import did_you_mean, nearest

_FACTORY = "Name it with `use = egg:PACKAGE#NAME`, `use = call:module:callable`, or `paste.{}_factory = …`."
_SHOWN = 5
"""Arbitrary: names that are shown of those that a file has."""
_LIBRARY = os.sep + os.path.join("paste", "deploy") + os.sep


def told(error: BaseException) -> str:
    """Its first line, or its kind where it says nothing."""
    return blame.one_line(error) or type(error).__name__


def unreadable(path: str, error: Exception) -> PasteError:
    """The file is not there, or is no ini file."""
    line = getattr(error, "lineno", None)
    if problems := getattr(error, "errors", None):  # of a ParsingError: (line, text) of each
        line = problems[0][0]
    where = f"File {path}, line {line}" if line else f"File {path}"
    match error:
        case FileNotFoundError():
            return PasteError(f"There is no file {path}.", mend=_file_like(path))
        case OSError():
            return PasteError(f"{path} cannot be read: {error.strerror}.", mend="Mend its permissions.")
        case UnicodeDecodeError():
            return PasteError("The file is not text.", where=where, mend="Save it as UTF-8.")
        case configparser.DuplicateSectionError():
            what = f"The section [{error.section}] is there twice."
            return PasteError(what, where=where, mend="Name one of them otherwise, or make them one.")
        case configparser.DuplicateOptionError():
            what = f"The key {error.option!r} is twice in [{error.section}]."
            return PasteError(what, where=where, mend="Leave one of them.")
        case configparser.MissingSectionHeaderError() if error.line.startswith("\ufeff"):
            return PasteError(
                "The file begins with a byte order mark.", where=where, mend="Save it as UTF-8 without one."
            )
        case configparser.MissingSectionHeaderError():
            return PasteError("A line stands before the first [section].", where=where, mend="Move it.")
    return PasteError(
        "This line is neither `[section]` nor `key = value`.",
        where=where,
        mend="A value that goes on in the next line is indented there.",
    )


def _file_like(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        beside = os.listdir(folder or ".")
    except OSError:
        return f"There is no directory {folder} either."
    return did_you_mean(name, beside) or "Name it relative to the working directory (--chdir)."


def no_section(loader: Any, object_type: Any, name: str, where: str) -> PasteError:
    """No section is `name`, or several are."""
    prefixes = [prefix for options in object_type.config_prefixes for prefix in options]
    known: dict[str, list[str]] = {}
    for section in loader.parser.sections():
        kind, colon, rest = section.partition(":")
        if colon or kind in prefixes:  # [app] is [app:main]
            known.setdefault(rest.strip() if colon else "main", []).append(section)
    fitting = [section for section in known.get(name, ()) if section.partition(":")[0] in prefixes]
    if len(fitting) > 1:
        what = f"{name!r} may be {' or '.join(f'[{section}]' for section in fitting)}."
        return PasteError(what, where=where, mend="Name one of them otherwise.")
    usable = [key for key, found in known.items() if _any_is(found, prefixes)]
    mend = did_you_mean(name, usable)
    if others := known.get(name):
        mend = f"[{others[0]}] is there, but here {_a(object_type.name)} is needed."
    elsewhere = "" if loader.filename in where else f" in {loader.filename}"
    if usable and (elsewhere or not loader.sections):  # the file was named, and perhaps no name in it
        file = os.path.basename(loader.filename)
        mend += "\nName one of its own: " + ", ".join(f"{file}#{one}" for one in usable[:_SHOWN]) + "."
    return PasteError(
        f"There is no section [{prefixes[0]}:{name}]{elsewhere}.",
        where=where,
        mend=mend.strip() or f"Sections that would do begin with {', '.join(prefixes)}.",
    )


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _any_is(sections: list[str], prefixes: list[str]) -> bool:
    return any(section.partition(":")[0] in prefixes for section in sections)


def circle(loader: Any, section: str) -> PasteError:
    names = [name for _, name in loader.sections]
    names = names[names.index(section) :] if section in names else names
    return PasteError(
        f"{' → '.join(f'[{name}]' for name in [*names, section])}: these sections name each other.",
        where=Places(loader.filename).section(section),
        mend="One of them has to name something else.",
    )


def no_egg(name: str, where: str) -> PasteError:
    """The distribution of "egg:distribution#name" is not installed."""
    egg = name.partition(":")[2].partition("#")[0]
    known = [str(found.metadata["Name"]) for found in metadata.distributions()]
    mend = f"pip install {egg}"
    if egg.lower() == "paste":
        mend += "\nOf its parts, Pronghorn itself has urlmap, cascade and static."
    elif like := did_you_mean(egg, [one for one in known if one != "None"]):
        mend += f"\n{like}"
    return PasteError(f"The package {egg!r} of {name} is not installed.", where=where, mend=mend)


def no_package(name: str, where: str) -> PasteError:
    """ "egg:" and "egg:#name" name none."""
    mend = "Write egg:PACKAGE#NAME, such as egg:Paste#urlmap."
    return PasteError(f"{name!r} names no package.", where=where, mend=mend)


def not_found(object_type: Any, name: str, where: str, error: Exception) -> StartupError:
    """The package of "egg:…" is there, but not its entry point; or "call:module:callable" leads nowhere."""
    if isinstance(error, StartupError):
        return error
    scheme, _, rest = name.partition(":")
    if _is_users(error):
        return _unimportable(rest, where, error)
    if scheme == "egg" and isinstance(error, LookupError):
        return _no_entry_point(object_type, name, where)
    if isinstance(error, LookupError):
        return PasteError(f"{name} cannot be used: {told(error)}.", where=where, mend=_FACTORY.format("app"))
    return _unimportable(rest, where, error)


def _no_entry_point(object_type: Any, name: str, where: str) -> PasteError:
    egg, _, entry = name.partition(":")[2].partition("#")
    groups = [group for options in object_type.egg_protocols for group in options]
    found = metadata.distribution(egg)
    names = sorted({point.name for point in found.entry_points if point.group in groups})
    mend = did_you_mean(entry or "main", names) or (
        f"It has {', '.join(names[:12])}." if names else "It has none."
    )
    return PasteError(
        f"The package {egg} {found.version} has no {object_type.name} {entry or 'main'!r}.",
        where=where,
        mend=f"{mend}\nAnother version may have it: pip install --upgrade {egg}",
    )


def _unimportable(target: str, where: str, error: BaseException) -> StartupError:
    """What stands behind "module:callable" cannot be had."""
    if not _is_users(error):
        if isinstance(error, ModuleNotFoundError):
            package = (error.name or "").partition(".")[0]
            return PasteError(
                f"There is no module named {error.name!r}, which {target} names.",
                where=where,
                mend=f"pip install {package}, or add its directory with --pythonpath DIR.",
            )
        return PasteError(f"{target} cannot be found: {told(error)}.", where=where, mend="Mend the name.")
    explained = blame.explain(error, target, "while it was imported")
    explained.mend = f"{where}\n{explained.mend}"
    return explained


def _is_users(error: BaseException) -> bool:
    """Was it raised in code that the file names, and not by the library about the file?

    The frames of the library, which are nobody's to mend, are taken out of the traceback.
    """
    trace = rest = error.__traceback__
    while trace is not None:
        if _LIBRARY in trace.tb_frame.f_code.co_filename:
            rest = trace.tb_next
        trace = trace.tb_next
    error.__traceback__ = rest
    return blame.users_frame(error) is not None


def reading(loader: Any, section: str, error: BaseException) -> StartupError:
    """From what the library found wrong with a section."""
    if isinstance(error, StartupError):
        return error
    places = Places(loader.filename)
    options: dict[str, str] = dict(loader.parser.items(section, raw=True))
    factory = next((key for key in options if key.startswith("paste.") and key.endswith("factory")), "")
    match error:
        case configparser.InterpolationError():
            return _interpolation(error, places)
        case metadata.PackageNotFoundError():
            mend = f"pip install {error.name}"
            return PasteError(
                f"{error.name!r} is not installed.", where=places.key(section, "require"), mend=mend
            )
        case _ if _is_users(error):
            pass
        case KeyError():
            key = next((key for key in options if options[key] == error.args[0]), "")
            what = f"There is no {error.args[0]!r} to get in [{section}]."
            return PasteError(
                what,
                where=places.key(section, key),
                mend="Set it in [DEFAULT], or give it with --paste-global.",
            )
        case IndexError():
            what = f"[{section}] names no application."
            return PasteError(what, where=places.key(section, "pipeline"), mend="The last name is to be one.")
        case LookupError():
            return _said_by_library(section, options, error, places)
    if factory:
        return _unimportable(options[factory], places.key(section, factory), error)
    return PasteError(f"[{section}] cannot be used: {told(error)}.", where=places.section(section))


def _interpolation(error: configparser.InterpolationError, places: Places) -> PasteError:
    where = places.key(error.section, error.option)
    if isinstance(error, configparser.InterpolationMissingOptionError):
        name = error.reference
        return PasteError(
            f"%({name})s in {error.option!r} is not known.",
            where=where,
            mend=f"Give it with --paste-global {name}=…, or in [DEFAULT]; a percent sign itself is %%.",
        )
    what = f"The value of {error.option!r} cannot be read: a percent sign is written %%."
    return PasteError(what, where=where, mend="%(name)s stands for a value of [DEFAULT].")


def _said_by_library(section: str, options: dict[str, str], error: Exception, places: Places) -> PasteError:
    said, kind = told(error), section.partition(":")[0]
    if "No loader given" in said:
        like = nearest("use", options)
        mend = (
            f"Is {like!r} meant to be 'use'?"
            if like
            else _FACTORY.format({"application": "app"}.get(kind, kind))
        )
        return PasteError(f"[{section}] does not say what it is.", where=places.section(section), mend=mend)
    if "missing a" in said:
        key = "next" if kind == "filter-app" else "pipeline"
        like = nearest(key, options)
        mend = f"Is {like!r} meant to be {key!r}?" if like else f"Add `{key} = …`."
        return PasteError(f"[{section}] has no {key!r}.", where=places.section(section), mend=mend)
    if extra := re.search(r"\(disallowed\) settings: (.*)$", str(error)):
        key = extra[1].partition(", ")[0]
        what = f"A pipeline has no {key!r}; it names filters and an application."
        return PasteError(what, where=places.key(section, key), mend="Give it to one of those.")
    return PasteError(f"[{section}] cannot be used: {said}.", where=places.section(section))


def making(loader: Any, section: str, error: BaseException) -> StartupError:
    """From what a factory raised when it was called for a section."""
    places = Places(loader.filename)
    options: dict[str, str] = dict(loader.parser.items(section, raw=True))
    if isinstance(error, StartupError):
        named = [getattr(error, "key", ""), *re.findall(r"[\w.-]+", error.what)]
        key = next((name for name in named if name in options), "")
        error.where = error.where or (places.key(section, key) if key else places.section(section))
        return error
    source = next((key for key in options if key == "use" or key.startswith("paste.")), "")
    name = f"[{section}]" + (f" ({options[source]})" if source else "")
    if not _is_users(error) and isinstance(error, TypeError):
        return _does_not_fit(name, section, error, places)
    explained: ApplicationLoadError = blame.explain(error, name, "when it was made")
    place = places.section(section)
    if explained.where:
        explained.mend = f"{place}\n{explained.mend}"
    explained.where = explained.where or place
    return explained


def _does_not_fit(name: str, section: str, error: TypeError, places: Places) -> PasteError:
    """The factory takes other keys than there are."""
    said = str(error).partition("; got ")[0]
    unknown = re.search(r"unexpected keyword argument '(.*?)'", said)
    if unknown:
        what, mend = f"{name} has no option {unknown[1]!r}.", "Take the key out, or mend its name."
        return PasteError(what, where=places.key(section, unknown[1]), mend=mend)
    return PasteError(f"{name} cannot be called: {blame.one_line(said)}.", where=places.section(section))
