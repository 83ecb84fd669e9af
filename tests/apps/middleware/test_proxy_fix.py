"""proxy-fix: whose word counts, and how much of it."""

from typing import Any

import pytest

from pronghorn.apps.middleware.forwarded import parse_forwarded, parse_node
from pronghorn.apps.middleware.proxy_fix import ProxyFix
from pronghorn.errors import ConfigError
from tests.apps.middleware.calling import App, Called
from tests.serving import serving

PROXY = "10.0.0.1"
SHOWN = (
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "wsgi.url_scheme",
    "HTTP_HOST",
    "SERVER_NAME",
    "SERVER_PORT",
    "SCRIPT_NAME",
)
ALL = ["for", "proto", "host", "port", "prefix"]


def seen(extra: dict[str, Any], *, trusted: Any = ("10.0.0.0/8",), **options: Any) -> dict[str, Any]:
    """The application's environ; the request came from PROXY:4000 for http://inner:8000/."""
    app = App()
    environ = {"REMOTE_ADDR": PROXY, "REMOTE_PORT": "4000", "HTTP_HOST": "inner:8000", "SERVER_NAME": "inner"}
    environ |= {"SERVER_PORT": "8000", "SCRIPT_NAME": "", "PATH_INFO": "/x", **extra}
    Called(ProxyFix(app, trusted=trusted, **options), **environ)
    return app.seen


def client(environ: dict[str, Any]) -> tuple[str | None, str | None]:
    return environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")


EVERYTHING = {
    "HTTP_FORWARDED": "for=6.6.6.6;proto=https;host=evil",
    "HTTP_X_FORWARDED_FOR": "6.6.6.6",
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "evil",
    "HTTP_X_FORWARDED_PORT": "666",
    "HTTP_X_FORWARDED_PREFIX": "/evil",
    "HTTP_X_FORWARDED_SSL": "on",
    "HTTP_X_FORWARDED_SCHEME": "https",
    "HTTP_X_FORWARDED_SERVER": "evil",
    "HTTP_X_FORWARDED_BY": "evil",
    "HTTP_X_FORWARDED_URI": "evil",
    "HTTP_X_FORWARDED_PROTOCOL": "ssl",
    "HTTP_FORWARDED_FOR": "6.6.6.6",
    "HTTP_X_FORWARDED": "evil",
    "HTTP_X_REAL_IP": "6.6.6.6",
}


class TestWhoIsTrusted:
    @pytest.mark.parametrize("header", ["forwarded", "x-forwarded"])
    @pytest.mark.parametrize("peer", ["11.0.0.1", "9.255.255.255", "::1", "garbage", "", None])
    def test_from_others_nothing_counts_and_nothing_stays(self, header: str, peer: str | None) -> None:
        fields = ALL if header == "x-forwarded" else ALL[:3]
        environ = seen({**EVERYTHING, "REMOTE_ADDR": peer}, header=header, fields=fields)
        assert not [key for key in environ if "FORWARDED" in key or "REAL_IP" in key]
        assert environ.get("REMOTE_ADDR") == peer and environ["REMOTE_PORT"] == "4000"
        assert [environ[key] for key in SHOWN[2:]] == ["http", "inner:8000", "inner", "8000", ""]
        assert "HTTPS" not in environ

    @pytest.mark.parametrize(
        ("trusted", "peer"),
        [
            (["10.0.0.1"], PROXY),
            ("192.168.0.1, 10.0.0.0/8", PROXY),
            (["::1"], "::1"),
            (["2001:db8::/32"], "2001:db8:1::1"),
            (["10.0.0.0/8"], "::ffff:10.0.0.1"),
            (["fe80::/10"], "fe80::1%eth0"),
            (["unix"], ""),
            (["unix"], None),
        ],
    )
    def test_from_these_it_counts(self, trusted: Any, peer: str | None) -> None:
        environ = seen({"HTTP_X_FORWARDED_FOR": "1.2.3.4", "REMOTE_ADDR": peer}, trusted=trusted)
        assert client(environ) == ("1.2.3.4", None)
        assert environ["pronghorn.proxy_addr"] == (peer or "")

    @pytest.mark.parametrize("header", ["forwarded", "x-forwarded"])
    def test_only_one_family_is_believed(self, header: str) -> None:
        environ = seen(
            {"HTTP_FORWARDED": "for=1.1.1.1", "HTTP_X_FORWARDED_FOR": "2.2.2.2", "HTTP_X_REAL_IP": "3.3.3.3"},
            header=header,
        )
        assert environ["REMOTE_ADDR"] == ("1.1.1.1" if header == "forwarded" else "2.2.2.2")
        assert "HTTP_FORWARDED" not in environ and "HTTP_X_REAL_IP" not in environ
        assert ("HTTP_X_FORWARDED_FOR" in environ) == (header == "x-forwarded")

    def test_only_the_fields_that_are_named(self) -> None:
        environ = seen(EVERYTHING)
        assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == ("6.6.6.6", "https")
        assert (environ["HTTP_HOST"], environ["SCRIPT_NAME"]) == ("inner:8000", "")
        left = {key for key in environ if "FORWARDED" in key}
        assert left == {"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO"}

    def test_without_any_field_all_stays(self) -> None:
        environ = seen({}, fields=ALL)
        assert [environ[key] for key in SHOWN] == [PROXY, "4000", "http", "inner:8000", "inner", "8000", ""]


