"""HUP: a new generation beside the old one, and only a good one replaces it."""

import signal

import pytest

from tests.process.harness import BROKEN, LONG, Server, eventually, running, said, site
from tests.process.load import Load
from tests.serving import head

IMPORT = 3 if LONG else 1
"""Seconds."""
RELOADS = 100 if LONG else 6
WORST = 0.5
"""Seconds; promised on a quiet machine: 0.1. One thing imported for IMPORT seconds must stall nobody."""


def wait_until_only(server: Server, pids: set[int]) -> None:
    """A reload has been given up: those who came have gone, and only those remain."""
    eventually(lambda: server.worker_pids() == pids, "only the old workers")


def test_a_broken_import_under_load_changes_nothing() -> None:
    with running(site("1"), "--workers", "2") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        server.write(BROKEN)
        server.signal(signal.SIGHUP)
        server.wait_for_log("No module named 'no_such_module_anywhere'")
        wait_until_only(server, before)
        load.wait_for_more()
        assert set(load.versions) == {"1"}
        assert set(load.pids) <= before
        assert f'{server.path}/served.py", line 3' in server.log()
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone(before)
        assert len(server.wait_for_workers(2)) == 2
        load.stop()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0, "what went wrong hours ago is no reason to end badly"
    assert load.failures == []
    assert set(load.versions) == {"1", "2"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_slow_import_stalls_nobody(workers: int) -> None:
    with running(site("1"), "--workers", str(workers)) as server, Load(server.port) as load:
        before = server.wait_for_workers(workers)
        server.write(site("2", prelude=f"time.sleep({IMPORT})"))
        server.signal(signal.SIGHUP)
        load.wait_for_version("2")
        server.wait_until_gone(before)
        load.wait_for_more()
        assert server.worker_pids().isdisjoint(before)
    print(load.summary())
    assert load.failures == []
    assert load.worst < WORST
    assert load.versions["1"] > 100 * IMPORT, "the old version served meanwhile"
    assert {item.version for item in load.served[-50:]} == {"2"}


def test_reload_after_reload_under_load() -> None:
    with running(site("0"), "--workers", "2") as server, Load(server.port) as load:
        for version in map(str, range(1, RELOADS + 1)):
            server.write(site(version))
            server.signal(signal.SIGHUP)
            load.wait_for_version(version)
        server.wait_for_version(str(RELOADS))
        server.wait_for_workers(2)
    print(load.summary())
    assert load.failures == []
    assert len(load.versions) == RELOADS + 1


def test_two_signals_at_once() -> None:
    with running(site("1"), "--workers", "2") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_until_gone(before)
        server.wait_for_workers(2)
    assert load.failures == []


def test_a_signal_while_a_reload_is_under_way_loads_what_is_there_then() -> None:
    """What was saved last must be what is served at the end."""
    with running(site("1"), "--workers", "2") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        slow = "open('importing', 'w').close(); time.sleep(0.5)"
        server.write(site("2", prelude=slow))
        server.signal(signal.SIGHUP)
        eventually((server.path / "importing").exists, "the second version is being imported")
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")
        server.wait_until_gone(before)
        server.wait_for_workers(2)
    assert load.failures == []


def test_what_a_reload_had_begun_goes_when_the_next_one_begins() -> None:
    """Also when that one fails: nobody is left who would wait for a place."""
    with running(site("1"), "--workers", "2") as server:
        before = server.wait_for_workers(2)
        server.write(site("2", prelude="open('importing', 'w').close(); threading.Event().wait()"))
        server.signal(signal.SIGHUP)
        eventually((server.path / "importing").exists, "the second version is being imported")
        server.write(BROKEN)
        server.signal(signal.SIGHUP)
        server.wait_for_log("the reload is given up")
        wait_until_only(server, before)
        server.wait_for_version("1")


@pytest.mark.parametrize(
    "hang",
    ["threading.Event().wait()", "import hashlib; hashlib.pbkdf2_hmac('sha256', b'a', b'b', 2_000_000_000)"],
)
def test_an_import_that_hangs_is_given_up(hang: str) -> None:
    with (
        running(site("1"), "--workers", "2", "--boot-timeout", "1") as server,
        Load(server.port) as load,
    ):
        before = server.wait_for_workers(2)
        server.write(site("2", prelude=hang))
        server.signal(signal.SIGHUP)
        eventually(lambda: server.worker_pids() > before, "new workers")
        wait_until_only(server, before)
        load.wait_for_more()
        assert set(load.versions) == {"1"}
        assert f'{server.path}/served.py", line 2' in server.log(), "the stack says where it hangs"
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")
        load.stop()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
    assert load.failures == []


def test_a_new_worker_that_dies_is_given_up() -> None:
    with running(site("1"), "--workers", "2", "--boot-timeout", "5") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        server.write(site("2", prelude="with open('died', 'a') as died: died.write('x')\nos._exit(7)"))
        server.signal(signal.SIGHUP)
        eventually((server.path / "died").exists, "a death at birth")
        wait_until_only(server, before)
        load.wait_for_more()
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")
        assert (server.path / "died").read_text() == "x", "the first one goes alone"
    assert load.failures == []
    assert "2" not in load.versions


def test_the_warm_up_request_comes_before_any_other() -> None:
    with running(site("1"), "--workers", "2", "--warmup", "/warm") as server:
        assert {server.get("/warmed").body for _ in range(10)} == {b"1"}


def test_a_warm_up_that_fails_is_not_ready() -> None:
    with running(site("1"), "--workers", "2", "--warmup", "/warm") as server, Load(server.port) as load:
        before = server.wait_for_workers(2)
        server.write(site("2", warm="500 Internal Server Error"))
        server.signal(signal.SIGHUP)
        server.wait_for_log("given up")
        wait_until_only(server, before)
        load.wait_for_more()
        assert set(load.versions) == {"1"}
        assert "/warm" in server.log()
        assert "500" in server.log()
        server.write(site("3"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("3")
    assert load.failures == []


def test_ttin_and_ttou_change_how_many_there_are() -> None:
    with running(site("1")) as server, Load(server.port) as load:
        first = server.wait_for_workers(1)
        server.signal(signal.SIGTTIN)
        server.wait_for_workers(2)
        eventually(lambda: len(load.pids) >= 2, "answers of both")
        server.wait_until_gone(first)  # it did not know how to share
        server.wait_for_workers(2)
        server.signal(signal.SIGTTOU)
        alone = server.wait_for_workers(1)
        server.signal(signal.SIGTTOU)
        load.wait_for_more()
        server.signal(signal.SIGTTIN)
        server.wait_until_gone(alone)  # as the first; until then there are three for a moment
        assert len(server.wait_for_workers(2)) == 2, "one is the least: one more is two"
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        server.wait_for_workers(2)
    assert load.failures == []


def test_a_long_request_outlives_the_reload() -> None:
    with running(site("1")) as server, server.connect() as client:
        assert said(client.ask(head("GET", "/")))[0] == "1", "an old worker has the connection"
        client.send(b"GET /sleep?0.6 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.write(site("2"))
        server.signal(signal.SIGHUP)
        server.wait_for_version("2")
        answer = client.read_answer()
        assert said(answer)[0] == "1"
        assert answer.closes


def test_term_during_a_reload() -> None:
    with running(site("1"), "--workers", "2") as server, server.connect() as client:
        client.send(b"GET /sleep?0.5 HTTP/1.1\r\nHost: x\r\n\r\n")
        server.write(site("2", prelude="open('importing', 'w').close(); time.sleep(20)"))
        server.signal(signal.SIGHUP)
        eventually((server.path / "importing").exists, "the import")
        server.signal(signal.SIGTERM)
        said(client.read_answer())
        client.close()
        assert server.wait_exit() == 0, "no request was cut"
        assert server.survivors() == []


# --reload


def test_a_change_on_disk_is_loaded() -> None:
    with running(site("1"), "--reload") as server:
        server.write(site("2"))
        server.wait_for_version("2")


def test_a_change_while_the_last_one_is_imported_is_loaded_too() -> None:
    """At once after it: the workers that serve tell of it within a moment, and their word may not count."""
    with running(site("1"), "--reload") as server:
        save = "os.rename('next', 'served.py'); time.sleep(1)"
        (server.path / "next").write_text(site("3"))
        server.write(site("2", prelude=save))
        server.wait_for_version("3")


def test_while_new_code_fails_the_error_is_shown_and_the_next_save_mends_it() -> None:
    with running(site("1"), "--reload") as server:
        server.write(BROKEN)
        eventually(lambda: server.get().status == 500, "the error page")
        assert b"no_such_module_anywhere" in server.get().body
        server.write(site("2"))
        eventually(lambda: server.get().status == 200, "the next version")
        server.wait_for_version("2")


def test_extra_files_count() -> None:
    with running(site("1", prelude="TEXT = open('text').read() if os.path.exists('text') else 'no'", routes="""
    elif path == "/text":
        body = TEXT"""), "--reload", "--reload-extra-file", "text") as server:  # fmt: skip
        assert server.get("/text").body == b"no"
        (server.path / "text").write_text("yes")
        eventually(lambda: server.get("/text").body == b"yes", "the changed text")
