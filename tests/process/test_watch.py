"""--reload's watcher on real files, with the kernel's notices and with polling."""

import importlib
import importlib.util
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pronghorn.process import watch
from pronghorn.process.watch import Look, Watcher, is_source, loaded_files, may_count
from tests.serving import PATIENCE, until

Start = Callable[..., "Told"]


def write(path: Path, text: str = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def touch(path: Path) -> None:
    """Another time of change, the same content."""
    os.utime(path, ns=(time.time_ns(), time.time_ns() + 1_000_000_000))


@pytest.fixture(params=["watchfiles", "polling"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    if name == "polling":
        monkeypatch.setattr(watch, "_RustNotify", None)
    else:
        # The look that nothing called for would hide a notice that did not come.
        assert watch._RustNotify is not None, "the test extra has watchfiles"
        monkeypatch.setattr(watch, "_SAFETY", 2 * PATIENCE)
    return name


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "app.py")
    write(tmp_path / "package/__init__.py")
    write(tmp_path / "package/views.py")
    return tmp_path


class Waiting(Watcher):
    """Says when it waits, so that what happens next is not found by the first look."""

    def __init__(self, changed: Callable[[str], None], directories: list[str], extra: list[str]) -> None:
        super().__init__(changed, directories, extra, 0.01)
        self.waits = threading.Event()

    def _wait(self) -> None:
        self.waits.set()
        super()._wait()


class Told(queue.Queue[str]):
    """What the watcher told."""

    watcher: Watcher


@pytest.fixture
def start(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start a watcher; what it tells comes out of the queue."""
    own = {str(path) for path in loaded_files()}  # the tests themselves, which somebody may be editing
    monkeypatch.setattr(watch, "loaded_files", lambda: loaded_files() - own)
    watchers: list[Watcher] = []

    def start_one(*extra: Path, directories: tuple[Path, ...] = (root,)) -> Told:
        told = Told()
        watcher = Waiting(told.put, [str(path) for path in directories], [str(path) for path in extra])
        told.watcher = watcher
        watcher.start()
        watchers.append(watcher)
        assert watcher.waits.wait(PATIENCE)
        return told

    yield start_one
    for watcher in watchers:
        watcher.stop()
    assert not any(thread.name == "pronghorn-watcher" for thread in threading.enumerate())


# What counts, with both


@pytest.mark.usefixtures("backend")
class TestBoth:
    def test_a_changed_file(self, root: Path, start: Start) -> None:
        told = start()
        write(root / "package/views.py", "x = 22\n")
        assert told.get(timeout=PATIENCE) == str(root / "package/views.py")

    def test_a_file_of_the_same_size(self, root: Path, start: Start) -> None:
        touch_me = root / "app.py"
        os.utime(touch_me, ns=(10**18, 10**18))
        told = start()
        write(touch_me, "x = 2\n")
        assert told.get(timeout=PATIENCE) == str(touch_me)

    def test_a_replaced_file_as_editors_write_it(self, root: Path, start: Start) -> None:
        told = start()
        write(root / ".app.py.tmp", "x = 33\n")
        os.replace(root / ".app.py.tmp", root / "app.py")
        assert told.get(timeout=PATIENCE) == str(root / "app.py")

    def test_a_new_module(self, root: Path, start: Start) -> None:
        told = start()
        write(root / "package/models.py")
        assert told.get(timeout=PATIENCE) == str(root / "package/models.py")

    def test_a_new_module_in_new_directories(self, root: Path, start: Start) -> None:
        told = start()
        write(root / "deep/deeper/deepest/models.py")
        assert told.get(timeout=PATIENCE) == str(root / "deep/deeper/deepest/models.py")

    def test_a_later_file_in_a_directory_that_was_new(self, root: Path, start: Start) -> None:
        told = start()
        later = root / "later"
        later.mkdir()
        until(lambda: str(later) in told.watcher._known.directories, "it knows of the directory")
        notices = told.watcher._notices
        if notices is not None:
            until(lambda: str(later) in notices.directories, "the kernel is asked about it")
        write(later / "models.py")
        assert told.get(timeout=PATIENCE) == str(later / "models.py")

    def test_a_file_in_a_directory_that_was_made_anew(self, root: Path, start: Start) -> None:
        told = start()
        fresh = write(root.parent / f"{root.name}-fresh/empty/notes.txt").parent
        (root / "empty").mkdir()
        until(lambda: str(root / "empty") in told.watcher._known.directories, "it knows of the first")
        (root / "empty").rmdir()
        os.rename(fresh, root / "empty")
        inode = (root / "empty").stat().st_ino
        until(
            lambda: told.watcher._known.directories.get(str(root / "empty")) == inode, "it knows of the other"
        )
        write(root / "empty/models.py")
        assert told.get(timeout=PATIENCE) == str(root / "empty/models.py")

    def test_a_removed_module(self, root: Path, start: Start) -> None:
        told = start()
        (root / "package/views.py").unlink()
        assert told.get(timeout=PATIENCE) == str(root / "package/views.py")

    def test_a_directory_that_is_moved_away(self, root: Path, start: Start) -> None:
        told = start()
        os.rename(root / "package", root.parent / f"{root.name}-away")
        assert Path(told.get(timeout=PATIENCE)).parent == root / "package"

    def test_a_directory_that_is_moved_here(self, root: Path, start: Start) -> None:
        other = write(root.parent / f"{root.name}-other/thing.py").parent
        told = start()
        os.rename(other, root / "here")
        assert told.get(timeout=PATIENCE) == str(root / "here/thing.py")

    def test_an_extra_file_of_any_suffix(self, root: Path, start: Start) -> None:
        page = write(root / "templates/page.html", "<p>")
        told = start(page)
        touch(page)
        assert told.get(timeout=PATIENCE) == str(page)

    def test_an_extra_file_elsewhere_that_comes_into_being(
        self, root: Path, start: Start, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        settings = tmp_path_factory.mktemp("elsewhere") / ".env"
        told = start(settings)
        write(settings, "DEBUG=1\n")
        assert told.get(timeout=PATIENCE) == str(settings)

    def test_a_module_that_was_loaded_from_elsewhere(
        self,
        root: Path,
        start: Start,
        tmp_path_factory: pytest.TempPathFactory,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        library = tmp_path_factory.mktemp("library")
        file = write(library / "pronghorn_watched_library.py")
        monkeypatch.syspath_prepend(str(library))
        importlib.import_module("pronghorn_watched_library")
        try:
            told = start()
            write(file, "x = 22\n")
            assert told.get(timeout=PATIENCE) == str(file)
        finally:
            del sys.modules["pronghorn_watched_library"]

    def test_what_does_not_count(self, root: Path, start: Start) -> None:
        data = write(root / "data.txt")
        told = start()
        touch(data)
        for name in (
            "notes.md",
            ".app.py.swp",
            ".#app.py",
            "#app.py#",
            "app.py~",
            "flycheck_app.py",
            "app_flymake.py",
            "__pycache__/app.py",
            ".git/hooks/hook.py",
            "node_modules/gyp/gyp.py",
            ".venv/lib/thing.py",
        ):
            write(root / name, "x = 22\n")
        # Had one of these counted, it would have been told: this one is the last.
        write(root / "package/views.py", "x = 4444\n")
        assert told.get(timeout=PATIENCE) == str(root / "package/views.py")

    def test_it_tells_once(self, root: Path, start: Start) -> None:
        told = start()
        for number in range(20):
            write(root / "app.py", f"x = {10**number}\n")
        assert told.get(timeout=PATIENCE) == str(root / "app.py")
        until(
            lambda: not any(thread.name == "pronghorn-watcher" for thread in threading.enumerate()),
            "it is done",
        )
        assert told.empty()

    def test_a_file_being_written_is_told_when_it_is_whole(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watch, "SETTLE", 0.3)
        monkeypatch.setattr(watch, "loaded_files", set)
        file, read = root / "app.py", queue.Queue[str]()
        watcher = Waiting(lambda path: read.put(Path(path).read_text()), [str(root)], [])
        watcher.start()
        assert watcher.waits.wait(PATIENCE)
        for number in range(100):
            write(file, f"x = {10**number}\n")
            threading.Event().wait(0.01)  # it is a slow writer; nothing is waited for
        assert read.get(timeout=PATIENCE) == f"x = {10**99}\n"
        watcher.stop()

    def test_a_file_touched_but_no_python_file_wakes_nobody(self, root: Path, start: Start) -> None:
        data = write(root / "data.txt")
        told = start()
        for _ in range(5):
            touch(data)
        touch(root / "app.py")
        assert told.get(timeout=PATIENCE) == str(root / "app.py")

    def test_stop_is_prompt_and_final(self, root: Path, start: Start) -> None:
        told: queue.Queue[str] = queue.Queue()
        watcher = Watcher(told.put, [str(root)], [], 3600.0)
        watcher.start()
        began = time.monotonic()
        watcher.stop()
        watcher.stop()
        assert time.monotonic() - began < 1.0
        write(root / "app.py", "x = 55\n")
        assert told.empty() and not watcher._thread.is_alive()

    def test_stop_before_the_start_and_from_the_callback(self, root: Path) -> None:
        Watcher(lambda path: None, [str(root)], []).stop()
        stopped = threading.Event()

        def changed(path: str) -> None:
            watcher.stop()
            stopped.set()

        watcher = Watcher(changed, [str(root)], [], 0.01)
        watcher.start()
        write(root / "app.py", "x = 66\n")
        assert stopped.wait(PATIENCE)

    def test_a_directory_that_is_not_there(self, root: Path, start: Start) -> None:
        told = start(directories=(root / "nowhere", root))
        write(root / "app.py", "x = 77\n")
        assert told.get(timeout=PATIENCE) == str(root / "app.py")


def test_without_watches_left_it_polls(root: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*arguments: object) -> None:
        raise OSError("OS file watch limit reached.")

    monkeypatch.setattr(watch, "_RustNotify", none_left)
    told = start()
    write(root / "app.py", "x = 88\n")
    assert told.get(timeout=PATIENCE) == str(root / "app.py")


def test_when_the_notices_end_it_polls(root: Path, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, *arguments: object) -> None: ...

        def watch(self, *arguments: object) -> None:
            raise RuntimeError("error in underlying watcher")

    monkeypatch.setattr(watch, "_RustNotify", Broken)
    told = start()
    write(root / "app.py", "x = 88\n")
    assert told.get(timeout=PATIENCE) == str(root / "app.py")


@pytest.mark.parametrize("block", ["", "sys.modules['watchfiles'] = None"])
def test_the_interpreter_ends_well_with_a_watcher_at_work(block: str, root: Path) -> None:
    script = f"""
import sys
{block}
from pronghorn.process import watch
assert (watch._RustNotify is None) == bool({block!r})
watch.Watcher(print, [{str(root)!r}], []).start()

class Slow:
    def __del__(self, sleep=__import__("time").sleep):
        sleep(0.3)  # while the interpreter ends: the watcher's thread comes back to it meanwhile

slow = Slow()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# One look


def test_a_look_skips_what_is_not_the_users(root: Path) -> None:
    for name in (
        "__pycache__/a.py",
        ".hidden/a.py",
        "node_modules/a.py",
        "env/pyvenv.cfg",
        "env/lib/a.py",
        "a.txt",
        ".a.py",
        "flycheck_a.py",
    ):
        write(root / name)
    (root / "directory.py").mkdir()
    (root / "dangling.py").symlink_to(root / "nowhere.py")
    look = Look([str(root)], [])
    assert {os.path.relpath(path, root) for path in look.stamps} == {
        "app.py",
        "package/__init__.py",
        "package/views.py",
    }
    assert {os.path.relpath(path, root) for path in look.directories} == {".", "package", "directory.py"}


def test_a_root_counts_whatever_its_name(tmp_path: Path) -> None:
    file = write(tmp_path / ".config/site/app.py")
    write(tmp_path / ".config/site/pyvenv.cfg")
    assert str(file) in Look([str(file.parent)], []).stamps


def test_a_root_within_a_root_is_walked_once(root: Path) -> None:
    look = Look([str(root), str(root / "package")], [])
    assert len(look.stamps) == 3 and look.differs_from(look) is None


def test_a_link_in_a_circle_ends(root: Path) -> None:
    (root / "package/again").symlink_to(root)
    assert len(Look([str(root)], []).stamps) == 3


def test_the_bounds_cut_the_deepest_and_no_file_seems_new_by_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_MOST_FILES", 1)
    before = Look([str(root)], [])
    assert before.cut and list(before.stamps) == [str(root / "app.py")]
    write(root / "other.py")
    touch(root / "package/views.py")
    assert Look([str(root)], []).differs_from(before) is None
    assert Look([str(root)], [str(root / "package/views.py")]).differs_from(before) is None
    touch(root / "app.py")
    assert Look([str(root)], []).differs_from(before) == str(root / "app.py")


def test_the_bound_of_entries(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_MOST_ENTRIES", 2)
    look = Look([str(root)], [])
    assert look.cut and list(look.stamps) == [str(root / "app.py")]


def test_a_module_that_is_loaded_later_is_no_news(
    root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = write(tmp_path_factory.mktemp("library") / "late.py")
    before = Look([str(root)], [])
    after = Look([str(root)], [str(file)])
    assert after.differs_from(before) is None
    touch(file)
    assert Look([str(root)], [str(file)]).differs_from(after) == str(file)


def test_a_file_made_and_removed_is_no_news(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher(lambda path: None, [str(root)], [])
    monkeypatch.setattr(watch, "loaded_files", set)
    watcher._known = watcher._look()
    short_lived = write(root / "probe.py")
    monkeypatch.setattr(watch, "SETTLE", 0.2)
    threading.Timer(0.02, short_lived.unlink).start()
    assert watcher._news() is None


def test_loaded_files_are_the_users_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(root))
    spec = importlib.util.spec_from_file_location("pronghorn_lazy", root / "app.py")
    assert spec is not None and spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    lazy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lazy)
    monkeypatch.setitem(sys.modules, "pronghorn_lazy", lazy)
    files = loaded_files()
    assert str(root / "app.py") in files and os.path.abspath(__file__) in files
    for other in (watch.__file__, os.__file__, queue.__file__, pytest.__file__):
        assert other not in files
    assert "x" not in object.__getattribute__(lazy, "__dict__"), "the module was loaded by looking at it"


def test_a_notice_calls_for_a_look_only_where_one_may_find_something(root: Path) -> None:
    page = write(root / "page.html")
    write(root / "data.txt")
    (root / "__pycache__").mkdir()
    look = Look([str(root)], [str(page)])
    counts = {
        name: may_count(str(root / name), look)
        for name in (
            "app.py",
            "gone.py",
            "page.html",
            "package",
            "data.txt",
            "__pycache__",
            ".git",
            "app.py~",
        )
    }
    assert [name for name, does in counts.items() if does] == ["app.py", "gone.py", "page.html", "package"]


def test_editors_temporary_files_are_no_source() -> None:
    assert is_source("app.py") and is_source("flymake.py")
    assert not any(
        map(is_source, (".#app.py", "#app.py", ".app.py", "flycheck_app.py", "app_flymake.py", "app.pyc"))
    )
