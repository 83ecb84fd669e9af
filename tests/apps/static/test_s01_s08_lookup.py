"""STATIC.md S1 to S8: look-up and safety."""

import errno
import json
import logging
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from pronghorn.apps.static import lookup
from pronghorn.apps.static.app import Static
from pronghorn.apps.static.lookup import Opened, Outcome, Root
from pronghorn.errors import ConfigError
from tests.apps.static.harness import call, environ_of, forgetting, get, write


@pytest.mark.parametrize(
    "path",
    ["/file.txt\0", "/file.txt\0.jpg", "/a\\b", "/..\\secret.txt", "/a\nb", "/a\x7f", "/\x01"],
)
def test_s01_octets_that_no_honest_path_has(root: Path, path: str) -> None:
    assert get(Static(root), path).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..",
        "/.",
        "/./file.txt",
        "/sub/../file.txt",
        "/sub/..",
        "/sub/.",
        "/sub/./",
        "//file.txt",
        "/sub//inner.txt",
        "///",
        "//",
        "/sub//",
        "/../root-secret/secret.txt",
        "/%2e%2e/secret.txt",
        "/file.txt%00",
        "/FILE.TXT",
    ],
)
def test_s01_nothing_is_folded_or_decoded_again(root: Path, path: str) -> None:
    for app in (Static(root), forgetting(root, hidden="allow")):
        assert get(app, path).status == 404


@pytest.mark.parametrize("target", ["/100%", "/100%zz", "/100%2", "/100%%", "/100%?x=%41"])
def test_s01_invalid_percent(root: Path, target: str) -> None:
    """Also while the file of that name is in the cache, which `%25` asks for."""
    path = target.partition("?")[0]
    write(root, path[1:], "percent")
    app = Static(root)
    good = environ_of(path) | {"REQUEST_URI": path.replace("%", "%25")}
    assert call(app, good).body == b"percent"
    assert call(app, environ_of(path) | {"REQUEST_URI": target}).status == 400
    assert call(app, good).body == b"percent"


@pytest.mark.parametrize("name", ["ü.txt", "a b", "a?b", "a#b", "a;b", "a%20b", "x=1&y", "日本", "'\"<>"])
def test_s01_any_other_name(root: Path, name: str) -> None:
    write(root, name, "odd")
    assert get(Static(root), "/" + name.encode().decode("latin-1")).body == b"odd"


def test_s01_names_that_are_no_utf8(root: Path) -> None:
    with open(os.fsencode(root) + b"/\xff\xfe.txt", "wb") as file:
        file.write(b"octets")
    assert get(Static(root), "/\xff\xfe.txt").body == b"octets"


def test_s01_characters_that_are_no_octets(root: Path) -> None:
    assert get(Static(root), "/\u0100").status == 400


def test_s01_what_is_malformed_is_the_applications_where_there_is_one(root: Path) -> None:
    app = Static(root, fallback=application)
    assert get(app, "/a\\b").body == b"application"


def application(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "11"), ("X-Content-Type-Options", "nosniff")])
    return [b"application"]


WAYS = [True, False] if lookup._has_openat2() else [False]


