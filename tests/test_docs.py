"""Tables in docs/ state facts; these tests hold them to the source."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from pronghorn.assemble import supervised
from pronghorn.config import docs
from pronghorn.config.settings import all_options, flag_of
from pronghorn.errors import ApplicationError
from pronghorn.process.hooks import HOOKS, HookInfo
from pronghorn.process.inbox import HANDLED, STACKS
from tests.serving import serving
from tests.wsgi.answers import Environ, StartResponse, hello

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """From its heading to the next one of the same depth."""
    found = re.search(
        rf"^{re.escape(title)}\n(.*?)(?=^{title.split()[0]} |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found, title
    return found[1]


def anchors_of(path: Path) -> set[str]:
    """What a link to a heading is called, as code hosts do it."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_options_is_as_generated() -> None:
    assert page("options.md") == docs.page()


class TestHooks:
    def test_the_table_is_that_of_the_source(self) -> None:
        rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.+) \|$", page("hooks.md"), re.MULTILINE)
        assert {name: (process, when) for name, process, when in rows} == HOOKS

    def test_what_a_hook_is_told(self) -> None:
        named = re.findall(r"^\| `info\.(\w+)` \|", page("hooks.md"), re.MULTILINE)
        assert named == list(HookInfo.__dataclass_fields__)


class TestWSGI:
    def test_each_variable_of_the_server_is_in_the_table(self) -> None:
        seen: list[str] = []

        def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
            seen.extend(environ)
            return hello(environ, start_response)

        with serving(app, request_timeout=60) as server:
            server.get()
        rows = re.findall(r"^\| (`.+?`) \|", section(page("wsgi.md"), "## environ"), re.MULTILINE)
        assert "pronghorn.limit_deadline" in seen
        assert {name for name in seen if not name.startswith("HTTP_")} <= set(
            re.findall("[\\w.]+", " ".join(rows))
        )

    @pytest.mark.parametrize("status", [200, b"200 OK", "OK", "200: OK"], ids=repr)
    def test_what_is_said_of_a_status_is_in_the_table(self, status: Any) -> None:
        said: list[str] = []

        def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
            try:
                start_response(status, [])
            except ApplicationError as error:
                said.append(error.rule)
            return hello(environ, start_response)

        with serving(app) as server:
            server.get()
        rows = re.findall(r"^\| (.+) \| (.+) \|$", section(page("wsgi.md"), "## Errors"), re.MULTILINE)
        assert len(said) == 1
        assert [why for what, why in rows if what.rstrip("… ") in said[0] and f"`{status!r}`" in why]


class TestSignals:
    def test_each_that_the_master_handles_is_in_the_table(self) -> None:
        table = section(page("processes.md"), "## Signals").split("To a worker")[0]
        cells = re.findall(r"^\| ([A-Z0-9]+(?:, [A-Z0-9]+)*) \|", table, re.MULTILINE)
        stated = {signal.Signals[f"SIG{name}"] for cell in cells for name in cell.split(", ")}
        assert stated == set(HANDLED) - {signal.SIGCHLD}
        assert STACKS == signal.SIGRTMIN

    def test_how_many_workers_ttin_makes(self) -> None:
        """A quarter of the rows: see TestHowManyWorkers in tests/process/test_master.py."""
        stated = re.search(r"^TTIN goes up to (\d+) workers", page("processes.md"), re.MULTILINE)
        assert stated and int(stated[1]) == supervised._ROWS_LEAST // 4


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
class TestEachPage:
    def test_the_options_it_names_exist(self, path: Path) -> None:
        known = {flag_of(declared.name) for _, declared, _ in all_options()}
        known |= {flag for _, _, about in all_options() for flag in about.flags}
        known |= {"--check-config", "--config", "--json", "--version", "--help"}
        known |= {"--editable", "--wheel"}  # pip's and build's
        named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", path.read_text(encoding="utf-8")))
        assert named <= known

    def test_its_links_lead_somewhere(self, path: Path) -> None:
        prose = re.sub(r"^    .*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for target, anchor in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", prose):
            there = path.parent / target if target else path
            assert there.is_file(), target
            assert not anchor or anchor in anchors_of(there), f"{target}#{anchor}"
