"""ARCHITECTURE.md states facts; these tests hold it to them."""

import ast
import re
from pathlib import Path

from pronghorn.serve.phases import MOVES, Phase

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "pronghorn"


def imports_of(path: Path) -> set[str]:
    """The parts of Pronghorn that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        found |= {name.split(".")[1] for name in names if name.startswith("pronghorn.")}
    return found


def test_the_import_table_holds() -> None:
    block = re.search(r"```python\n(MAY_IMPORT = .*?)```", PAGE, re.DOTALL)
    assert block is not None
    table = ast.literal_eval(
        block[1].partition("=")[2].strip().replace("set()", "frozenset()").replace("frozenset()", "[]")
    )
    for path in SOURCE.rglob("*.py"):
        relative = path.relative_to(SOURCE)
        part = relative.parts[0].removesuffix(".py")
        if part in ("__init__", "__main__"):
            continue
        allowed = {part, "errors", "option", *table[part]}
        assert imports_of(path) <= allowed, f"{relative} imports {imports_of(path) - allowed}"


def test_every_file_it_names_exists() -> None:
    names = re.findall(r"`((?:http|net|observe|wsgi|apps|serve|config)/[\w/]+\.py)`", PAGE)
    assert len(names) > 10
    assert [name for name in names if not (SOURCE / name).is_file()] == []


def test_the_phases_and_their_moves() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \| [^|]* \| ([A-Z, ]*)\|$", PAGE, re.MULTILINE)
    stated = {
        Phase[name]: {Phase[to.strip()] for to in moves.split(",") if to.strip()} for name, moves in rows
    }
    assert stated == MOVES
