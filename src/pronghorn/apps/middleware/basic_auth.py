"""For a site that a few people may see: a staging server, an internal page. HTTP Basic (RFC 7617).

    application = BasicAuth(application, users={"ann": "scrypt:32768:8:1$..."}, realm="Staging")

`python -m pronghorn.apps.middleware.basic_auth ann` asks for the password and prints the entry. The
password crosses the network as it is: use TLS.
"""

import sys
import threading
import unicodedata
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from getpass import getpass
from hashlib import blake2b
from hmac import compare_digest
from secrets import token_bytes
from typing import Any

from pronghorn.apps.middleware.passwords import Hash, make
from pronghorn.apps.pages import error_answer
from pronghorn.errors import ConfigError, StartupError

Environ = dict[str, Any]

_WAITING_MOST = 3
"""Requests whose password is being checked, or is the next to be: the others are told to come again."""

_REMEMBERED = 1024
"""Arbitrary: more people than have a password in a file."""

_LONGEST = 1024
"""Octets of credentials; longer ones are not looked at."""


class BasicAuth:
    """A WSGI middleware. Any thread.

    users: name to hash; see pronghorn.apps.middleware.passwords for the two formats.
    realm: what the browser shows when it asks.
    keep_password: leave Authorization in the environ.

    The application finds REMOTE_USER and AUTH_TYPE.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        users: Mapping[str, str],
        realm: str = "Restricted",
        keep_password: bool = False,
    ) -> None:
        if not isinstance(users, Mapping) or not users:
            raise ConfigError("basic-auth: `users` names nobody.", mend=_MEND)
        if not realm.isascii() or not realm.isprintable():
            raise ConfigError(
                f"basic-auth: the realm {realm!r} is not printable ASCII.", mend="RFC 9110 section 11.5"
            )
        self._app = app
        self._users = {_checked_name(name): _hash(name, entry) for name, entry in users.items()}
        self._kinds = {entry.kind: entry for entry in self._users.values()}
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
        self._challenge = f'Basic realm="{quoted}", charset="UTF-8"'
        self._keep = keep_password
        # What was verified, under a keyed hash: no password stays in memory, and no timing tells of one.
        self._key = token_bytes(32)
        self._verified: dict[bytes, str] = {}
        self._hashing = threading.Lock()
        self._remembering = threading.Lock()
        self._turns = threading.BoundedSemaphore(_WAITING_MOST)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "")
        try:
            user = self._user(given) if given else None
        except _TooManyGuesses:
            text = "Too many people ask at once. Try again in a moment."
            fields, body = error_answer("503 Service Unavailable", text, environ)
            start_response("503 Service Unavailable", [*fields, ("Retry-After", "1")])
            return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]
        if user is None:
            return self._refuse(environ, start_response)
        environ["REMOTE_USER"] = user
        environ["AUTH_TYPE"] = "Basic"
        if not self._keep:
            del environ["HTTP_AUTHORIZATION"]
        return self._app(environ, start_response)

    def _user(self, given: str) -> str | None:
        """As REMOTE_USER: UTF-8 octets as latin-1."""
        if len(given) > _LONGEST:
            return None
        token = blake2b(given.encode("latin-1", "replace"), key=self._key, digest_size=32).digest()
        known = self._verified.get(token)
        if known is not None:
            return known
        credentials = _credentials(given)
        if credentials is None or not self._verify(*credentials):
            return None
        user = credentials[0].encode().decode("latin-1")
        with self._remembering:
            if len(self._verified) >= _REMEMBERED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = user
        return user

    def _verify(self, name: str, password: str) -> bool:
        """Any name costs one hash of each kind that there is, so that time does not tell whose it is."""
        stored = self._users.get(name)
        right = False
        # One at a time: each takes a processor and 32 MiB, and everybody may ask for it. Nor may those who
        # guess take all the threads by waiting.
        if not self._turns.acquire(blocking=False):
            raise _TooManyGuesses
        try:
            with self._hashing:
                for kind, somebody in self._kinds.items():
                    if stored is not None and stored.kind == kind:
                        right = stored.fits(password)
                    else:
                        somebody.fits(password)
        finally:
            self._turns.release()
        return right

    def _refuse(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        fields, body = error_answer("401 Unauthorized", "A name and a password are needed here.", environ)
        start_response("401 Unauthorized", [*fields, ("WWW-Authenticate", self._challenge)])
        return [b"" if environ.get("REQUEST_METHOD") == "HEAD" else body]


class _TooManyGuesses(Exception):
    """Hashes are being computed, and others wait for their turn already."""


def _credentials(given: str) -> tuple[str, str] | None:
    """RFC 7617 section 2: (name, password); None if this is something else."""
    scheme, _, encoded = given.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = b64decode(encoded.strip(" "), validate=True).decode("utf-8")
    except ValueError:
        return None
    name, colon, password = text.partition(":")
    if not colon or not name or any(unicodedata.category(letter) == "Cc" for letter in text):
        return None
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", password)


_MEND = "`python -m pronghorn.apps.middleware.basic_auth NAME` asks for a password and prints an entry."


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name or ":" in name or not name.isprintable():
        raise ConfigError(
            f"basic-auth: {name!r} cannot be a user's name.",
            mend="RFC 7617 section 2: no colon, no control character.",
        )
    return unicodedata.normalize("NFC", name)


def _hash(name: str, entry: Any) -> Hash:
    try:
        return Hash.parse(entry)
    except ValueError as error:
        # Without the entry: it might be a password.
        raise ConfigError(f"basic-auth: the hash of {name!r} cannot be read: {error}.", mend=_MEND) from error


def main(arguments: list[str]) -> int:
    """Ask for a password, twice at a terminal, and print a line for `users`."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m pronghorn.apps.middleware.basic_auth NAME", file=sys.stderr)
        return 2
    try:
        name = _checked_name(arguments[0])
    except StartupError as error:
        print(error, file=sys.stderr)
        return 2
    if sys.stdin.isatty():
        password = getpass(f"Password for {name}: ")
        same = compare_digest(getpass("Again: ").encode(), password.encode())
    else:
        password, same = sys.stdin.readline().rstrip("\n"), True
    if not password or not same:
        print("Error: no password." if same else "Error: these were two different ones.", file=sys.stderr)
        return 1
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    print(f'"{quoted}" = "{make(unicodedata.normalize("NFC", password))}"')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