class TestHops:
    """The client is the first, from the right, whom no trusted proxy vouches for."""

    @pytest.mark.parametrize(
        ("chain", "hops", "expected", "left"),
        [
            ("1.1.1.1", 1, "1.1.1.1", "1.1.1.1"),
            ("6.6.6.6, 1.1.1.1", 1, "1.1.1.1", "1.1.1.1"),
            ("1.1.1.1, 10.0.0.2", 1, "10.0.0.2", "10.0.0.2"),
            ("1.1.1.1, 10.0.0.2", 2, "1.1.1.1", "1.1.1.1, 10.0.0.2"),
            ("6.6.6.6, 1.1.1.1, 10.0.0.2", 2, "1.1.1.1", "1.1.1.1, 10.0.0.2"),
            ("6.6.6.6, 1.1.1.1, 10.0.0.2", 9, "1.1.1.1", "1.1.1.1, 10.0.0.2"),
            ("6.6.6.6, 1.1.1.1", 2, "1.1.1.1", "1.1.1.1"),
            ("10.0.0.3, 10.0.0.2", 9, "10.0.0.3", "10.0.0.3, 10.0.0.2"),
            ("6.6.6.6,10.9.9.9,1.1.1.1,10.0.0.2", 9, "1.1.1.1", "1.1.1.1, 10.0.0.2"),
            ("6.6.6.6, unknown, 10.0.0.2", 9, None, "unknown, 10.0.0.2"),
            ("6.6.6.6, garbage", 9, None, "garbage"),
            ("6.6.6.6,", 9, None, ""),
            ("6.6.6.6, _hidden", 1, None, "_hidden"),
        ],
    )
    def test_x_forwarded_for(self, chain: str, hops: int, expected: str | None, left: str) -> None:
        environ = seen({"HTTP_X_FORWARDED_FOR": chain}, hops=hops)
        assert client(environ) == (expected, None)
        assert environ["HTTP_X_FORWARDED_FOR"] == left
        if "_" not in chain:
            elements = ", ".join(
                f"for={node.strip()}" if node.strip() else "for=x" for node in chain.split(",")
            )
            assert client(seen({"HTTP_FORWARDED": elements}, hops=hops, header="forwarded")) == (
                expected,
                None,
            )

    @pytest.mark.parametrize(
        ("chain", "proto", "hops", "expected"),
        [
            ("1.1.1.1", "https", 1, "https"),
            ("1.1.1.1", "https, http", 1, "http"),
            ("1.1.1.1, 10.0.0.2", "https, http", 2, "https"),
            ("1.1.1.1, 10.0.0.2", "http, https, http", 2, "https"),
            ("1.1.1.1, 10.0.0.2", "https", 2, "https"),
            ("", "https", 2, "https"),
        ],
    )
    def test_the_other_fields_go_as_far_back(self, chain: str, proto: str, hops: int, expected: str) -> None:
        environ = seen({"HTTP_X_FORWARDED_FOR": chain, "HTTP_X_FORWARDED_PROTO": proto}, hops=hops)
        assert environ["wsgi.url_scheme"] == expected

    def test_a_client_cannot_lengthen_the_way_where_for_is_not_believed(self) -> None:
        """No proxy writes X-Forwarded-For there: the addresses in it are the client's."""
        environ = seen(
            {"HTTP_X_FORWARDED_FOR": "10.0.0.8, 10.0.0.9", "HTTP_X_FORWARDED_PROTO": "https, http"},
            hops=2,
            fields=["proto"],
        )
        assert (environ["wsgi.url_scheme"], environ["HTTP_X_FORWARDED_PROTO"]) == ("http", "http")
        assert client(environ) == (PROXY, "4000") and "HTTP_X_FORWARDED_FOR" not in environ

    def test_prefixes_of_several_proxies_follow_each_other(self) -> None:
        environ = seen(
            {"HTTP_X_FORWARDED_FOR": "1.1.1.1, 10.0.0.2", "HTTP_X_FORWARDED_PREFIX": "/evil, /a, /b"},
            hops=2,
            fields=ALL,
        )
        assert environ["SCRIPT_NAME"] == "/a/b"


