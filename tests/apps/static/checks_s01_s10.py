"""Checks 1 to 51 of static behaviour: looking a path up, methods, entity tags."""

import errno
import os
import time
from typing import Any

import pytest

from pronghorn.apps.static import lookup
from pronghorn.apps.static.app import Static
from pronghorn.errors import ConfigError
from tests.apps.static.harness import write
from tests.apps.static.site import NAVIGATION, REFUSED, Site, check, logged, pipelined
from tests.serving import head


def statuses(site: Site, *targets: str) -> set[int]:
    return {site.get(target).status for target in targets}


# S1: the path


@check(1, "S1", "NUL, other control octets and a backslash are in no name.")
def _(site: Site) -> None:
    assert statuses(site, "/%00", "/file.txt%00", "/%0d%0a", "/%01", "/%7f", "/sub%5cinner.txt") <= {400, 404}


@check(2, "S1", "A percent sign without two digits is refused.")
def _(site: Site) -> None:
    assert statuses(site, "/%", "/%zz", "/100%.txt", "/file.txt%4", "/%u0041") <= {400, 404}


@check(3, "S1", "A path with `.` or `..` segments is refused, whatever it would lead to.")
def _(site: Site) -> None:
    assert statuses(site, "/../secret.txt", "/sub/../file.txt", "/./file.txt", "/sub/..", "/..") <= {400, 404}


@check(4, "S1", "So is one that has them after decoding.")
def _(site: Site) -> None:
    for dots in ("%2e%2e", ".%2e", "%2E."):
        assert site.get(f"/{dots}/secret.txt").status in REFUSED
        assert site.get(f"/sub%2f{dots}%2f{dots}%2fsecret.txt").status in REFUSED


@check(5, "S1", "A path is decoded once, and not again.")
def _(site: Site) -> None:
    assert statuses(site, "/%252e%252e/secret.txt", "/file%252etxt", "/%2566ile.txt") == {404}
    assert site.get("/100%25.txt").status == 200


@check(6, "S1", "Two slashes are not one.")
def _(site: Site) -> None:
    assert statuses(site, "//file.txt", "/sub//inner.txt", "/sub//", "///") == {404}


@check(7, "S1", "Any other name is found: spaces, UTF-8, a percent sign.")
def _(site: Site) -> None:
    assert site.get("/%C3%BC%20x.txt").body == "content of \xfc x.txt".encode()
    assert site.get("/%66ile.txt").body == b"content of file.txt"


# S2: opening


@check(8, "S2", "A FIFO and a socket are 404, and nobody waits for their writers.")
def _(site: Site) -> None:
    assert statuses(site, "/fifo", "/socket", "/walk/fifo", "/walk/socket", "/follow/fifo") == {404}


@check(9, "S2", "A device is 404, even where links to it may be followed.")
def _(site: Site) -> None:
    assert statuses(site, "/zero", "/follow/zero") == {404}


@check(10, "S2", "Links of /proc lead nowhere.")
def _(site: Site) -> None:
    assert statuses(site, "/magic", "/walk/magic") == {404}


@check(11, "S2", "Without openat2, each component is opened by itself, with the same result.")
def _(site: Site) -> None:
    for target in ("/file.txt", "/sub/inner.txt", "/inside", "/inside-dir/inner.txt", "/absolute"):
        assert (site.get("/walk" + target).status, site.get("/walk" + target).body) == (
            200,
            site.get(target).body,
        )
    assert statuses(site, "/walk/out", "/walk/out-dir/secret.txt", "/walk/loop", "/walk/dangling") == {404}


@check(12, "S2", "Nothing that was opened stays open.")
def _(site: Site) -> None:
    targets = ("/file.txt", "/large.bin", "/sub/", "/out", "/fifo", "/nothing", "/absolute", "/loop")
    with site.server.connect() as client:

        def ask() -> int:
            for target in targets:
                client.ask(head("GET", "/fresh" + target))
            return len(os.listdir("/proc/self/fd"))

        assert ask() == ask()


# S3: names with a dot


@check(13, "S3", "/.env is 404.")
def _(site: Site) -> None:
    assert statuses(site, "/.env", "/%2eenv") == {404}


@check(14, "S3", "/.git/config is 404, and so is all below a name with a dot.")
def _(site: Site) -> None:
    assert statuses(site, "/.git/config", "/.git/", "/.git", "/sub/.hidden") == {404}


@check(15, "S3", "/.well-known/ is open, at the top.")
def _(site: Site) -> None:
    assert site.get("/.well-known/acme").status == 200
    assert site.get("/sub/.well-known/acme").status == 404


@check(16, "S3", "Within it, names with a dot are 404.")
def _(site: Site) -> None:
    write(site.root, ".well-known/.env", "SECRET")
    assert site.get("/.well-known/.env").status == 404


@check(17, "S3", 'hidden = "allow" serves them.')
def _(site: Site) -> None:
    assert statuses(site, "/open/.env", "/open/.git/config", "/open/sub/.hidden") == {200}


