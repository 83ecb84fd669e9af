"""Fixtures that several folders use, and what is left out where modules are compiled."""

import subprocess
from pathlib import Path

import pytest

from pronghorn.cli import compiled_modules
from tests.command import folder, start
from tests.modules import write

__all__ = ["folder", "start", "write"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PEM file: one that signs itself, for 127.0.0.1, and its key."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", path.with_suffix(".key"), "-out", path, "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + path.with_suffix(".key").read_bytes())
    return path


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """`source`: tests that look into a class in a way which compiled ones do not allow."""
    if compiled_modules():
        left_out = [item for item in items if item.get_closest_marker("source")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
