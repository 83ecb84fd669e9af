"""WhiteNoise's signature."""

from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

import pytest

from pronghorn.apps.static.whitenoise import WhiteNoise
from pronghorn.errors import ConfigError
from tests.apps.static.harness import environ_of, get, write


def application(environ: Any, start_response: Any) -> list[bytes]:
    body = f"app {environ['SCRIPT_NAME']}|{environ['PATH_INFO']}".encode("latin-1")
    start_response("200 OK", [("Content-Length", str(len(body))), ("X-Content-Type-Options", "nosniff")])
    return [body]


def test_prefix_and_application(root: Path) -> None:
    app = WhiteNoise(application, root=str(root), prefix="static/", max_age=5, autorefresh=True)
    answer = get(app, "/static/file.txt", script="/site")
    assert answer.body == b"content of the file"
    assert answer.one("cache-control") == "public, max-age=5"
    assert answer.one("access-control-allow-origin") == "*"
    for path in ("/", "/file.txt", "/static/nothing", "/static/sub/", "/static", "/static/../secret.txt"):
        assert get(app, path, script="/site").body == b"app /site|" + path.encode()


def test_later_files_come_first(root: Path, tmp_path: Path) -> None:
    write(tmp_path, "more/file.txt", "more")
    app = WhiteNoise(application, str(root), index_file=True)
    app.add_files(str(tmp_path / "more"), prefix="/more/")
    app.add_files(str(tmp_path / "more"))
    assert get(app, "/file.txt").body == get(app, "/more/file.txt").body == b"more"
    assert get(app, "/sub/").body == b"<h1>index</h1>"
    assert get(app, "/sub", script="/site").one("location") == "/site/sub/"
    assert get(app, "/nothing").body == b"app |/nothing"


def test_quick(root: Path) -> None:
    app = WhiteNoise(application, str(root), "static")
    environ = environ_of("/static/file.txt")
    found = app.quick(environ)
    assert found is not None
    assert b"".join(found(environ, lambda *_: None)) == b"content of the file"
    assert environ == environ_of("/static/file.txt")
    assert app.quick(environ_of("/static/nothing")) is app.quick(environ_of("/")) is None


@pytest.mark.parametrize("prefix", [None, "static", "/static/", "a/b/"])
def test_functions_get_whole_urls(root: Path, prefix: str | None) -> None:
    """As WhiteNoise calls them: with the prefix, for an index file the directory's."""
    seen: list[tuple[str, str]] = []

    def add(headers: Headers, path: str, url: str) -> None:
        headers["X-Url"] = url
        seen.append((path, url))

    def test(path: str, url: str) -> bool:
        seen.append((path, url))
        return url.endswith("/file.txt")

    app = WhiteNoise(
        application,
        str(root),
        prefix,
        index_file=True,
        add_headers_function=add,
        immutable_file_test=test,
    )
    start = f"/{prefix.strip('/')}/" if prefix else "/"
    answer = get(app, start + "file.txt", script="/site")
    assert answer.one("x-url") == start + "file.txt"
    assert "immutable" in str(answer.one("cache-control"))
    assert get(app, start + "sub/").one("x-url") == start + "sub/"
    assert get(app, start + "sub/").one("cache-control") == "no-cache"
    assert set(seen) == {
        (str(root / "file.txt"), start + "file.txt"),
        (str(root / "sub/index.html"), start + "sub/"),
    }


def test_an_expression_is_for_the_whole_url(root: Path) -> None:
    app = WhiteNoise(application, str(root), "static", immutable_file_test=r"^/static/f.*\.txt$")
    assert "immutable" in str(get(app, "/static/file.txt").one("cache-control"))
    assert "immutable" not in str(get(app, "/static/sub/inner.txt").one("cache-control"))
    with pytest.raises(ConfigError, match="regular expression"):
        WhiteNoise(application, str(root), immutable_file_test="(")


def test_links(root: Path) -> None:
    (root / "out").symlink_to("../secret.txt")
    assert get(WhiteNoise(application, str(root)), "/out").body == b"app |/out"
    assert get(WhiteNoise(application, str(root), allow_unsafe_symlinks=True), "/out").body == b"SECRET"


def test_names_are_checked(root: Path) -> None:
    with pytest.raises(ConfigError):
        WhiteNoise(application, str(root), max_agee=1)
