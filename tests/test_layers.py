"""The shape of the source: what ARCHITECTURE.md's import table (test_architecture.py) does not say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "pronghorn"
FILES = sorted(SOURCE.rglob("*.py"))

MAY_IMPORT_LAZILY = {"cli.py", "__init__.py"}


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_source_to_look_at() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=name_of)
class TestEachFile:
    def test_imports_are_absolute(self, path: Path) -> None:
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert [node.module for node in imports if node.level] == []

    def test_imports_in_functions_only_where_they_keep_the_start_fast(self, path: Path) -> None:
        if path.parent.name == "assemble" or (path.parent == SOURCE and path.name in MAY_IMPORT_LAZILY):
            return
        inner = [
            f"line {node.lineno}"
            for function in functions(ast.parse(path.read_text()))
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        assert inner == []

    def test_it_is_not_long(self, path: Path) -> None:
        assert len(path.read_text().splitlines()) <= 500

    def test_no_function_is_long(self, path: Path) -> None:
        long = [
            f"{function.name}: {(function.end_lineno or 0) - function.lineno + 1} lines"
            for function in functions(ast.parse(path.read_text()))
            if (function.end_lineno or 0) - function.lineno + 1 > 60
        ]
        assert long == []

    def test_it_says_what_it_is_for(self, path: Path) -> None:
        if path.name == "__init__.py" and path.parent != SOURCE:
            assert path.read_text() == ""
        else:
            assert ast.get_docstring(ast.parse(path.read_text()))


def test_one_place_knows_what_was_meant() -> None:
    """`option.did_you_mean`: so each part suggests alike."""
    assert [name_of(path) for path in FILES if "get_close_matches" in path.read_text()] == ["option.py"]


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(
        (function.end_lineno or 0) - function.lineno + 1
        for path in FILES
        for function in functions(ast.parse(path.read_text()))
    )
    assert lengths[len(lengths) * 95 // 100] <= 30


def test_two_modules_alone_have_another_source_for_the_compiled_build() -> None:
    """What is about the interpreter itself. Two parsers would be two grammars, and a way to smuggle requests."""
    assert [name_of(path) for path in SOURCE.rglob("*.pyx")] == ["net/direct.pyx", "serve/vigil.pyx"]


TYPED = sorted(path for path in SOURCE.rglob("*.pxd") if not path.with_suffix(".pyx").exists())


def test_nor_is_any_file_beside_the_source_long() -> None:
    folders = ("bench", "examples", "tests", "tests_compiled")
    files = [path for folder in folders for path in (SOURCE.parents[1] / folder).rglob("*.py")]
    ours = [path for path in files if not {".env", ".work"} & set(path.parts)]
    assert len(ours) > 200
    assert [str(path) for path in ours if len(path.read_text().splitlines()) > 500] == []


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.pxd")), ids=name_of)
def test_what_is_compiled_assigns_nothing_within_a_comprehension(path: Path) -> None:
    """Cython (3.3) makes a crash of `[known for x in y if (known := f(x))]`."""
    tree = ast.parse(path.with_suffix(".py").read_text())
    inner = [
        node.lineno
        for comprehension in ast.walk(tree)
        if isinstance(comprehension, COMPREHENSIONS)
        for node in ast.walk(comprehension)
        if isinstance(node, ast.NamedExpr)
    ]
    assert inner == []


def declared(path: Path) -> dict[str, set[str]]:
    """The attributes of each class in a .pxd."""
    classes: dict[str, set[str]] = {}
    for line in path.read_text().splitlines():
        if found := re.match(r"cdef class (\w+)", line):
            names = classes[found[1]] = set()
        elif found := re.match(r"    cdef (?:public |readonly )?[\w ]+ (\w+(?:, \w+)*)$", line):
            names.update(found[1].split(", "))
    return classes


def slots(path: Path) -> dict[str, set[str]]:
    """The `__slots__` of each class that has them."""
    return {
        node.name: set(ast.literal_eval(statement.value))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__slots__"
    }


@pytest.mark.parametrize("path", TYPED, ids=name_of)
def test_what_is_compiled_has_the_attributes_of_its_source(path: Path) -> None:
    """One that is missing in the .pxd is an AttributeError in the compiled build only."""
    written = slots(path.with_suffix(".py"))
    for name, names in declared(path).items():
        assert names == written[name], name