class TestClient:
    @pytest.mark.parametrize(
        ("node", "expected"),
        [
            ("1.2.3.4", ("1.2.3.4", None)),
            ("1.2.3.4:5678", ("1.2.3.4", "5678")),
            ("[2001:db8::1]", ("2001:db8::1", None)),
            ("[2001:DB8:0:0::1]:4711", ("2001:db8::1", "4711")),
            ("2001:db8::1", ("2001:db8::1", None)),
            ("::ffff:1.2.3.4", ("1.2.3.4", None)),
            ("1.2.3.4:_port", ("1.2.3.4", None)),
            ("unknown", (None, None)),
            ("_gazonk", (None, None)),
            ("1.2.3", (None, None)),
            ("1.2.3.4\x00", (None, None)),
            ("[fe80::1%eth0]:80", ("fe80::1", "80")),
            ("fe80::1%25eth0", ("fe80::1", None)),
            ("[2001:db8::1]:", ("2001:db8::1", None)),
            ("[2001:db8::1]:0080", ("2001:db8::1", "80")),
            ("1.2.3.4:0", ("1.2.3.4", None)),
            ("1.2.3.4:65535", ("1.2.3.4", "65535")),
            ("1.2.3.4:65536", ("1.2.3.4", None)),
            ("1.2.3.4:\u00b2", ("1.2.3.4", None)),
            ("fe80::1%", (None, None)),
            ("1.2.3.4%eth0", (None, None)),
            ("[2001:db8::1", (None, None)),
            ("2001:db8::1]", (None, None)),
            ("[2001:db8::1]80", (None, None)),
            ("[[2001:db8::1]]", (None, None)),
            ("[1.2.3.4]", (None, None)),
            ("[]:80", (None, None)),
            ("example.org", (None, None)),
        ],
    )
    def test_addresses(self, node: str, expected: tuple[str | None, str | None]) -> None:
        assert client(seen({"HTTP_X_FORWARDED_FOR": node})) == expected
        if "\0" not in node and node.isascii():
            assert client(seen({"HTTP_FORWARDED": f'for="{node}"'}, header="forwarded")) == expected

    def test_without_for_the_proxy_itself_asks(self) -> None:
        assert client(seen({"HTTP_X_FORWARDED_PROTO": "https"})) == (PROXY, "4000")
        assert client(seen({"HTTP_FORWARDED": "proto=https"}, header="forwarded")) == (PROXY, "4000")


