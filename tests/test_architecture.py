"""ARCHITECTURE.md states facts; these tests hold it to them."""

import ast
import re
from pathlib import Path
from typing import get_args

from pronghorn.observe.scoreboard import State
from pronghorn.process import messages
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
        allowed = {part, "errors", "option", "later", *table[part]}
        assert imports_of(path) <= allowed, f"{relative} imports {imports_of(path) - allowed}"


def test_every_file_it_names_exists() -> None:
    names = re.findall(r"`((?:http|net|observe|wsgi|apps|serve|config|process|assemble)/[\w/]+\.py)`", PAGE)
    assert len(names) > 10
    assert [name for name in names if not (SOURCE / name).is_file()] == []


def test_the_phases_and_their_moves() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \| [^|]* \| ([A-Z, ]*)\|$", PAGE, re.MULTILINE)
    stated = {
        Phase[name]: {Phase[to.strip()] for to in moves.split(",") if to.strip()} for name, moves in rows
    }
    assert stated == MOVES


def test_the_states_of_a_child() -> None:
    rows = re.findall(r"^\| `([A-Z]+)` \| [^|]* \| ([A-Z`, ]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == [state.name for state in State]
    entered = {name for _, moves in rows for name in re.findall("[A-Z]+", moves)}
    assert entered == {state.name for state in State}


def test_only_the_master_moves_a_child_and_only_into_these_states() -> None:
    """EMPTY and STARTING come with `Row.clear` and `Row.open`."""
    set_in = {
        (path.name, name)
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r"\.become\(State\.([A-Z]+)", path.read_text(encoding="utf-8"))
    }
    assert set_in == {("master.py", "SERVING"), ("master.py", "LEAVING")}


def test_the_messages_and_their_directions() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (child to master|master to child) \|", PAGE, re.MULTILINE)
    # A message's docstring begins with "From a child", "To a worker" and so on.
    ways = {"From": "child to master", "To": "master to child"}
    kinds = get_args(messages.Message)
    assert rows == [(kind.__name__, ways[(kind.__doc__ or "").split()[0]]) for kind in kinds]


def test_what_it_names_of_the_master_is_there() -> None:
    master = (SOURCE / "process" / "master.py").read_text(encoding="utf-8")
    processes = PAGE[PAGE.index("## Processes") : PAGE.index("## When things go wrong")]
    names = re.findall(r"`(?:Master\.)?(_\w+|run)`", processes)
    assert len(names) > 5
    assert [name for name in names if f"def {name}(" not in master and f"self.{name} = " not in master] == []
