from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apps.static.harness import write


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A root with a secret beside it."""
    directory = tmp_path / "root"
    directory.mkdir()
    write(tmp_path, "secret.txt", "SECRET")
    write(tmp_path, "root-secret/secret.txt", "SECRET")
    write(directory, "file.txt", "content of the file")
    write(directory, "sub/index.html", "<h1>index</h1>")
    write(directory, "sub/inner.txt", "inner")
    yield directory
