"""From "module:callable", as it is typed at a shell, to the WSGI application.

    shop.wsgi:application        a name in a module
    shop:site.wsgi_app           an attribute of it
    shop:create_app()            what a factory returns
    shop:create_app("x", debug=True)
    shop.wsgi                    a bare module: its `application`, else its `app`
    site.ini#main                a section of a PasteDeploy file (paste.py)

Whatever goes wrong is told in a few lines that name the user's file and line.
"""

import ast
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pronghorn.apps import blame
from pronghorn.apps.paste import is_paste, load_paste
from pronghorn.errors import ApplicationLoadError
from pronghorn.later import Later
from pronghorn.option import nearest

if TYPE_CHECKING:
    import pkgutil
else:
    pkgutil = Later("pkgutil")

Application = Callable[..., Any]

_USUAL_NAMES = ("application", "app")
_FORMS = 'Name it as module:callable, such as shop.wsgi:application, or "shop:create_app()".'


def load(spec: str, paste_global: Mapping[str, str] | None = None) -> Application:
    """Import the application that `spec` names. Raises ApplicationLoadError.

    paste_global: what a PasteDeploy file is given beside its own [DEFAULT].
    """
    if is_paste(spec):
        return load_paste(spec, paste_global, logging=True)
    module_name, colon, expression = spec.partition(":")
    if not module_name or (colon and not expression):
        raise ApplicationLoadError(f"{spec!r} does not name an application.", mend=_FORMS)
    if "/" in module_name or module_name.endswith(".py"):
        raise _settings_given(spec) if spec.endswith(".toml") else _path_given(spec, module_name, expression)
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ApplicationLoadError(f"{module_name!r} is not the name of a module.", mend=_FORMS)
    target = _Target(spec, expression) if colon else None
    module = _import(module_name)
    if target is None:
        return _checked(_usual(module), module_name, module)
    return target.find(module)


def load_object(spec: str) -> Any:
    """What "module:name" names, whatever it is. Raises ApplicationLoadError."""
    module_name, _, expression = spec.partition(":")
    if not (module_name and expression) or not all(part.isidentifier() for part in module_name.split(".")):
        raise ApplicationLoadError(
            f"{spec!r} names nothing in a module.", mend="Such as shop.wsgi:application."
        )
    target = _Target(spec, expression)
    return target.walk(_import(module_name))


def make(spec: str, options: Mapping[str, Any]) -> Application:
    """The application that the factory `spec` makes with these options. Raises ApplicationLoadError."""
    module_name, _, expression = spec.partition(":")
    target = _Target(spec, expression or "create_app")
    target.keywords = dict(options)
    return target.make(_import(module_name))


