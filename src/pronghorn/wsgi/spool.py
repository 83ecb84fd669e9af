"""A file without a name, for octets that are too many for memory.

As tempfile.TemporaryFile, in the same directories. That would cost each process 0.6 MB (random, shutil and
what they import), and to import it when it is needed would be too late: a busy server may lack descriptors.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

_NOT_HERE = (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS)
"""The next directory may do."""


def temporary_file() -> BinaryIO:
    """Empty, for reading and writing; gone when it is closed. Any thread. Raises OSError."""
    refused: OSError | None = None
    for directory in _directories():
        try:
            return open(_without_name(directory), "w+b")
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            refused = error
    assert refused is not None
    raise refused


def _directories() -> Iterator[str]:
    """Those of the module tempfile, in its order."""
    for variable in ("TMPDIR", "TEMP", "TMP"):
        if os.environ.get(variable):
            yield os.environ[variable]
    yield from ("/tmp", "/var/tmp", "/usr/tmp", os.curdir)


def _without_name(directory: str) -> int:
    """A descriptor. Raises OSError."""
    if hasattr(os, "O_TMPFILE"):
        # Some file systems cannot, and say so in many ways; other errors come again below.
        with suppress(OSError):
            return os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    path = os.path.join(directory, f"pronghorn-{os.urandom(16).hex()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    os.unlink(path)
    return descriptor
