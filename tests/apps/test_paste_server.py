"""The [server:...] section of PasteDeploy files: its keys, and pserve."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from pronghorn.assemble.paste_server import settings_of
from pronghorn.errors import ConfigError
from tests.serving import PATIENCE

CASES = Path(__file__).parents[1] / "cases" / "paste"


class TestServerKeys:
    def test_all_options_are_keys(self) -> None:
        settings = settings_of({}, {"bind": "127.0.0.1:1 unix:/tmp/x", "keep-alive": "7", "threads": "3"})
        assert settings.listen.bind == ("127.0.0.1:1", "unix:/tmp/x")
        assert (settings.serve.keep_alive, settings.serve.threads) == (7.0, 3)

    @pytest.mark.parametrize(
        ("keys", "bind"),
        [
            ({"host": "::1", "port": "81"}, "[::1]:81"),
            ({"port": "81"}, "127.0.0.1:81"),
            ({"host": "0.0.0.0"}, "0.0.0.0:8000"),
            ({"host": "*", "port": "1"}, "0.0.0.0:1"),
        ],
    )
    def test_host_and_port(self, keys: dict[str, str], bind: str) -> None:
        assert settings_of({}, keys).listen.bind == (bind,)

    @pytest.mark.parametrize(
        ("keys", "said"),
        [
            ({"treads": "2"}, "There is no option 'treads'(.|\n)*Did you mean 'threads'?"),
            ({"listen": "a:1"}, "There is no option 'listen'(.|\n)*Did you mean 'bind'?"),
            ({"threads": "many"}, "threads: 'many' is not a whole number"),
            ({"threads": "5000"}, "threads: 5000 is not between"),
            ({"port": "x"}, "port: 'x' is not a port"),
            ({"port": "1", "bind": "a:1"}, "'port' and 'bind' both"),
        ],
    )
    def test_wrong(self, keys: dict[str, str], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            settings_of({}, keys)

    def test_the_place_in_the_file(self) -> None:
        file = CASES / "served.ini"
        line = file.read_text().splitlines().index("treads = 2") + 1
        with pytest.raises(ConfigError) as caught:
            settings_of({"__file__": str(file)}, {"treads": "2"})
        assert caught.value.where == f"File {file}, line {line} in [server:wrong]: treads"


@contextmanager
def pserve(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [str(Path(sys.executable).with_name("pserve")), *arguments]
    environ = {**os.environ, "PYTHONPATH": str(CASES), "PYTHONWARNINGS": "ignore", "NO_COLOR": "1"}
    with subprocess.Popen(command, cwd=CASES, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def lines_of(process: subprocess.Popen[str]) -> Iterator[str]:
    assert process.stderr is not None
    return iter(process.stderr.readline, "")


class TestPserve:
    @pytest.mark.parametrize("name", ["main", "runner"])
    def test_serves(self, name: str) -> None:
        with pserve("--server-name", name, "served.ini", "http_port=0") as process:
            url = next(line.strip() for line in lines_of(process) if "http://" in line)
            with httpx.Client(base_url=url, timeout=PATIENCE) as client:
                home = client.get("/x")
                assert home.json()["name"] == "home"
                assert home.headers["X-Marked"]
                assert client.get("/files/a.txt").text == "a file\n"
                assert client.get("/files/b.txt").status_code == 404
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0

    def test_a_wrong_key_is_told_in_a_sentence(self) -> None:
        with pserve("--server-name", "wrong", "served.ini", "http_port=0") as process:
            _, told = process.communicate(timeout=PATIENCE)
        assert told.startswith("Error: There is no option 'treads'.\n  File ")
        assert "in [server:wrong]: treads\n  Did you mean 'threads'?" in told
        assert "Traceback" not in told
        assert process.returncode == 1
