"""Packages whose names are imported when they are first used."""

import subprocess
import sys
from types import ModuleType

import pytest

import sslcore.data
import sslcore.embedding

PACKAGES = pytest.mark.parametrize("package", [sslcore.data, sslcore.embedding], ids=lambda p: p.__name__)


@PACKAGES
def test_every_public_name_is_there(package: ModuleType) -> None:
    for name in package.__all__:
        assert getattr(package, name).__name__ == name


@PACKAGES
def test_other_names_are_not(package: ModuleType) -> None:
    with pytest.raises(AttributeError, match=rf"{package.__name__}' has no attribute 'nonsense'"):
        getattr(package, "nonsense")  # noqa: B009 - mypy knows that it is not there


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("sslcore.data.ingest", "torch"),
        ("sslcore.selection", "torchvision"),
        ("sslcore.embedding.search", "torchvision"),
        ("sslcore.labels", "torchvision"),
    ],
)
def test_what_is_not_needed_is_not_imported(module: str, unwanted: str) -> None:
    code = f"import sys, {module}; raise SystemExit({unwanted!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
