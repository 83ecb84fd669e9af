"""Mount: which application answers, and how SCRIPT_NAME and PATH_INFO are divided for it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from wsgiref.validate import validator

import pytest

from pronghorn.apps.hosts import HostPattern, normal_host
from pronghorn.apps.mount import Mount, _Hosts, _Target
from pronghorn.errors import ConfigError
from tests.serving import Server, serving


def named(name: str) -> Any:
    """A WSGI application that tells what it saw."""

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen = [name, environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["REQUEST_URI"]]
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(seen).encode()]

    return app


def below(script_name: str, app: Any) -> Any:
    """As a server with a root path of its own would call it."""

    def rooted(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        environ["SCRIPT_NAME"] = script_name
        result: Iterable[bytes] = app(environ, start_response)
        return result

    return rooted


SITE = Mount(
    {
        "/": named("site"),
        "/api": named("api"),
        "/api/v1": named("v1"),
        "/api/v1/deep/down": named("deep"),
        "/static/": named("static"),
        "/größe": named("groesse"),
        "/a b": named("space"),
        "/nested": Mount({"/": named("inner"), "/api": named("inner-api"), "/x/y": named("inner-xy")}),
        ("example.org", "/"): named("org"),
        ("example.org", "/api/v1"): named("org-v1"),
        ("*.example.org", "/"): named("any-org"),
        ("*.deep.example.org", "/"): named("any-deep"),
        ("www.example.org", "/"): named("www"),
        ("www.example.org:8443", "/"): named("www-8443"),
        ("*.example.org:8443", "/"): named("any-8443"),
        ("plain.example:80", "/"): named("plain-80"),
        ("tls.example:443", "/"): named("tls-443"),
        ("[::1]", "/"): named("six"),
        ("[2001:db8::1]:8000", "/"): named("six-8000"),
        ("127.0.0.1", "/"): named("four"),
        ("münchen.example", "/"): named("idna"),
        ("*.münchen.example", "/"): named("any-idna"),
        ("Upper.Example.", "/"): named("upper"),
        ("example.org", "/only"): named("only-org"),
    }
)
FENCED = Mount({"/api": named("api"), ("one.example", "/one"): named("one")})

# (target, Host, who answered, SCRIPT_NAME, PATH_INFO). "h" is a host that nobody has mounted.
CASES = [
    # whole segments, the longest wins
    ("/", "h", "site", "", "/"),
    ("/x", "h", "site", "", "/x"),
    ("/api", "h", "api", "/api", ""),
    ("/api/", "h", "api", "/api", "/"),
    ("/api/x/y", "h", "api", "/api", "/x/y"),
    ("/apis", "h", "site", "", "/apis"),
    ("/api.json", "h", "site", "", "/api.json"),
    ("/api;v=1", "h", "site", "", "/api;v=1"),
    ("/ap", "h", "site", "", "/ap"),
    ("/API", "h", "site", "", "/API"),
    ("/api/v1", "h", "v1", "/api/v1", ""),
    ("/api/v1/", "h", "v1", "/api/v1", "/"),
    ("/api/v10", "h", "api", "/api", "/v10"),
    ("/api/v1/deep", "h", "v1", "/api/v1", "/deep"),
    ("/api/v1/deep/down", "h", "deep", "/api/v1/deep/down", ""),
    ("/api/v1/deep/down/x", "h", "deep", "/api/v1/deep/down", "/x"),
    ("/api/v1/deep/downer", "h", "v1", "/api/v1", "/deep/downer"),
    ("/x/api/v1", "h", "site", "", "/x/api/v1"),
    # a key with a slash at its end is the same as without
    ("/static", "h", "static", "/static", ""),
    ("/static/a.css", "h", "static", "/static", "/a.css"),
    # the query plays no part
    ("/api?x=/api/v1", "h", "api", "/api", ""),
    ("/?/api", "h", "site", "", "/"),
    # empty segments are segments
    ("//", "h", "site", "", "//"),
    ("//api", "h", "site", "", "//api"),
    ("/api//", "h", "api", "/api", "//"),
    ("/api//v1", "h", "api", "/api", "//v1"),
    ("/api/v1//x", "h", "v1", "/api/v1", "//x"),
    ("/api/v1//", "h", "v1", "/api/v1", "//"),
    # dots are left to the application
    ("/api/../static", "h", "api", "/api", "/../static"),
    ("/./api", "h", "site", "", "/./api"),
    ("/api/.", "h", "api", "/api", "/."),
    # PATH_INFO is decoded once, before the look-up
    ("/api%2Fv1", "h", "v1", "/api/v1", ""),
    ("/api%2fv1%2Fx", "h", "v1", "/api/v1", "/x"),
    ("/%61pi/x", "h", "api", "/api", "/x"),
    ("/api%252Fv1", "h", "site", "", "/api%2Fv1"),
    ("/api%00", "h", "site", "", "/api\0"),
    ("/a%20b/c", "h", "space", "/a b", "/c"),
    ("/a+b/c", "h", "site", "", "/a+b/c"),
    ("/gr%C3%B6%C3%9Fe/x", "h", "groesse", "/gr\xc3\xb6\xc3\x9fe", "/x"),
    ("/gr%F6%DFe/x", "h", "site", "", "/gr\xf6\xdfe/x"),
    ("/100%/api", "h", "site", "", "/100%/api"),
    # a mount in a mount
    ("/nested", "h", "inner", "/nested", ""),
    ("/nested/", "h", "inner", "/nested", "/"),
    ("/nested/api", "h", "inner-api", "/nested/api", ""),
    ("/nested/api/x", "h", "inner-api", "/nested/api", "/x"),
    ("/nested/x/y/z", "h", "inner-xy", "/nested/x/y", "/z"),
    ("/nested//api", "h", "inner", "/nested", "//api"),
    # the path decides before the host
    ("/", "example.org", "org", "", "/"),
    ("/api", "example.org", "api", "/api", ""),
    ("/api/v1", "example.org", "org-v1", "/api/v1", ""),
    ("/api/v1", "www.example.org", "v1", "/api/v1", ""),
    ("/only/x", "example.org", "only-org", "/only", "/x"),
    ("/only/x", "www.example.org", "www", "", "/only/x"),
    ("/only", "h", "site", "", "/only"),
    # exact before wildcard before none; the longest wildcard
    ("/", "www.example.org", "www", "", "/"),
    ("/", "a.example.org", "any-org", "", "/"),
    ("/", "a.b.example.org", "any-org", "", "/"),
    ("/", "a.deep.example.org", "any-deep", "", "/"),
    ("/", "deep.example.org", "any-org", "", "/"),
    ("/", "badexample.org", "site", "", "/"),
    ("/", "example.org.evil.example", "site", "", "/"),
    ("/", "*.example.org", "any-org", "", "/"),
    # case, the root's dot
    ("/", "EXAMPLE.Org", "org", "", "/"),
    ("/", "example.org.", "org", "", "/"),
    ("/", "example.org..", "site", "", "/"),
    ("/", "upper.example", "upper", "", "/"),
    ("/", "UPPER.EXAMPLE.:80", "upper", "", "/"),
    # ports
    ("/", "example.org:8080", "org", "", "/"),
    ("/", "example.org:", "org", "", "/"),
    ("/", "www.example.org:8443", "www-8443", "", "/"),
    ("/", "www.example.org:08443", "www-8443", "", "/"),
    ("/", "www.example.org:8444", "www", "", "/"),
    ("/", "b.example.org:8443", "any-8443", "", "/"),
    ("/", "a.deep.example.org:8443", "any-deep", "", "/"),
    ("/", "plain.example", "plain-80", "", "/"),
    ("/", "plain.example:80", "plain-80", "", "/"),
    ("/", "plain.example:81", "site", "", "/"),
    ("/", "tls.example", "site", "", "/"),
    ("/", "tls.example:443", "tls-443", "", "/"),
    # addresses
    ("/", "127.0.0.1:5000", "four", "", "/"),
    ("/", "127.0.0.2", "site", "", "/"),
    ("/", "[::1]", "six", "", "/"),
    ("/", "[::1]:8000", "six", "", "/"),
    ("/", "[0:0:0:0:0:0:0:1]", "six", "", "/"),
    ("/", "[2001:DB8:0::1]:8000", "six-8000", "", "/"),
    ("/", "[2001:db8::1]:8001", "site", "", "/"),
    ("/", "[v1.fe]", "site", "", "/"),
    # IDNA
    ("/", "xn--mnchen-3ya.example", "idna", "", "/"),
    ("/", "XN--MNCHEN-3YA.Example:80", "idna", "", "/"),
    ("/", "m%C3%BCnchen.example", "idna", "", "/"),
    ("/", "www.xn--mnchen-3ya.example", "any-idna", "", "/"),
    ("/", "m%FFnchen.example", "site", "", "/"),
    # the target's authority replaces Host (RFC 9112 section 3.2.2)
    ("http://example.org/api/v1/x", "h", "org-v1", "/api/v1", "/x"),
    ("http://h/api/v1/x", "example.org", "v1", "/api/v1", "/x"),
    ("http://example.org", "h", "org", "", "/"),
    ("http://www.example.org:8443/", "h", "www-8443", "", "/"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(
        validator(Mount({"/": SITE, ("fenced", "/"): FENCED, ("rooted", "/"): below("/root", SITE)}))
    ) as it:
        yield it
        assert it.log == ""


@pytest.mark.parametrize(("target", "host", "who", "script_name", "path_info"), CASES)
def test_dispatch(server: Server, target: str, host: str, who: str, script_name: str, path_info: str) -> None:
    answer = server.get(target, f"Host: {host}")
    assert answer.status == 200
    assert json.loads(answer.body) == [who, script_name, path_info, target]


def test_there_are_enough_cases() -> None:
    assert len(set(CASES)) == len(CASES) >= 60


class TestOtherRequests:
    @pytest.mark.parametrize(
        ("target", "script_name", "path_info"),
        [("/api/x", "/root/api", "/x"), ("/", "/root", "/"), ("/api", "/root/api", "")],
    )
    def test_script_name_grows_from_the_servers(
        self, server: Server, target: str, script_name: str, path_info: str
    ) -> None:
        answer = server.get(target, "Host: rooted")
        assert json.loads(answer.body)[1:3] == [script_name, path_info]

    def test_the_asterisk_goes_to_the_root(self) -> None:
        # Not through the validator, which knows no path "*".
        with serving(SITE) as server:
            answer = server.get("*", "Host: h", method="OPTIONS")
        assert json.loads(answer.body) == ["site", "", "*", "*"]

    def test_without_host_it_is_the_servers_address(self, server: Server) -> None:
        with server.connect() as client:
            answer = client.ask(b"GET /x HTTP/1.0\r\n\r\n")
        assert json.loads(answer.body)[:3] == ["four", "", "/x"]

    @pytest.mark.parametrize(
        ("extra", "who"),
        [
            ({"SERVER_NAME": "::1", "SERVER_PORT": "80"}, "six"),
            ({"SERVER_NAME": "2001:db8::1", "SERVER_PORT": "8000"}, "six-8000"),
            ({"SERVER_NAME": "www.example.org", "SERVER_PORT": "8443"}, "www-8443"),
            ({"HTTP_HOST": "", "SERVER_NAME": "example.org", "SERVER_PORT": "80"}, "org"),
            ({"HTTP_HOST": "tls.example", "wsgi.url_scheme": "https"}, "tls-443"),
            ({"HTTP_HOST": "plain.example", "wsgi.url_scheme": "https"}, "site"),
            ({"HTTP_HOST": "m\xc3\xbcnchen.example"}, "idna"),
            ({"HTTP_HOST": "m\xfcnchen.example"}, "site"),
            ({"HTTP_HOST": "example.org:http"}, "site"),
            ({"HTTP_HOST": "::1"}, "site"),
            ({"HTTP_HOST": "[::1"}, "site"),
            ({"HTTP_HOST": "example.org, example.org"}, "site"),
            ({"HTTP_HOST": "a" * 300 + ".example.org"}, "site"),
            ({"HTTP_HOST": ".example.org"}, "site"),
            ({}, "site"),
        ],
    )
    def test_hosts_that_other_servers_let_through(self, extra: dict[str, str], who: str) -> None:
        assert called(SITE, "/", **extra)[0] == who


def called(mount: Mount, path: str, **extra: Any) -> list[str]:
    """What the application saw."""
    environ = {"SCRIPT_NAME": "", "PATH_INFO": path, "REQUEST_URI": path, **extra}
    seen: list[str] = json.loads(b"".join(mount(environ, lambda *_: None)))
    return seen


class TestNothingMatches:
    def test_it_is_404_and_names_no_mount(self, server: Server) -> None:
        for target in ("/", "/apis", "/one", "*/"[1:]):
            answer = server.get(target, "Host: fenced")
            assert answer.status == 404
            assert b"api" not in answer.body and b"one" not in answer.body
            assert answer.body
            assert answer.one("content-type") is not None

    def test_head_has_no_content(self, server: Server) -> None:
        answer = server.get("/nothing", "Host: fenced", method="HEAD")
        assert (answer.status, answer.body) == (404, b"")
        environ = {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/"}
        assert b"".join(FENCED(environ, lambda *_: None)) == b""

    def test_the_environ_is_as_it_was(self) -> None:
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}
        FENCED(environ, lambda *_: None)
        assert environ == {"REQUEST_METHOD": "GET", "PATH_INFO": "/x"}


class TestManyHosts:
    def test_each_request_costs_as_with_few(self) -> None:
        """Counted, not timed: which hosts are looked at does not depend on how many there are."""

        class Counting(str):
            looks = 0

            def endswith(self, *args: Any) -> bool:
                Counting.looks += 1
                return super().endswith(*args)

            def __getitem__(self, key: Any) -> str:
                Counting.looks += 1
                return super().__getitem__(key)

        hosts = _Hosts()
        app = named("x")
        for number in range(4000):
            hosts.add(HostPattern.parse(f"*.t{number}.example.org"), _Target(app, str(number)))
        found = hosts.find(Counting("a.b.t3999.example.org"), "80")
        assert found is not None and found.key == "3999" and Counting.looks <= 5
        Counting.looks = 0
        assert hosts.find(Counting("t3999.example.org"), "80") is None and Counting.looks <= 5

    def test_the_longest_wildcard_then_the_port(self) -> None:
        keys = ["*.a.org", "*.a.org:81", "*.b.a.org:82", "*.org"]
        mount = Mount({(key, "/"): named(key) for key in keys})
        for host, key in [
            ("x.a.org", "*.a.org"),
            ("x.a.org:81", "*.a.org:81"),
            ("x.b.a.org", "*.a.org"),
            ("x.b.a.org:81", "*.a.org:81"),
            ("x.b.a.org:82", "*.b.a.org:82"),
            ("b.a.org:82", "*.a.org"),
            ("a.org", "*.org"),
            ("a..org", "*.org"),
        ]:
            assert mount.key_of({"PATH_INFO": "/", "HTTP_HOST": host}) == (key, "/"), host
        for host in ("org", ".org", "org.", ""):
            environ = {"PATH_INFO": "/", "HTTP_HOST": host, "SERVER_NAME": "h", "SERVER_PORT": "1"}
            assert mount.key_of(environ) is None, host


class TestFind:
    def test_it_says_who_would_answer(self) -> None:
        app = named("api")
        mount = Mount({("*.example.org", "/api/"): app})
        found = mount.find("/api/x", "WWW.example.org:80")
        assert found is not None
        assert found == (app, "/api", "/x", ("*.example.org", "/api/"))
        assert (found.app, found.key) == (app, ("*.example.org", "/api/"))
        assert mount.find("/api/x", "example.org") is None
        assert mount.find("/apix", "www.example.org") is None

    def test_the_scheme_decides_on_the_port(self) -> None:
        mount = Mount({("h:443", "/"): named("tls")})
        assert mount.find("/", "h") is None
        assert mount.find("/", "h", "https") is not None

    def test_a_path_of_slashes_costs_no_more_than_others(self) -> None:
        """Only as deep as the deepest mount; a look at each of a million would take minutes."""
        found = Mount({"/": named("root"), "/api": named("api")}).find("/" * 1_000_000)
        assert found is not None and found.key == "/"


class Quick:
    """An application that answers some requests without blocking."""

    def __init__(self, quick: bool | Exception) -> None:
        self.seen: tuple[str, str] | None = None
        self._quick = quick

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise AssertionError("only asked")

    def quick(self, environ: dict[str, Any]) -> Any:
        self.seen = environ["SCRIPT_NAME"], environ["PATH_INFO"]
        if isinstance(self._quick, Exception):
            raise self._quick
        return self if self._quick else None


class TestQuick:
    def test_a_target_that_is_quick_finds_the_path_divided(self) -> None:
        static = Quick(True)
        environ = {"SCRIPT_NAME": "/root", "PATH_INFO": "/static/a.css"}
        assert Mount({"/static": static}).quick(environ) is static
        assert static.seen == ("/root/static", "/a.css")
        assert environ == {"SCRIPT_NAME": "/root/static", "PATH_INFO": "/a.css"}

    @pytest.mark.parametrize("before", [{"SCRIPT_NAME": "/root"}, {"SCRIPT_NAME": ""}, {}])
    def test_one_that_is_not_leaves_the_environ_alone(self, before: dict[str, str]) -> None:
        static = Quick(False)
        environ = {**before, "PATH_INFO": "/static/a.css"}
        assert Mount({"/static": static}).quick(environ) is None
        assert static.seen == (before.get("SCRIPT_NAME", "") + "/static", "/a.css")
        assert environ == {**before, "PATH_INFO": "/static/a.css"}

    def test_nor_does_one_that_fails_move_it(self) -> None:
        environ = {"SCRIPT_NAME": "", "PATH_INFO": "/static/a.css"}
        with pytest.raises(OSError):
            Mount({"/static": Quick(OSError())}).quick(environ)
        assert environ == {"SCRIPT_NAME": "", "PATH_INFO": "/static/a.css"}

    def test_one_that_cannot_be_asked(self) -> None:
        environ = {"SCRIPT_NAME": "", "PATH_INFO": "/api/x"}
        assert Mount({"/api": named("api")}).quick(environ) is None
        assert environ == {"SCRIPT_NAME": "", "PATH_INFO": "/api/x"}

    def test_through_nested_mounts(self) -> None:
        static = Quick(True)
        mount = Mount({"/a": Mount({"/": named("x"), "/b": static})})
        environ = {"SCRIPT_NAME": "", "PATH_INFO": "/a/b/c"}
        assert mount.quick(environ) is static
        assert environ == {"SCRIPT_NAME": "/a/b", "PATH_INFO": "/c"}
        other = {"SCRIPT_NAME": "", "PATH_INFO": "/a/c"}
        assert mount.quick(other) is None
        assert other == {"SCRIPT_NAME": "", "PATH_INFO": "/a/c"}

    def test_that_nothing_matches_is_known_at_once(self) -> None:
        app = FENCED.quick({"PATH_INFO": "/x"})
        assert app is not None
        statuses: list[str] = []
        body = b"".join(app({"REQUEST_METHOD": "GET"}, lambda status, fields: statuses.append(status)))
        assert statuses == ["404 Not Found"] and body


@pytest.mark.parametrize(
    ("applications", "said"),
    [
        ({}, "without applications"),
        ({"api": named("x")}, "'api' does not begin with a slash"),
        ({"": named("x")}, "does not begin with a slash"),
        ({("h", "api"): named("x")}, "does not begin with a slash"),
        ({"/api": None}, "NoneType, not a WSGI application"),
        ({"/api": "shop.api:app"}, "'/api' is str, not a WSGI application"),
        ({"/api": named("x"), "/api/": named("y")}, "'/api/' is mounted twice"),
        ({("h", "/"): named("x"), ("H.", "/"): named("y")}, "mounted twice"),
        ({("*.h", "/"): named("x"), ("*.H", "/"): named("y")}, "mounted twice"),
        ({("ü.h", "/"): named("x"), ("xn--tda.h", "/"): named("y")}, "mounted twice"),
        ({("[::1]", "/"): named("x"), ("[0::1]", "/"): named("y")}, "mounted twice"),
        ({("*", "/"): named("x"), "/": named("y")}, "mounted twice"),
        ({"//": named("x")}, "empty segment"),
        ({"/a//b": named("x")}, "empty segment"),
        ({"/a/../b": named("x")}, "empty segment, '.' or '..'"),
        ({"/a%20b": named("x")}, "not a decoded path"),
        ({"/a?b": named("x")}, "not a decoded path"),
        ({("h", "/", "x"): named("x")}, "says not where to mount"),
        ({7: named("x")}, "says not where to mount"),
        ({("http://h", "/"): named("x")}, "'http://h' is not a host"),
        ({("h/x", "/"): named("x")}, "is not a host"),
        ({("a.*", "/"): named("x")}, "is not a host"),
        ({("*h", "/"): named("x")}, "is not a host"),
        ({("*.", "/"): named("x")}, "is not a host"),
        ({("*.[::1]", "/"): named("x")}, "is not a host"),
        ({("::1", "/"): named("x")}, "is not a host"),
        ({("[::x]", "/"): named("x")}, "no IPv6 address"),
        ({("h:", "/"): named("x")}, "no number from 0 to 65535"),
        ({("h:65536", "/"): named("x")}, "no number from 0 to 65535"),
        ({("h:http", "/"): named("x")}, "is not a host"),
        ({("straße.example", "/"): named("x")}, "browsers of different age"),
    ],
)
def test_tables_that_cannot_be_meant(applications: Mapping[Any, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Mount(applications)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 6


def test_a_host_too_long_for_a_name_is_no_host_and_is_not_kept() -> None:
    mount = Mount({"/": named("any"), ("a" * 63 + ".example", "/"): named("a")})
    assert called(mount, "/", HTTP_HOST="%61" * 63 + ".example")[0] == "a", "the longest label"
    kept = normal_host.cache_info().currsize
    for host in ("%61" * 20_000, "a" * 60_000):
        assert called(mount, "/", HTTP_HOST=host)[0] == "any"
    assert normal_host.cache_info().currsize == kept