# S4: links


@check(18, "S4", "A link within the root is followed.")
def _(site: Site) -> None:
    assert site.get("/inside").body == b"content of file.txt"


@check(19, "S4", "So is a link to a directory, and one with an absolute target.")
def _(site: Site) -> None:
    assert site.get("/inside-dir/inner.txt").body == b"content of sub/inner.txt"
    assert site.get("/absolute").body == b"content of sub/inner.txt"


@check(20, "S4", "A link out of the root is 404.")
def _(site: Site) -> None:
    assert site.get("/out").status == 404


@check(21, "S4", "So is what lies behind such a directory, though its path begins like the root's.")
def _(site: Site) -> None:
    assert statuses(site, "/out-dir/secret.txt", "/out-dir/", "/out-dir") == {404}


@check(22, "S4", "So is a link within the root that leads to one out of it.")
def _(site: Site) -> None:
    assert statuses(site, "/chain", "/walk/chain") == {404}


@check(23, "S4", "The log says so in one line that names the option, however often it is asked for.")
def _(site: Site) -> None:
    with logged() as lines:
        for _ in range(3):
            assert site.get("/fresh/told").status == 404
    assert len(lines) == 1 and "told" in lines[0] and 'symlinks = "follow"' in lines[0]


@check(24, "S4", 'symlinks = "follow" follows them all, and "deny" none, not within the root either.')
def _(site: Site) -> None:
    assert site.get("/follow/out").body == site.get("/follow/out-dir/secret.txt").body == b"SECRET"
    assert statuses(site, "/deny/inside", "/deny/inside-dir/inner.txt", "/deny/absolute", "/deny/out") == {
        404
    }
    assert site.get("/deny/file.txt").status == 200


@check(25, "S4", "The root itself may be a link, and be turned round while the server runs.")
def _(site: Site) -> None:
    link = site.root.parent / "current"
    assert site.get("/turning/file.txt").body == b"content of file.txt"
    write(site.root.parent, "next/file.txt", "the next version")
    (site.root.parent / "turned").symlink_to("next")
    os.replace(site.root.parent / "turned", link)
    assert site.get("/turning/file.txt").body == b"the next version"


# S5: listings


@check(26, "S5", "A directory without an index file is 404.")
def _(site: Site) -> None:
    assert statuses(site, "/bare/", "/bare") == {404}


@check(27, "S5", "With `listing`, browsers get a page in which every name is escaped.")
def _(site: Site) -> None:
    page = site.get("/list/list/", NAVIGATION)
    assert page.one("content-type") == "text/html; charset=utf-8"
    assert b"<img" not in page.body and b"&lt;img" in page.body
    assert b'href="javascript' not in page.body and b'href="./javascript%3Aalert' in page.body


@check(28, "S5", "Everybody else gets JSON.")
def _(site: Site) -> None:
    answer = site.get("/list/list/", "Accept: */*")
    assert answer.one("content-type") == "application/json" and answer.one("vary") == "Accept"
    assert b'"name": "plain"' in answer.body


@check(29, "S5", "A listing has no names that would be 404.")
def _(site: Site) -> None:
    body = site.get("/list/list/").body
    assert b"hidden" not in body and b"link-out" not in body


# S6: redirects


@check(30, "S6", "A directory with an index file redirects to the address with a slash, and keeps the query.")
def _(site: Site) -> None:
    answer = site.get("/sub?a=%20b&c")
    assert (answer.status, answer.one("location")) == (301, "/sub/?a=%20b&c")
    assert site.get("/sub/").body == b"content of sub/index.html"


@check(31, "S6", "The redirect is quoted anew.")
def _(site: Site) -> None:
    assert site.get("/a%20b%3Fc").one("location") == "/a%20b%3Fc/"


@check(32, "S6", "It has the prefix that the files are mounted at.")
def _(site: Site) -> None:
    assert site.get("/list/bare").one("location") == "/list/bare/"


@check(33, "S6", "It never leads to another site.")
def _(site: Site) -> None:
    for target in ("//sub", "//evil.example/sub", "/%2fsub", "/%5csub", "//evil.example/%2e%2e"):
        assert site.get(target).status in REFUSED


# S7: what the system says


@check(34, "S7", "A file is no directory.")
def _(site: Site) -> None:
    assert statuses(site, "/file.txt/", "/file.txt/x", "/file.txt/index.html", "/large.bin/") == {404}


@check(35, "S7", "A name or a path that is too long is 404.")
def _(site: Site) -> None:
    assert statuses(site, "/" + "x" * 300, "/x" * 3000, "/walk" + "/x" * 3000, "/" + "y" * 60_000) == {404}


@check(36, "S7", "Links in a circle and links to nothing are 404.")
def _(site: Site) -> None:
    assert statuses(site, "/loop", "/loop/x", "/dangling", "/follow/loop", "/follow/dangling") == {404}