@pytest.fixture(params=WAYS, ids=lambda way: "openat2" if way else "walk")
def openat2(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def opened(root: Root, name: bytes) -> bytes | Outcome:
    with root.view() as view:
        found = view.open(name)
    if isinstance(found, Opened):
        try:
            return os.pread(found.fd, 1000, 0)
        finally:
            os.close(found.fd)
    return found


class TestLinks:
    """S2 and S4, with openat2 and without it."""

    @pytest.fixture(autouse=True)
    def links(self, root: Path, tmp_path: Path) -> None:
        (root / "inside").symlink_to("file.txt")
        (root / "sub/up").symlink_to("../file.txt")
        (root / "absolute").symlink_to(root / "file.txt")
        (root / "directory").symlink_to("sub")
        (root / "absolute-directory").symlink_to(root / "sub")
        (root / "self").symlink_to(".")
        (root / "outside").symlink_to("../secret.txt")
        (root / "absolute-outside").symlink_to(tmp_path / "secret.txt")
        (root / "parent").symlink_to("..")
        (root / "beside").symlink_to("../root-secret")
        (root / "through").symlink_to("../root/file.txt")
        (root / "loop").symlink_to("loop")
        (root / "dangling").symlink_to("nothing")
        (root / "proc").symlink_to("/proc/self/root" + str(tmp_path))

    def test_inside(self, root: Path, openat2: bool) -> None:
        place = Root(str(root), "inside", openat2=openat2)
        for name in (b"inside", b"sub/up", b"absolute", b"self/file.txt", b"directory/up", b"through"):
            assert opened(place, name) == b"content of the file"
        for name in (b"directory/inner.txt", b"absolute-directory/inner.txt", b"self/self/sub/inner.txt"):
            assert opened(place, name) == b"inner"
        for name in (b"outside", b"absolute-outside", b"parent/secret.txt", b"beside/secret.txt"):
            assert opened(place, name) is Outcome.OUTSIDE
        assert opened(place, b"proc/secret.txt") in (Outcome.OUTSIDE, Outcome.MISSING)
        for name in (b"loop", b"dangling", b"loop/x", b"file.txt/x", b"inside/x", b"nothing/x"):
            assert opened(place, name) is Outcome.MISSING
        assert opened(place, b"self") is Outcome.DIRECTORY

    def test_deny(self, root: Path, openat2: bool) -> None:
        place = Root(str(root), "deny", openat2=openat2)
        for name in (b"inside", b"directory/inner.txt", b"outside", b"loop", b"self/file.txt", b"absolute"):
            assert opened(place, name) is Outcome.MISSING
        assert opened(place, b"sub/inner.txt") == b"inner"

    def test_follow(self, root: Path, openat2: bool) -> None:
        place = Root(str(root), "follow", openat2=openat2)
        assert opened(place, b"outside") == opened(place, b"parent/secret.txt") == b"SECRET"
        assert opened(place, b"inside") == b"content of the file"
        assert opened(place, b"loop") is opened(place, b"dangling") is Outcome.MISSING

    def test_the_root_itself_may_be_a_link(self, root: Path, tmp_path: Path, openat2: bool) -> None:
        """As deployments have it; the link may be turned round at any time."""
        (tmp_path / "current").symlink_to("root")
        place = Root(str(tmp_path / "current"), "inside", openat2=openat2)
        assert opened(place, b"absolute") == b"content of the file"
        write(tmp_path, "next/file.txt", "the next release")
        (tmp_path / "new").symlink_to("next")
        os.replace(tmp_path / "new", tmp_path / "current")
        assert opened(place, b"file.txt") == b"the next release"

    def test_a_link_out_is_logged_once_with_the_option(
        self, root: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = forgetting(root)
        for _ in range(3):
            assert get(app, "/outside").status == 404
        (told,) = [record.getMessage() for record in caplog.records]
        assert 'symlinks = "follow"' in told and "outside" in told
        assert get(forgetting(root, symlinks="follow"), "/outside").body == b"SECRET"


def test_s02_what_is_no_regular_file_is_missing_and_nobody_waits(root: Path, openat2: bool) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        place = Root(str(root), openat2=openat2)
        assert opened(place, b"fifo") is opened(place, b"socket") is Outcome.MISSING
    (root / "null").symlink_to("/dev/null")
    assert opened(Root(str(root), "follow", openat2=openat2), b"null") is Outcome.MISSING
    assert get(Static(root, listing=True), "/fifo").status == 404


def test_s02_a_link_that_comes_between(root: Path, openat2: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory becomes a link out of the root just after the path was resolved."""
    (root / "absolute").symlink_to(root / "sub")
    write(root.parent, "elsewhere/inner.txt", "SECRET")
    resolve = lookup.View._resolved

    def swapped(view: Any, relative: bytes) -> bytes:
        result = resolve(view, relative)
        (root / "sub").rename(root / "old")
        (root / "sub").symlink_to("../elsewhere")
        return result

    monkeypatch.setattr(lookup.View, "_resolved", swapped)
    assert opened(Root(str(root), openat2=openat2), b"absolute/inner.txt") is Outcome.MISSING


@pytest.mark.parametrize(
    "name", [".env", ".git/config", "sub/.hidden", ".well-known/.secret", "sub/.well-known/x"]
)
def test_s03_names_with_a_dot(root: Path, name: str) -> None:
    write(root, name, "dot")
    assert get(Static(root), "/" + name).status == 404
    assert get(Static(root, hidden="allow"), "/" + name).body == b"dot"


def test_s03_well_known_is_open(root: Path) -> None:
    write(root, ".well-known/acme-challenge/token", "token")
    assert get(Static(root), "/.well-known/acme-challenge/token").body == b"token"


def test_s03_a_link_may_lead_to_a_dot(root: Path) -> None:
    """As in a Kubernetes volume."""
    write(root, "..2024/data", "volume")
    (root / "..data").symlink_to("..2024")
    (root / "data").symlink_to("..data/data")
    assert get(Static(root), "/data").body == b"volume"


def test_s05_no_listing_unless_asked(root: Path) -> None:
    assert get(Static(root), "/").status == 404
    write(root, "bare/file", "x")
    assert get(Static(root), "/bare").status == get(Static(root), "/bare/").status == 404


EVIL = "<img src=x onerror=alert(1)>&\"'.txt"


def test_s05_listing(root: Path) -> None:
    write(root, EVIL, "evil")
    write(root, "javascript:alert(1)", "evil")
    write(root, ".hidden", "hidden")
    (root / "out").symlink_to("../secret.txt")
    (root / "in").symlink_to("file.txt")
    os.mkfifo(root / "fifo")
    app = Static(root, listing=True)
    page = get(app, "/", accept="text/html,*/*;q=0.8")
    assert page.one("content-type") == "text/html; charset=utf-8"
    assert "<img src=x" not in page.body.decode() and "hidden" not in page.body.decode()
    assert 'href="javascript' not in page.body.decode()
    answer = get(app, "/", accept="application/json")
    assert answer.one("content-type") == "application/json"
    assert page.one("vary") == answer.one("vary") == "Accept"
    found = {one["name"]: one for one in json.loads(answer.body)}
    assert set(found) == {"file.txt", "sub", EVIL, "in", "javascript:alert(1)"}
    assert found["sub"]["type"] == "directory" and found["file.txt"]["size"] == 19
    for name, one in found.items():
        assert unquote_to_bytes(one["href"]).decode().removeprefix("./").rstrip("/") == name
    assert get(app, "/", method="HEAD", accept="text/html").one("content-length") == str(len(page.body))
    assert get(app, "/sub/").body == b"<h1>index</h1>"


def test_s05_a_listing_has_no_names_that_are_never_sent(root: Path) -> None:
    """Its links are followed as they stand: a backslash and control characters are a 400 (S1)."""
    for name in (
        "a\\b",
        "line\nbreak",
        "tab\t",
        "delete\x7f",
        "dir\\/inner",
        "50%",
        "h\xe9",
        "\u20ac",
        "?#&",
    ):
        write(root, f"bare/{name}", "x")
    write(root, "bare/\udcff\udc85", "x")
    app = Static(root, listing=True)
    found = json.loads(get(app, "/bare/").body)
    assert len(found) == 5
    for one in found:
        target = "/bare/" + one["href"].removeprefix("./")
        path = unquote_to_bytes(target).decode("latin-1")
        assert call(app, {**environ_of(path), "REQUEST_URI": target}).status == 200
    assert get(app, "/bare/", accept="text/html").body.count(b"<tr><td>") == 1 + 5


@pytest.mark.parametrize(
    "accept,json_wanted",
    [
        ("text/html", False),
        ("text/html;q=0", True),
        ("application/json, text/html;q=0.1", True),
        ("application/json;q=0.1, text/html", False),
        ("application/json, text/html", False),
        ("text/html;q=0.5, */*;q=0.1", False),
        ("*/*", True),
    ],
)
def test_s05_a_listing_is_what_accept_gives_the_greater_weight(
    root: Path, accept: str, json_wanted: bool
) -> None:
    write(root, "bare/file", "x")
    answer = get(Static(root, listing=True), "/bare/", accept=accept)
    kind = "application/json" if json_wanted else "text/html; charset=utf-8"
    assert (answer.one("content-type"), answer.one("vary")) == (kind, "Accept")


def test_s05_listing_of_a_directory_needs_the_slash(root: Path) -> None:
    write(root, "bare/file", "x")
    answer = get(Static(root, listing=True), "/bare", query="a=b")
    assert (answer.status, answer.one("location")) == (301, "/bare/?a=b")
    assert get(Static(root, listing=True), "/file.txt/").status == 404


@pytest.mark.parametrize(
    "script,path,query,location",
    [
        ("", "/sub", "", "/sub/"),
        ("", "/sub", "x=%22&y=1", "/sub/?x=%22&y=1"),
        ("/static", "/sub", "", "/static/sub/"),
        ("/static", "", "q", "/static/?q"),
        ("//evil.example", "/sub", "", "/evil.example/sub/"),
        ("", "/a b?c", "", "/a%20b%3Fc/"),
        ("", "/\xc3\xbc", "", "/%C3%BC/"),
        ("", "/%41", "", "/%2541/"),
        ("/x\r\nSet-Cookie: a", "/sub", "a\r\nb", "/x%0D%0ASet-Cookie:%20a/sub/?a%0D%0Ab"),
    ],
)
def test_s06_redirects(root: Path, script: str, path: str, query: str, location: str) -> None:
    name = path.encode("latin-1").decode()[1:]
    write(root, (name + "/" if name else "") + "index.html", "index")
    answer = get(Static(root), path, script=script, query=query)
    assert (answer.status, answer.one("location")) == (301, location)
    assert get(Static(root), path, script=script, query=query, method="HEAD").one("location") == location


@pytest.mark.parametrize("path", ["//sub", "//evil.example", "///evil.example/..", "/\\evil.example"])
def test_s06_never_to_another_site(root: Path, path: str) -> None:
    assert get(Static(root), path).status in (400, 404)


@pytest.mark.parametrize(
    "path",
    ["/file.txt/", "/file.txt/x", "/file.txt/index.html", "/sub/index.html/", "/" + "x" * 300, "/x" * 5000],
)
def test_s07_not_found(root: Path, path: str) -> None:
    assert get(Static(root), path).status == 404


@pytest.mark.parametrize(
    "number,status",
    [
        (errno.EACCES, 403),
        (errno.EPERM, 403),
        (errno.EMFILE, 503),
        (errno.ENFILE, 503),
        (errno.EIO, 503),
        (errno.ELOOP, 404),
        (errno.ENOTDIR, 404),
        (errno.ENAMETOOLONG, 404),
        (errno.ESTALE, 404),
        (errno.ENODEV, 404),
        (errno.EOVERFLOW, 404),
    ],
)
def test_s07_what_the_system_says(
    root: Path, number: int, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(lookup.View, "_descriptor", refused)
    answer = get(Static(root), "/file.txt")
    assert answer.status == status
    assert answer.one("retry-after") == ("1" if status == 503 else None)


def test_s07_out_of_descriptors_for_a_moment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 is not remembered; and what the cache holds is given back first."""
    large = write(root, "large", b"x" * 100_000)
    app = Static(root)
    get(app, "/large")
    assert len(app._entries) == 1
    original = lookup.View._descriptor

    def refused(view: Any, relative: bytes) -> int:
        if large.exists():
            raise OSError(errno.EMFILE, "")
        return original(view, relative)

    monkeypatch.setattr(lookup.View, "_descriptor", refused)
    assert get(app, "/file.txt").status == 503
    assert len(app._entries) == 0
    large.unlink()
    assert get(app, "/file.txt").status == 200


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_s07_permission(root: Path) -> None:
    (root / "file.txt").chmod(0)
    assert get(Static(root), "/file.txt").status == 403


def test_s08_roots_that_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "link").symlink_to("/")
    for bad in ("/", str(tmp_path), str(tmp_path / "link"), str(tmp_path) + "/."):
        with pytest.raises(ConfigError, match="force"):
            try:
                Static(bad)
            except ConfigError as error:
                raise ConfigError(str(error)) from None
        Static(bad, force=True)


def test_s08_a_missing_root(tmp_path: Path, root: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        Static(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="no directory"):
        Static(root / "file.txt")


@pytest.mark.parametrize("name", ["manage.py", "pyproject.toml", ".git"])
def test_s08_a_projects_directory(root: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    write(root, name, "")
    write(root, "manage.py", "")
    with caplog.at_level(logging.WARNING):
        Static(root)
    assert len(caplog.records) == 1


def test_s08_no_scan_at_start(root: Path) -> None:
    (root / "dangling").symlink_to("nothing")
    os.mkfifo(root / "fifo")
    app = forgetting(root)
    assert get(app, "/later").status == 404
    later = write(root, "later", "added later")
    assert get(app, "/later").body == b"added later"
    later.unlink()
    assert get(app, "/later").status == 404
    root.rename(root.parent / "gone")
    assert get(app, "/file.txt").status == 404


def test_unknown_options_name_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        Static(".", max_aeg=1)
    assert "'max_age'" in str(caught.value)
