"""Under constant load: pages that only compute are the leader's, again after calls that waited and beside other
processes, and are not torn where they compete; calls that wait do not hold the lead.

The clients are another process than the server: in one, they would compete for the interpreter, too.
"""

import threading
from collections import deque
from contextlib import ExitStack

from pronghorn.serve.interval import WHOLE
from tests.process.harness import eventually, running, site
from tests.serve.gauges import HERE, hog, needs_gauge
from tests.serving import head

PAGE = """
    elif path == "/page":
        began = time.thread_time()
        while time.thread_time() - began < 0.001:
            pass
        body = str(threading.get_ident())"""


def test_pages_are_the_leaders_again() -> None:
    last: deque[bytes] = deque(maxlen=200)
    stop, several = threading.Event(), threading.Event()

    with running(site(routes=PAGE), "--threads", "4") as server:

        def ask() -> None:
            with server.connect() as client:
                for _ in range(8):
                    client.ask(head("GET", "/sleep?0.02"))
                while not stop.is_set():
                    last.append(client.ask(head("GET", "/page")).body)
                    if len(set(last.copy())) == 4:
                        several.set()

        clients = [threading.Thread(target=ask, daemon=True) for _ in range(24)]
        for client in clients:
            client.start()
        try:
            assert several.wait(10), "at first they compete"
            eventually(
                lambda: len(last) == 200 and len(set(last.copy())) == 1, "one thread runs them", patience=20
            )
        finally:
            stop.set()
            for client in clients:
                client.join(10)


@needs_gauge
def test_pages_stay_the_leaders_where_other_processes_have_the_processor() -> None:
    """They make no progress meanwhile, like those that wait; handed on, they would compete with each other, too."""
    last: deque[bytes] = deque(maxlen=300)
    stop = threading.Event()
    with running(site(prelude=HERE, routes=PAGE), "--threads", "4") as server, ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(hog())

        def ask() -> None:
            with server.connect() as client:
                while not stop.is_set():
                    last.append(client.ask(head("GET", "/page")).body)

        clients = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            eventually(lambda: len(last) == 300, "they are answered", patience=20)
            eventually(lambda: len(set(last.copy())) == 1, "one thread runs them", patience=20)
        finally:
            stop.set()
            for client in clients:
                client.join(10)


def test_calls_that_wait_do_not_hold_the_lead_beside_one_that_computes() -> None:
    """The interpreter's holder is always ready; calls that wait for something else take turns nevertheless."""
    threads: set[bytes] = set()
    enough = threading.Event()
    with running(site(routes=SPIN + WAIT), "--threads", "4") as server, server.connect() as long:
        long.send(head("GET", "/spin?3"))

        def ask() -> None:
            with server.connect() as client:
                while not enough.is_set():
                    threads.add(client.ask(head("GET", "/wait")).body)
                    if len(threads) > 1:
                        enough.set()

        clients = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
        for client in clients:
            client.start()
        assert enough.wait(2.5), "while it computes, one thread runs them all"
        for client in clients:
            client.join(10)


SPIN = """
    elif path == "/spin":
        began = time.thread_time()
        while time.thread_time() - began < float(environ["QUERY_STRING"]):
            pass
    elif path == "/interval":
        body = str(sys.getswitchinterval())"""


WAIT = """
    elif path == "/wait":
        time.sleep(0.01)
        body = str(threading.get_ident())"""


def test_pages_beside_each_other_are_not_torn() -> None:
    """While calls end soon, each may hold the interpreter for longer than `--switch-interval`; not beside one
    that computes for long (docs/processes.md)."""
    stop, seconds = threading.Event(), 0.008

    with running(site(routes=SPIN), "--threads", "4") as server, server.connect() as other:

        def ask() -> None:
            with server.connect() as client:
                while not stop.is_set():
                    client.ask(head("GET", f"/spin?{seconds}"))

        def interval() -> float:
            return round(float(other.ask(head("GET", "/interval")).body), 6)

        assert interval() == 0.0002
        clients = [threading.Thread(target=ask, daemon=True) for _ in range(8)]
        for client in clients:
            client.start()
        try:
            eventually(lambda: interval() == WHOLE, "calls end soon", patience=20)
            seconds = 0.03
            eventually(lambda: interval() == 0.0002, "most of the time is spent in long calls")
        finally:
            stop.set()
            for client in clients:
                client.join(10)
