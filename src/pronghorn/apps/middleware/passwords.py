"""Passwords as they are kept in a file: slow to try. Werkzeug writes and reads the same.

    scrypt:N:R:P$SALT$HEX               scrypt:32768:8:1$Qm...$9f86...
    pbkdf2:DIGEST:ITERATIONS$SALT$HEX   pbkdf2:sha256:600000$Qm...$9f86...

SALT is the text itself, not an encoding of it. What a password is hashed as: its UTF-8 in NFC.
"""

import hashlib
import secrets
from hmac import compare_digest
from typing import NamedTuple

_N, _R, _P = 32768, 8, 1
"""32 MiB and some 50 ms, in the range of OWASP's advice of 2023."""

_MEMORY_MOST = 1 << 30
"""A larger cost is a typing mistake: each log-in would take a gibibyte."""


def make(password: str) -> str:
    """A new entry for this password."""
    entry = Hash("scrypt", (_N, _R, _P), secrets.token_urlsafe(16), b"")
    return f"scrypt:{_N}:{_R}:{_P}${entry.salt}${entry.digest(password).hex()}"


class Hash(NamedTuple):
    """One entry, taken apart. `method`: "scrypt", or the digest of PBKDF2."""

    method: str
    costs: tuple[int, ...]
    salt: str
    expected: bytes

    @classmethod
    def parse(cls, entry: str) -> "Hash":
        """Raises ValueError that says why, without the entry."""
        if not isinstance(entry, str) or entry.count("$") != 2:
            raise ValueError("it is not of the form METHOD$SALT$HEX")
        method, salt, digits = entry.split("$")
        name, *parameters = method.split(":")
        try:
            expected = bytes.fromhex(digits)
        except ValueError:
            raise ValueError("the part after the last $ is not hexadecimal") from None
        if len(expected) < 16 or not salt:
            raise ValueError("it is cut off")
        found = cls._by_method(name, parameters, salt, expected)
        if found is None:
            raise ValueError("its method is neither scrypt:N:R:P nor pbkdf2:DIGEST:ITERATIONS")
        return found

    @classmethod
    def _by_method(cls, name: str, parameters: list[str], salt: str, expected: bytes) -> "Hash | None":
        numbers = [int(text) for text in parameters if text.isascii() and text.isdigit() and len(text) < 10]
        if name == "scrypt" and len(numbers) == len(parameters) == 3:
            n, r, p = numbers
            if n < 2 or n & (n - 1) or not r or not p or 128 * n * r * p > _MEMORY_MOST:
                raise ValueError(
                    "its cost is out of range: N is a power of two, and 128 * N * R * P at most 1 GiB"
                )
            return cls("scrypt", (n, r, p), salt, expected)
        if name == "pbkdf2" and len(parameters) == 2 and len(numbers) == 1:
            if parameters[0] not in ("sha1", "sha256", "sha512") or not numbers[0]:
                return None
            return cls(parameters[0], (numbers[0],), salt, expected)
        return None

    @property
    def kind(self) -> tuple[str, tuple[int, ...], int]:
        """Two of one kind take the same time; PBKDF2 takes longer for more octets."""
        return self.method, self.costs, len(self.expected)

    def fits(self, password: str) -> bool:
        """In a time that does not depend on how much of it is right."""
        return compare_digest(self.digest(password), self.expected)

    def digest(self, password: str) -> bytes:
        """As long as the one expected."""
        octets, salt = password.encode("utf-8", "surrogatepass"), self.salt.encode()
        length = len(self.expected) or 64
        if self.method != "scrypt":
            return hashlib.pbkdf2_hmac(self.method, octets, salt, self.costs[0], length)
        n, r, p = self.costs
        return hashlib.scrypt(
            octets, salt=salt, n=n, r=r, p=p, maxmem=132 * n * r * p + 1024 * r, dklen=length
        )
