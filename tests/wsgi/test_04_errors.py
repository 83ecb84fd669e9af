"""PEP 3333: wsgi.errors. CHECKLIST P-43 and P-44."""

import threading
from typing import Any

import pytest

from tests.serving import serving
from tests.wsgi.answers import hello


def told(text_of: Any) -> str:
    """What the error log holds after an application has written to wsgi.errors."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        text_of(environ["wsgi.errors"])
        return hello(environ, start_response)

    with serving(app) as server:
        assert server.get().status == 200
        return server.log


def test_p43_write_writelines_flush(capfd: pytest.CaptureFixture[str]) -> None:
    """P-43: text mode, with \\n as line end; every line reaches the operator."""

    def text_of(stream: Any) -> None:
        stream.write("one line\n")
        stream.writelines(["two", " parts\n", "third\n"])
        stream.flush()

    text = told(text_of) + capfd.readouterr().err
    for line in ("one line", "two parts", "third"):
        assert line in text


@pytest.mark.parametrize(
    "text", ["€ and 中\n", "\ud800 alone\n", "nul \0 and \x1b[31m\n"], ids=["wide", "surrogate", "controls"]
)
def test_p43_any_text_is_accepted(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    """P-43: no character makes it raise."""
    log = told(lambda stream: (stream.write(text), stream.write("the end\n"), stream.flush()))
    assert "the end" in log + capfd.readouterr().err


def test_p43_print_goes_to_it(capfd: pytest.CaptureFixture[str]) -> None:
    """P-43: print(file=…) is how people use it."""
    log = told(lambda stream: print("printed", 5, file=stream, flush=True))
    assert "printed 5" in log + capfd.readouterr().err


def test_p44_several_threads(capfd: pytest.CaptureFixture[str]) -> None:
    """P-44: whole lines from several threads."""

    def text_of(stream: Any) -> None:
        threads = [
            threading.Thread(target=lambda n=n: [stream.write(f"<{n}:{i}>\n") for i in range(50)])
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream.flush()

    text = told(text_of) + capfd.readouterr().err
    assert all(f"<{n}:{i}>" in text for n in range(4) for i in range(50))


def test_p44_survives_close(capfd: pytest.CaptureFixture[str]) -> None:
    """P-44: an application that closes it does not close it for others."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        stream = environ["wsgi.errors"]
        stream.write(f"about {environ['PATH_INFO']}\n")
        stream.flush()
        try:
            stream.close()
        except (AttributeError, ValueError, OSError):
            pass
        return hello(environ, start_response)

    with serving(app) as server:
        assert [server.get(path).status for path in ("/first", "/second")] == [200, 200]
        text = server.log + capfd.readouterr().err
    assert "about /first" in text
    assert "about /second" in text