class TestServerAndScheme:
    @pytest.mark.parametrize(
        ("told", "expected"),
        [
            # scheme, Host, SERVER_NAME, SERVER_PORT
            ({"PROTO": "https"}, ("https", "inner:8000", "inner", "8000")),
            (
                {"PROTO": "https", "HOST": "www.example.org"},
                ("https", "www.example.org", "www.example.org", "443"),
            ),
            ({"HOST": "www.example.org"}, ("http", "www.example.org", "www.example.org", "80")),
            ({"HOST": "h:8443", "PROTO": "https"}, ("https", "h:8443", "h", "8443")),
            ({"HOST": "h:8443", "PORT": "9443", "PROTO": "https"}, ("https", "h:9443", "h", "9443")),
            ({"HOST": "h", "PORT": "443", "PROTO": "https"}, ("https", "h", "h", "443")),
            ({"HOST": "h", "PORT": "8443", "PROTO": "https"}, ("https", "h:8443", "h", "8443")),
            ({"PORT": "80"}, ("http", "inner", "inner", "80")),
            ({"HOST": "[::1]:8000"}, ("http", "[::1]:8000", "[::1]", "8000")),
            ({"HOST": "[::1]"}, ("http", "[::1]", "[::1]", "80")),
            ({"HOST": "[::1]", "PORT": "81"}, ("http", "[::1]:81", "[::1]", "81")),
            ({"PROTO": "HTTPS", "HOST": "h"}, ("https", "h", "h", "443")),
            ({"PROTO": "wss", "HOST": "h"}, ("https", "h", "h", "443")),
            # what makes no sense does not count
            ({"PROTO": "ftp"}, ("http", "inner:8000", "inner", "8000")),
            ({"PROTO": ""}, ("http", "inner:8000", "inner", "8000")),
            ({"HOST": "a b"}, ("http", "inner:8000", "inner", "8000")),
            ({"HOST": "user@h"}, ("http", "inner:8000", "inner", "8000")),
            ({"HOST": "h/x"}, ("http", "inner:8000", "inner", "8000")),
            ({"HOST": "h:99999"}, ("http", "inner:8000", "inner", "8000")),
            ({"HOST": "h", "PORT": "0443", "PROTO": "https"}, ("https", "h", "h", "443")),
            ({"PORT": "00000008443"}, ("http", "inner:8443", "inner", "8443")),
            ({"HOST": "h:0443", "PROTO": "https"}, ("https", "h:0443", "h", "443")),
            ({"HOST": "h:", "PROTO": "https"}, ("https", "h:", "h", "443")),
            ({"PORT": ""}, ("http", "inner:8000", "inner", "8000")),
            ({"PORT": "65535"}, ("http", "inner:65535", "inner", "65535")),
            ({"PORT": "65536"}, ("http", "inner:8000", "inner", "8000")),
            ({"PORT": "-1"}, ("http", "inner:8000", "inner", "8000")),
            ({"PORT": "0"}, ("http", "inner:8000", "inner", "8000")),
            ({"PORT": "٣"}, ("http", "inner:8000", "inner", "8000")),
            ({"PORT": "9" * 5000}, ("http", "inner:8000", "inner", "8000")),
        ],
    )
    def test_x_forwarded(self, told: dict[str, str], expected: tuple[str, ...]) -> None:
        extra = {f"HTTP_X_FORWARDED_{name}": value for name, value in told.items()}
        environ = seen(extra, fields=ALL)
        assert tuple(environ[key] for key in SHOWN[2:6]) == expected
        assert (environ.get("HTTPS") == "on") == (expected[0] == "https")

    @pytest.mark.parametrize(
        ("name", "value"),
        [("PROTO", "ftp"), ("HOST", "evil/x"), ("PORT", "65536"), ("PORT", "x"), ("PREFIX", "//evil")],
    )
    def test_what_makes_no_sense_does_not_stay(self, name: str, value: str) -> None:
        """An application that reads the field itself might make something of it."""
        key = f"HTTP_X_FORWARDED_{name}"
        assert key not in seen({key: value}, fields=ALL)

    def test_forwarded(self) -> None:
        environ = seen(
            {"HTTP_FORWARDED": 'for="[2001:db8::1]:99";Proto=https;HOST="www.example.org:8443";by=_me'},
            header="forwarded",
        )
        assert [environ[key] for key in SHOWN[:6]] == [
            "2001:db8::1", "99", "https", "www.example.org:8443", "www.example.org", "8443",
        ]  # fmt: skip

    def test_forwarded_as_far_as_fields_says(self) -> None:
        environ = seen({"HTTP_FORWARDED": EVERYTHING["HTTP_FORWARDED"]}, header="forwarded", fields=["for"])
        assert [environ.get(key) for key in SHOWN[:4]] == ["6.6.6.6", None, "http", "inner:8000"]

    def test_back_to_http(self) -> None:
        environ = seen({"HTTP_X_FORWARDED_PROTO": "http", "wsgi.url_scheme": "https", "HTTPS": "on"})
        assert environ["wsgi.url_scheme"] == "http" and "HTTPS" not in environ


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("/app", "/app"),
        ("/app/", "/app"),
        ("/a/b", "/a/b"),
        ("/a%20b", "/a b"),
        ("/gr%C3%B6", "/gr\xc3\xb6"),
        ("/", ""),
        ("", ""),
        ("app", ""),
        ("//evil.example", ""),
        ("/a//b", ""),
        ("/../x", ""),
        ("/%2e%2e/x", ""),
        ("/%2F/x", ""),
        ("/a%00", ""),
        ("/a%0d%0aX: y", ""),
        ("/\\evil", ""),
        ("/%5Cevil", ""),
        ("https://evil.example", ""),
    ],
)
def test_prefix(prefix: str, expected: str) -> None:
    extra = {"HTTP_X_FORWARDED_PREFIX": prefix}
    assert seen(extra, fields=ALL)["SCRIPT_NAME"] == expected
    environ = seen({**extra, "SCRIPT_NAME": "/mount"}, fields=ALL)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (expected + "/mount", "/x")


