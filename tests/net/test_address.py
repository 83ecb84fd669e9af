"""Where to listen, as users write it."""

import pytest

from pronghorn.net.address import Address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost:8051", "localhost", 8051),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:8000", "::1", 8000),
        ("[::1]", "::1", 8000),
        ("[fe80::1%lo]:80", "fe80::1%lo", 80),
        (":8000", "0.0.0.0", 8000),
        ("8001", "127.0.0.1", 8001),
        ("example.org", "example.org", 8000),
        ("tcp://127.0.0.1:81", "127.0.0.1", 81),
        ("host:65535", "host", 65535),
    ],
)
def test_tcp(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address("tcp", host=host, port=port)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:run/site.sock", Address("unix", path="run/site.sock")),
        ("unix:/run/site.sock,mode=660", Address("unix", path="/run/site.sock", mode=0o660)),
        ("unix:///run/site.sock", Address("unix", path="/run/site.sock")),
        ("unix:a,b.sock,mode=0600", Address("unix", path="a,b.sock", mode=0o600)),
        ("unix:with space.sock", Address("unix", path="with space.sock")),
        ("unix:@site", Address("abstract", path="site")),
        ("fd://3", Address("fd", fd=3)),
    ],
)
def test_other_kinds(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "host:port"),
        (" 127.0.0.1:80", "host:port"),
        ("http://127.0.0.1:8000", "no scheme"),
        ("127.0.0.1:port", "0 to 65535"),
        ("127.0.0.1:", "0 to 65535"),
        ("127.0.0.1:65536", "0 to 65535"),
        ("127.0.0.1:-1", "0 to 65535"),
        ("127.0.0.1:٣", "0 to 65535"),
        ("::1", "[::1]:8000"),
        ("::1:8000", "[::1]:8000"),
        ("[::1", "[::1]:8000"),
        ("[::1]8000", "[::1]:8000"),
        ("[]:80", "[::1]:8000"),
        ("127.0.0.1:80,mode=600", "0 to 65535"),
        ("run/site.sock", "unix:path"),
        ("unix:", "no path"),
        ("unix:@", "no name"),
        ("unix:x,mode=888", "octal"),
        ("unix:x,mode=", "octal"),
        ("unix:\0x", "NUL"),
        ("fd://", "number"),
        ("fd://x y", "number"),
        ("fd://x/1", "number"),
    ],
)
def test_what_is_no_address_is_told_in_a_sentence(text: str, hint: str) -> None:
    with pytest.raises(ValueError) as caught:
        Address.parse(text)
    assert hint in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    "text", ["127.0.0.1:80", "[::1]:80", "unix:x.sock", "unix:x.sock,mode=660", "unix:@x", "fd://3"]
)
def test_str_is_what_was_parsed(text: str) -> None:
    assert str(Address.parse(text)) == text
