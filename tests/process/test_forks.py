"""Applications that fork during a call: the child is the application's, and no second worker."""

import signal

import pytest

from tests.process.harness import running, said, site
from tests.serving import head

FORKS = r"""
    elif path.startswith("/fork/"):
        child = os.fork()
        if not child:
            start_response("200 OK", [])
            return in_child(path[6:])
        if path == "/fork/term":
            os.kill(child, 15)
        body = str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    elif path == "/fork-full":
        import resource
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        child = os.fork()
        if not child:
            start_response("200 OK", [])
            return [b"of the child"]
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        body = str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    elif path == "/close":
        start_response("200 OK", [("Content-Length", "4")])(b"once")
        return Closing()
    elif path == "/daemon":
        if not os.fork():
            os.close(0)
            while not os.path.exists("go"):
                time.sleep(0.01)
            open("done", "w").close()
            os._exit(0)
    elif path == "/multiprocessing":
        import multiprocessing
        process = multiprocessing.get_context("fork").Process(target=sys.exit, args=(5,))
        process.start()
        process.join()
        body = str(process.exitcode)
    elif path == "/stream":
        start_response("200 OK", [])
        return stream()"""

IN_CHILD = r"""
def in_child(how):
    if how == "exit":
        sys.exit(3)
    if how == "exit-text":
        sys.exit("text")
    if how == "raise":
        raise ValueError("of the child")
    if how == "return":
        return [b"of the child"]
    if how == "stream":
        return iter([b"of the child"])
    if how == "empty":
        return iter([])
    if how == "none":
        return None
    if how == "leave":
        os._exit(7)
    if how == "exec":
        os.execvp("true", ["true"])
    while True:
        time.sleep(60)

class Closing(list):  # all has been sent before
    def close(self):
        child = os.fork()
        if child:
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

def stream():
    yield b"before "
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    yield b"after"
"""

ENDS = {
    "exit": 3, "exit-text": 1, "raise": 1, "return": 0, "stream": 0, "empty": 0, "none": 1, "leave": 7, "exec": 0,
    "term": -signal.SIGTERM,
}  # fmt: skip

FLAGS = [
    ("--threads", "1"),
    ("--threads", "4"),
    ("--request-timeout", "9", "--access-logfile", "access.log"),
    ("--preload", "--workers", "2"),
    ("--no-master",),
]


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
def test_a_child_of_a_call_ends_with_it_and_the_parent_answers(flags: tuple[str, ...]) -> None:
    with running(site("1", prelude=IN_CHILD, routes=FORKS), *flags) as server:
        before = server.survivors()
        for _ in range(2):  # the second time, the calls are known to wait
            with server.connect() as client:
                for how, code in ENDS.items():
                    assert (how, client.ask(head("GET", f"/fork/{how}")).body) == (how, b"%d" % code)
                assert client.ask(head("GET", "/multiprocessing")).body == b"5"
                assert client.ask(head("GET", "/stream")).body == b"before after"
                assert client.ask(head("GET", "/fork-full")).body == b"0"
        assert server.survivors() == before
        assert said(server.get())[1] in before
        log = server.log()
        assert log.count("ValueError: of the child") == 2
        assert "CRITICAL" not in log and "SystemExit" not in log
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        assert server.survivors() == []


def test_a_child_of_a_call_that_has_sent_all_ends_with_it() -> None:
    with running(site("1", prelude=IN_CHILD, routes=FORKS), "--threads", "1") as server:
        assert server.get("/close").body == b"once"
        assert said(server.get())[0] == "1"
        assert "Traceback" not in server.log()


def test_a_child_that_stays_keeps_neither_clients_nor_the_address() -> None:
    with running(site("1", routes=FORKS), "--threads", "2") as server:
        port = server.port
        with server.connect() as client:
            assert client.ask(head("GET", "/daemon", "Connection: close")).status == 200
            client.assert_end()
        server.signal(signal.SIGTERM)
        assert server.wait_exit() == 0
        (daemon,) = server.survivors()
        with running(site("2"), bind=f"127.0.0.1:{port}") as second:
            assert said(second.get())[0] == "2"
        (server.path / "go").touch()
        server.wait_until_gone([daemon])
        assert (server.path / "done").exists()