@check(37, "S7", "No permission is 403; no descriptors left is 503 with Retry-After. Nothing is 500.")
def _(site: Site) -> None:
    said = {b"eacces": errno.EACCES, b"emfile": errno.EMFILE, b"enfile": errno.ENFILE}
    original = lookup.View._descriptor

    def descriptor(view: Any, relative: bytes) -> int:
        if relative in said:
            raise OSError(said[relative], "")
        return original(view, relative)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup.View, "_descriptor", descriptor)
        assert site.get("/eacces").status == 403
        answers = [site.get(target) for target in ("/emfile", "/enfile")]
    assert [(answer.status, answer.one("retry-after")) for answer in answers] == [(503, "1")] * 2


# S8: the root


@check(38, "S8", "`/` and the home directory are refused as roots, unless that is forced.")
def _(site: Site) -> None:
    home = str(site.root / "docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", home)
        for root in ("/", home):
            with pytest.raises(ConfigError, match="force"):
                Static(root)
            Static(root, force=True)


@check(39, "S8", "A root that does not exist is an error that names it.")
def _(site: Site) -> None:
    with pytest.raises(ConfigError, match="no-such-root"):
        Static(site.root / "no-such-root")
    with pytest.raises(ConfigError, match=r"file\.txt"):
        Static(site.root / "file.txt")


@check(40, "S8", "A root that is a project gets one warning.")
def _(site: Site) -> None:
    write(site.root.parent, "project/manage.py", "")
    with logged() as lines:
        Static(site.root.parent / "project")
    assert len(lines) == 1 and "manage.py" in lines[0]


@check(41, "S8", "A file that is added later is found.")
def _(site: Site) -> None:
    assert site.get("/fresh/added").status == 404
    write(site.root, "added", "here")
    assert site.get("/fresh/added").body == b"here"


@check(42, "S8", "A file that is deleted later is 404.")
def _(site: Site) -> None:
    path = write(site.root, "deleted", "here")
    assert site.get("/fresh/deleted").status == 200
    path.unlink()
    assert site.get("/fresh/deleted").status == 404


# S9: methods


@check(43, "S9", "HEAD has the fields of GET, and no content.")
def _(site: Site) -> None:
    for target in ("/file.txt", "/large.bin", "/nothing", "/sub", "/packed.js"):
        get, answer = site.get(target), site.get(target, method="HEAD")
        assert answer.status == get.status
        assert [field for field in answer.fields if field[0] != "Date"] == [
            field for field in get.fields if field[0] != "Date"
        ]


@check(44, "S9", "OPTIONS is 204 with Allow.")
def _(site: Site) -> None:
    answer = site.get("/file.txt", method="OPTIONS")
    assert (answer.status, answer.one("allow")) == (204, "GET, HEAD, OPTIONS")


@check(45, "S9", "Every other method is 405 with Allow.")
def _(site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "get"):
        answer = site.get("/file.txt", method=method)
        assert (answer.status, answer.one("allow")) == (405, "GET, HEAD, OPTIONS"), method


@check(46, "S9", "With an application behind the files, other methods are the application's.")
def _(site: Site) -> None:
    assert site.get("/front/file.txt", method="POST").body == b"the application"
    assert site.get("/front/file.txt").body == b"content of file.txt"


# S10: entity tags


@check(47, "S10", "An entity tag is strong, and the same for each answer.")
def _(site: Site) -> None:
    for target in ("/file.txt", "/large.bin"):
        tags = {site.get(target).one("etag") for _ in range(2)} | {site.get("/walk" + target).one("etag")}
        assert len(tags) == 1 and str(tags.pop()).startswith('"')


@check(48, "S10", "It changes with the time of change, to the nanosecond, and with the size.")
def _(site: Site) -> None:
    tags = set()
    for content, age in (("one", 0), ("two", 1), ("three", 1)):
        write(site.root, "tagged", content, age=age)
        tags.add(site.get("/fresh/tagged").one("etag"))
    assert len(tags) == 3


@check(49, "S10", "Each content coding has its own.")
def _(site: Site) -> None:
    fields = ("Accept-Encoding: identity", "Accept-Encoding: gzip", "Accept-Encoding: br")
    assert len({site.get("/packed.js", field).one("etag") for field in fields}) == 3


@check(50, "S10", "It is weak while the file is younger than two seconds, which may change again unseen.")
def _(site: Site) -> None:
    path = write(site.root, "young", "new")
    os.utime(path, (time.time(), time.time()))
    assert str(site.get("/fresh/young").one("etag")).startswith('W/"')


@check(51, "S10", "Answers on one connection do not mix.")
def _(site: Site) -> None:
    targets = ["/file.txt", "/large.bin", "/nothing", "/sub", "/file.txt"]
    answers = pipelined(site, *(head("GET", target) for target in targets))
    assert [answer.status for answer in answers] == [200, 200, 404, 301, 200]
    assert [answer.body for answer in answers] == [site.get(target).body for target in targets]
