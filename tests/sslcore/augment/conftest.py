"""Each test of views runs twice: with the compiled functions, and with PyTorch's in their place."""

import pytest

from sslcore.compiled import available


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return which of the two is at work; skip where numba is not installed."""
    way: str = request.param
    if way == "torch":
        monkeypatch.setattr(available, "_module", lambda name: None)
    elif available.compiled("views") is None:
        pytest.skip("numba is not installed, or SSLFLOW_COMPILED=0 is set")
    return way