class TestRfc7239:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("", []),
            ("for=1.1.1.1", [{"for": "1.1.1.1"}]),
            ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
            (
                "for=192.0.2.60;proto=http;by=203.0.113.43",
                [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}],
            ),
            ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
            ("for=_SEVKISEK , for=unknown", [{"for": "_SEVKISEK"}, {"for": "unknown"}]),
            (r'for="a\"b\\c"', [{"for": 'a"b\\c'}]),
            ('for="a,b;c=d"', [{"for": "a,b;c=d"}]),
            ("for=a;;proto=b;", [{"for": "a", "proto": "b"}]),
            (", ,for=a,,", [{"for": "a"}]),
            ("for=a ; proto=b", [{"for": "a", "proto": "b"}]),
            ('for=""', [{"for": ""}]),
        ],
    )
    def test_fields(self, value: str, expected: list[dict[str, str]]) -> None:
        assert parse_forwarded(value) == expected

    @pytest.mark.parametrize(
        "value",
        ["for", "for=", 'for="a', 'for="a"b', "for=[::1]", "for=1.1.1.1:80", "for = a", "for=a b", "=a", "for=a;for=b",
         'for="a\\', '"for"=a', "for=ä", "for=a\n"],
    )  # fmt: skip
    def test_malformed_ones(self, value: str) -> None:
        assert parse_forwarded(value) is None

    @pytest.mark.parametrize("smuggled", ['for="', 'for="x', 'a="b";for="', 'for="\\'])
    @pytest.mark.parametrize(
        "written", ["for=1.1.1.1", 'for="[2001:db8::1]:80"', 'for="1.1.1.1:80";proto=https']
    )
    def test_a_quotation_mark_left_open_hides_nobody(self, smuggled: str, written: str) -> None:
        app = App()
        proxied = ProxyFix(app, trusted=[PROXY], header="forwarded")
        called = Called(proxied, REMOTE_ADDR=PROXY, HTTP_FORWARDED=f"{smuggled}, {written}")
        assert called.status == "400 Bad Request" and app.seen == {}

    def test_a_malformed_one_of_a_stranger_is_removed(self) -> None:
        assert "HTTP_FORWARDED" not in seen(
            {"HTTP_FORWARDED": 'for="', "REMOTE_ADDR": "1.1.1.1"}, header="forwarded"
        )

    def test_parsing_is_linear(self) -> None:
        for value in (
            'for="' + "\\" * 100_000,
            "for=a;" * 30_000 + '"',
            "," * 30_000 + '"',
            " " * 30_000 + '"',
        ):
            assert parse_forwarded(value) is None

    def test_a_node_of_many_colons(self) -> None:
        assert parse_node(":" * 100_000) == (None, "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"trusted": []}, "names nobody"),
        ({"trusted": ""}, "names nobody"),
        ({"trusted": ["10.0.0.1/8"]}, "no address and no network"),
        ({"trusted": ["*"]}, "no address and no network"),
        ({"trusted": ["proxy"]}, "no address and no network"),
        ({"trusted": ["::1"], "header": "both"}, "header is 'both'"),
        ({"trusted": ["::1"], "fields": "for"}, "fields is 'for'"),
        ({"trusted": ["::1"], "fields": ["for", "by"]}, "fields is"),
        ({"trusted": ["::1"], "fields": ["prefix"], "header": "forwarded"}, "fields is"),
        ({"trusted": ["::1"], "hops": 0}, "hops is 0"),
        ({"trusted": ["::1"], "hops": True}, "hops is True"),
        ({"trusted": ["::1"], "hops": "2"}, "hops is '2'"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        ProxyFix(App(), **options)
    assert len(str(caught.value).splitlines()) <= 6


def test_through_the_server() -> None:
    app = App()
    with serving(ProxyFix(app, trusted=["127.0.0.0/8"], fields=["for", "proto", "host"])) as server:
        server.get("/", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https",
                   "X-Forwarded-Host: www.example.org")  # fmt: skip
        assert server.log == ""
    assert client(app.seen) == ("1.2.3.4", None)
    assert (app.seen["wsgi.url_scheme"], app.seen["HTTP_HOST"]) == ("https", "www.example.org")
