"""basic-auth: RFC 7617, the two formats of hashes, and the cost of an answer."""

import io
import subprocess
import sys
import threading
from base64 import b64encode
from typing import Any

import pytest

from pronghorn.apps.middleware import passwords
from pronghorn.apps.middleware.basic_auth import BasicAuth, main
from pronghorn.apps.middleware.passwords import Hash
from pronghorn.errors import ConfigError
from tests.apps.middleware.calling import App, Called
from tests.serving import serving


def cheap(password: str) -> str:
    """At no cost, which is for tests only."""
    return "scrypt:2:1:1$salt$" + Hash("scrypt", (2, 1, 1), "salt", b"").digest(password).hex()


def pbkdf2(password: str, iterations: int, length: int = 32) -> str:
    made = Hash("sha256", (iterations,), "salt", bytes(length)).digest(password).hex()
    return f"pbkdf2:sha256:{iterations}$salt${made}"


USERS = {"ann": cheap("secret"), "bob": cheap("pass:word"), "jörg": cheap("Füße"), "empty": cheap("")}


def basic(credentials: str | bytes, scheme: str = "Basic") -> str:
    octets = credentials.encode() if isinstance(credentials, str) else credentials
    return f"{scheme} {b64encode(octets).decode()}"


def ask(given: str | None, **options: Any) -> tuple[Called, dict[str, Any]]:
    app = App()
    return Called(BasicAuth(app, users=USERS, **options), HTTP_AUTHORIZATION=given), app.seen


class TestRfc7617:
    @pytest.mark.parametrize(
        ("credentials", "user"),
        [
            ("ann:secret", "ann"),
            ("bob:pass:word", "bob"),
            ("jörg:Füße", "jörg"),
            ("jo\u0308rg:Fu\u0308ße", "jörg"),  # NFD, as macOS types it
            ("empty:", "empty"),
        ],
    )
    @pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
    def test_the_right_ones(self, credentials: str, user: str, scheme: str) -> None:
        called, seen = ask(basic(credentials, scheme))
        assert called.status == "200 OK"
        assert seen["REMOTE_USER"] == user.encode().decode("latin-1")
        assert seen["AUTH_TYPE"] == "Basic"
        assert "HTTP_AUTHORIZATION" not in seen

    @pytest.mark.parametrize(
        "given",
        [
            None,
            "",
            "Basic",
            "Basic ",
            "Basic !!!!",
            "Basic YW5uOnNlY3JldA",  # cut off
            "Bearer YW5uOnNlY3JldA==",
            "BasicYW5uOnNlY3JldA==",
            basic("ann"),
            basic("ann:wrong"),
            basic("ann:secret "),
            basic("Ann:secret"),
            basic(":secret"),
            basic(" ann:secret"),
            basic("ann:secret\0"),
            basic("nobody:secret"),
            basic("bob:pass"),
            basic("jörg:Füße".encode("latin-1")),
            basic("ann:" + "x" * 5000),
            "Basic \xff",
        ],
    )
    def test_all_others(self, given: str | None) -> None:
        called, seen = ask(given)
        assert called.status == "401 Unauthorized" and seen == {}
        assert called.one("WWW-Authenticate") == 'Basic realm="Restricted", charset="UTF-8"'
        assert called.body and b"ann" not in called.body

    def test_the_realm_is_quoted(self) -> None:
        called, _ = ask(None, realm='a "b" \\c')
        assert called.one("WWW-Authenticate") == r'Basic realm="a \"b\" \\c", charset="UTF-8"'

    def test_head_has_no_content(self) -> None:
        assert Called(BasicAuth(App(), users=USERS), REQUEST_METHOD="HEAD").body == b""

    def test_the_password_goes_on_by_option(self) -> None:
        _, seen = ask(basic("ann:secret"), keep_password=True)
        assert seen["HTTP_AUTHORIZATION"] == basic("ann:secret")


