"""The package's own names."""

import subprocess
import sys

import pytest

import sslcore.data


def test_every_public_name_is_there() -> None:
    for name in sslcore.data.__all__:
        assert getattr(sslcore.data, name).__name__ == name


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        getattr(sslcore.data, "nonsense")  # noqa: B009 - mypy knows that it is not there


def test_ingest_imports_no_torch() -> None:
    code = "import sys, sslcore.data.ingest; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