class _Target:
    """The part after the colon: a dotted name, perhaps called with literals."""

    def __init__(self, spec: str, expression: str) -> None:
        self.spec = spec
        self.call: ast.Call | None = None
        try:
            node = ast.parse(expression.strip(), mode="eval").body
        except (SyntaxError, ValueError) as error:
            raise ApplicationLoadError(f"{spec!r} does not name an application.", mend=_FORMS) from error
        if isinstance(node, ast.Call):
            self.call = node
            node = node.func
        self.names = self._dotted(node)
        self.arguments, self.keywords = self._literals()

    def _dotted(self, node: ast.expr) -> list[str]:
        names: list[str] = []
        while isinstance(node, ast.Attribute):
            names.insert(0, node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            raise ApplicationLoadError(f"{self.spec!r} does not name an application.", mend=_FORMS)
        return [node.id, *names]

    def _literals(self) -> tuple[list[Any], dict[str, Any]]:
        if self.call is None:
            return [], {}
        try:
            return (
                [ast.literal_eval(argument) for argument in self.call.args],
                {str(given.arg): ast.literal_eval(given.value) for given in self.call.keywords if given.arg},
            )
        except ValueError as error:
            raise ApplicationLoadError(
                f"The arguments in {self.spec!r} are not literals.",
                mend="A factory's arguments may be text, numbers, True, False, None, and lists of those.",
            ) from error

    def find(self, module: ModuleType) -> Application:
        """Walk the dotted name from the module, call the factory, and check what comes out."""
        if self.call is not None:
            return self.make(module)
        return _checked(self.walk(module), self.spec, module)

    def walk(self, module: ModuleType) -> Any:
        """What the dotted name stands for."""
        found: Any = module
        for depth, name in enumerate(self.names):
            try:
                found = getattr(found, name)
            except AttributeError as error:
                raise _missing(module, found, self.names[:depth], name) from error
        return found

    def make(self, module: ModuleType) -> Application:
        """What the factory returns."""
        return _checked(self._made_by(self.walk(module), module), self.spec, module, made=True)

    def _made_by(self, factory: Any, module: ModuleType) -> Any:
        shown = ".".join(self.names)
        if not callable(factory):
            raise ApplicationLoadError(
                f"{module.__name__}:{shown} is {_a(factory)}, so it cannot be called.",
                where=_file_of(module),
                mend=f"If it is the application itself, leave out the parentheses: {module.__name__}:{shown}",
            )
        try:
            return factory(*self.arguments, **self.keywords)
        except KeyboardInterrupt:  # somebody at the terminal
            raise
        except BaseException as error:
            reason = blame.explain(error, f"{module.__name__}:{shown}()", "when it was called")
            reason.where = reason.where or _file_of(module)
            raise reason from error


def _import(name: str) -> ModuleType:
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        absent = error.name or ""
        if blame.users_frame(error) is None and (name == absent or name.startswith(absent + ".")):
            raise _no_module(name, absent) from error
        raise blame.explain(error, name, "while it was imported") from error
    except KeyboardInterrupt:  # somebody at the terminal
        raise
    except BaseException as error:
        raise blame.explain(error, name, "while it was imported") from error


def _no_module(name: str, absent: str) -> ApplicationLoadError:
    """`absent` is `name` itself or the package that should hold it."""
    if name.endswith(".toml"):
        return _settings_given(name)
    parent_name, _, last = absent.rpartition(".")
    parent = sys.modules.get(parent_name) if parent_name else None
    if parent is not None and hasattr(parent, last):
        mend = f"Did you mean `{parent_name}:{last}`?"
    else:
        path = list(getattr(parent, "__path__", ())) if parent_name else [os.getcwd(), *sys.path]
        names = {found.name for found in pkgutil.iter_modules(path)} | _directories(path)
        if not parent_name:
            names -= sys.stdlib_module_names
        below = name[len(absent) + 1 :].split(".") if name != absent else []
        if below:
            names = {known for known in names if _is_there([known, *below], path)}
        meant = nearest(last, names, 0.7)
        whole = ".".join([*absent.split(".")[:-1], meant, *below])
        mend = f"Did you mean `{whole}`?" if meant else "Name a module, or its directory with --chdir DIR."
    looked = _file_of(parent) if parent is not None else f"Looked in {os.getcwd()} and sys.path"
    return ApplicationLoadError(f"There is no module named {absent!r}.", where=looked, mend=mend)


def _is_there(names: list[str], path: list[str]) -> bool:
    """Whether the parts of a module's name lead from `path` to something. Nothing is imported."""
    for name in names:
        found = PathFinder.find_spec(name, path)
        if found is None:
            return False
        path = list(found.submodule_search_locations or ())
    return True


def _directories(path: Iterable[str]) -> set[str]:
    """Packages without an __init__.py, which pkgutil does not list."""
    first = next(iter(path), "")
    return {found.name for found in os.scandir(first) if found.is_dir()} if os.path.isdir(first) else set()


def _settings_given(spec: str) -> ApplicationLoadError:
    return ApplicationLoadError(
        f"{spec!r} is a configuration file; an application is named by its module.",
        mend=f"Did you mean `--config {spec}`?",
    )


def _path_given(spec: str, path: str, expression: str) -> ApplicationLoadError:
    folder, file = os.path.split(os.path.abspath(path))
    names = [file.removesuffix(".py")]
    while folder != "/" and os.path.isfile(os.path.join(folder, "__init__.py")):  # a package: of the name
        folder, package = os.path.split(folder)
        names.insert(0, package)
    if len(names) > 1 and names[-1] == "__init__":
        names.pop()
    name = ".".join(names) + (f":{expression}" if expression else "")
    above = os.path.relpath(folder)
    chdir = "" if above == "." else f" --chdir {folder if os.path.isabs(path) else above}"
    return ApplicationLoadError(
        f"{path!r} is a path; an application is named by its module.", mend=f"Did you mean `{name}{chdir}`?"
    )


def _usual(module: ModuleType) -> Any:
    for name in _USUAL_NAMES:
        if hasattr(module, name):
            return getattr(module, name)
    names = [name for name in vars(module) if not name.startswith("_")]
    meant = [like for usual in _USUAL_NAMES if (like := nearest(usual, names))]
    callables = meant or [name for name in names if _defined_in(module, name)]
    hint = f"Did you mean `{module.__name__}:{callables[0]}`?" if callables else _FORMS
    raise ApplicationLoadError(
        f"{module.__name__} has neither `application` nor `app`.", where=_file_of(module), mend=hint
    )


def _defined_in(module: ModuleType, name: str) -> bool:
    value = getattr(module, name)
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _missing(module: ModuleType, holder: Any, path: list[str], name: str) -> ApplicationLoadError:
    shown = f"{module.__name__}:{'.'.join(path)}" if path else module.__name__
    names = [known for known in dir(holder) if not known.startswith("_")]
    meant = nearest(name, names) or next((usual for usual in _USUAL_NAMES if usual in names), "")
    mend = f"Did you mean `{meant}`?" if meant else "Name something that the module defines."
    return ApplicationLoadError(f"{shown} has no attribute {name!r}.", where=_file_of(module), mend=mend)


def _checked(found: Any, spec: str, module: ModuleType, *, made: bool = False) -> Application:
    """`found`, if it can be called as PEP 3333 has it."""
    verb = "returned" if made else "is"
    shown = spec if made or ":" in spec else f"`{spec}`"
    if not callable(found):
        raise ApplicationLoadError(
            f"{shown} {verb} {_a(found)}, which is not callable.",
            where=_file_of(module),
            mend="A WSGI application is a callable that takes environ and start_response.",
        )
    if _accepts_two(found):
        return found  # type: ignore[no-any-return]
    if _takes(found) == 3 or inspect.iscoroutinefunction(found):
        mend = "It looks like an ASGI application; Pronghorn serves WSGI."
    elif not made and _takes(found) == 0:
        mend = f'If it makes the application, call it: "{spec}()"'
    else:
        mend = "A WSGI application is a callable that takes environ and start_response."
    raise ApplicationLoadError(
        f"{shown} {verb} {_a(found)} that cannot be called with two arguments.",
        where=_file_of(module),
        mend=mend,
    )


def _accepts_two(found: Application) -> bool:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # written in C, or too clever: the first request will tell
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return not inspect.iscoroutinefunction(found)


def _takes(found: Application) -> int:
    """How many arguments it must have."""
    return sum(
        parameter.default is parameter.empty and parameter.kind not in (2, 4)
        for parameter in inspect.signature(found).parameters.values()
    )


def _a(value: Any) -> str:
    if value is None:
        return "None"
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"


def _file_of(module: ModuleType) -> str:
    file = getattr(module, "__file__", None)
    return f"File {file}" if file else f"Module {module.__name__}"