class TestCost:
    @pytest.fixture
    def hashed(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The passwords that were hashed."""
        done: list[str] = []
        digest = Hash.digest

        def counted(self: Hash, password: str) -> bytes:
            done.append(password)
            return digest(self, password)

        monkeypatch.setattr(Hash, "digest", counted)
        return done

    def test_what_is_right_is_hashed_once(self, hashed: list[str]) -> None:
        auth = BasicAuth(App(), users=USERS)
        for _ in range(5):
            assert Called(auth, HTTP_AUTHORIZATION=basic("ann:secret")).status == "200 OK"
        assert hashed == ["secret"]

    def test_what_is_wrong_is_hashed_each_time_as_is_a_name_that_nobody_has(self, hashed: list[str]) -> None:
        auth = BasicAuth(App(), users=USERS)
        for credentials in ("ann:a", "ann:a", "nobody:b", "nobody:secret"):
            assert Called(auth, HTTP_AUTHORIZATION=basic(credentials)).status == "401 Unauthorized"
        assert hashed == ["a", "a", "b", "secret"]

    def test_any_name_costs_one_hash_of_each_kind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Otherwise time would tell who moved to the new kind already, and so who is there."""
        entries = {"old": pbkdf2("a", 1), "older": pbkdf2("b", 2), "long": pbkdf2("c", 1, 64), "new": cheap("d"),
                   "other": cheap("e")}  # fmt: skip
        costs: list[Any] = []
        digest = Hash.digest

        def counted(self: Hash, password: str) -> bytes:
            costs.append((self.method, self.costs, len(self.expected)))
            return digest(self, password)

        auth = BasicAuth(App(), users=entries)
        monkeypatch.setattr(Hash, "digest", counted)
        paid = []
        for credentials in (
            "old:x",
            "older:x",
            "long:x",
            "new:x",
            "other:x",
            "nobody:x",
            "nobody:a",
            "other:e",
        ):
            expected = "200 OK" if credentials == "other:e" else "401 Unauthorized"
            assert Called(auth, HTTP_AUTHORIZATION=basic(credentials)).status == expected
            paid.append(costs.copy())
            costs.clear()
        assert all(cost == paid[0] for cost in paid) and len(paid[0]) == len(set(paid[0])) == 4
        for name, password in (("old", "a"), ("older", "b"), ("long", "c"), ("new", "d")):
            assert Called(auth, HTTP_AUTHORIZATION=basic(f"{name}:{password}")).status == "200 OK"

    def test_who_guesses_does_not_take_all_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        auth = BasicAuth(App(), users=USERS)
        right = basic("ann:secret")
        assert Called(auth, HTTP_AUTHORIZATION=right).status == "200 OK"
        turns: threading.Semaphore = threading.Semaphore(0)
        waiting, answers = threading.Semaphore(0), []
        acquire = auth._turns.acquire

        def counted(blocking: bool = True) -> bool:
            got = acquire(blocking)
            waiting.release()
            return got

        def slow(self: Hash, password: str) -> bytes:
            assert turns.acquire(timeout=10)
            return b""

        monkeypatch.setattr(auth._turns, "acquire", counted)
        monkeypatch.setattr(Hash, "digest", slow)

        def guess() -> None:
            answers.append(Called(auth, HTTP_AUTHORIZATION=basic("ann:wrong")).status)

        guesses = [threading.Thread(target=guess) for _ in range(3)]
        for thread in guesses:
            thread.start()
            assert waiting.acquire(timeout=10)
        for method, shown in (("GET", True), ("HEAD", False)):
            called = Called(auth, HTTP_AUTHORIZATION=basic("ann:guess"), REQUEST_METHOD=method)
            assert (called.status, called.one("Retry-After")) == ("503 Service Unavailable", "1")
            assert (b"Try again" in called.body) == shown
        assert Called(auth, HTTP_AUTHORIZATION=right).status == "200 OK", "who was right once does not wait"
        assert answers == []
        turns.release(4)
        for thread in guesses:
            thread.join(10)
        assert answers == ["401 Unauthorized"] * 3
        assert Called(auth, HTTP_AUTHORIZATION=basic("ann:wrong")).status == "401 Unauthorized"

    def test_the_memory_of_what_was_right_is_bounded(self) -> None:
        auth = BasicAuth(App(), users=USERS)
        for spaces in range(900):  # all of them the same credentials
            assert (
                Called(auth, HTTP_AUTHORIZATION="Basic " + " " * spaces + basic("ann:secret")[6:]).status
                == "200 OK"
            )
        for spaces in range(900):
            given = "BASIC " + " " * spaces + basic("ann:secret")[6:]
            assert Called(auth, HTTP_AUTHORIZATION=given).status == "200 OK"
        assert len(auth._verified) == 1024

    def test_no_password_is_kept(self) -> None:
        auth = BasicAuth(App(), users=USERS)
        Called(auth, HTTP_AUTHORIZATION=basic("ann:secret"))
        assert "secret" not in repr(vars(auth)) and basic("ann:secret")[6:] not in repr(vars(auth))


class TestHashes:
    def test_those_that_werkzeug_writes(self) -> None:
        """Computed with hashlib as its documentation says: salt as text, 64 octets; PBKDF2 as long as its digest."""
        import hashlib

        scrypt = hashlib.scrypt(
            b"secret", salt=b"Sa1t", n=32768, r=8, p=1, maxmem=132 * 32768 * 8, dklen=64
        ).hex()
        assert Hash.parse(f"scrypt:32768:8:1$Sa1t${scrypt}").fits("secret")
        pbkdf2 = hashlib.pbkdf2_hmac("sha256", b"secret", b"Sa1t", 1000).hex()
        assert Hash.parse(f"pbkdf2:sha256:1000$Sa1t${pbkdf2}").fits("secret")
        assert not Hash.parse(f"pbkdf2:sha256:1001$Sa1t${pbkdf2}").fits("secret")

    def test_a_new_one_fits_and_no_two_are_equal(self) -> None:
        made = passwords.make("pässword")
        assert made.startswith("scrypt:32768:8:1$")
        assert Hash.parse(made).fits("pässword") and not Hash.parse(made).fits("password")
        assert passwords.make("pässword") != made

    @pytest.mark.parametrize(
        ("entry", "said"),
        [
            ("secret", "not of the form"),
            ("", "not of the form"),
            (7, "not of the form"),
            ("$2b$12$abcdefghijklmnopqrstuv", "not of the form"),
            ("scrypt:2:1:1$salt$xyz", "not hexadecimal"),
            ("scrypt:2:1:1$salt$abcd", "cut off"),
            ("scrypt:2:1:1$$" + "ab" * 64, "cut off"),
            ("md5:1$salt$" + "ab" * 16, "neither scrypt"),
            ("scrypt:2:1$salt$" + "ab" * 64, "neither scrypt"),
            ("scrypt:3:1:1$salt$" + "ab" * 64, "out of range"),
            ("scrypt:1048576:16:1$salt$" + "ab" * 64, "out of range"),
            ("pbkdf2:md5:1000$salt$" + "ab" * 32, "neither scrypt"),
            ("pbkdf2:sha256:0$salt$" + "ab" * 32, "neither scrypt"),
        ],
    )
    def test_others(self, entry: Any, said: str) -> None:
        with pytest.raises(ConfigError) as caught:
            BasicAuth(App(), users={"ann": entry})
        assert said in str(caught.value) and "'ann'" in str(caught.value)
        assert not entry or str(entry) not in str(caught.value), "it might be a password"

    @pytest.mark.parametrize(
        ("options", "said"),
        [({"users": {}}, "names nobody"), ({"users": ["ann"]}, "names nobody"), ({"users": {"a:b": ""}}, "user's name"),
         ({"users": {"": ""}}, "user's name"), ({"users": USERS, "realm": "ü"}, "realm"),
         ({"users": USERS, "realm": "a\nb"}, "realm")],
    )  # fmt: skip
    def test_options_that_cannot_be_meant(self, options: dict[str, Any], said: str) -> None:
        with pytest.raises(ConfigError, match=said):
            BasicAuth(App(), **options)


class TestCommand:
    def test_it_prints_an_entry(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "pronghorn.apps.middleware.basic_auth", "ann"],
            input="secret\n", capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        import tomllib

        users = tomllib.loads(done.stdout)
        assert list(users) == ["ann"] and Hash.parse(users["ann"]).fits("secret")

    @pytest.mark.parametrize(
        ("arguments", "code"), [([], 2), (["a", "b"], 2), (["--help"], 2), (["a:b"], 2), (["ann"], 1)]
    )
    def test_it_refuses(
        self,
        arguments: list[str],
        code: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        assert main(arguments) == code
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err


def test_through_the_server() -> None:
    with serving(BasicAuth(App(), users=USERS)) as server:
        refused = server.get("/", "Accept: text/html")
        assert refused.status == 401 and refused.body.startswith(b"<!DOCTYPE html>")
        assert server.get("/", f"Authorization: {basic('ann:secret')}").status == 200
        assert server.log == ""
