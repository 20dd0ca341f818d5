"""The compiled sums of coverage, against plain loops."""

import numpy as np
import pytest

from sslcore.compiled import compiled

loops = compiled("coverage")
pytestmark = pytest.mark.skipif(loops is None, reason="numba is not installed, or SSLFLOW_COMPILED=0 is set")


@pytest.mark.parametrize("offset", [0, 3])
def test_sums_between_bounds(offset: int) -> None:
    rng = np.random.default_rng(0)
    kernel = rng.integers(0, 2**15, (50, 5000)).astype(np.int16)
    rows = rng.permutation(50)[:20]
    low = rng.integers(0, 2**14, 20).astype(np.int16)
    high = (low + rng.integers(0, 2**14, 20)).astype(np.int16)
    weights = rng.integers(0, 2**20, 20).astype(np.float64)
    plain, weighted = np.empty(4900, np.int64), np.empty(4900, np.int64)
    loops.between(kernel, rows, low, high, offset, plain)
    loops.weighted_between(kernel, rows, low, high, weights, offset, weighted)
    for column in (0, 1, 2047, 2048, 4899):
        parts = [
            min(max(int(kernel[row, offset + column]), int(a)), int(b)) - int(a)
            for row, a, b in zip(rows, low, high, strict=True)
        ]
        assert plain[column] == sum(parts)
        assert weighted[column] == sum(int(w) * part for w, part in zip(weights, parts, strict=True))


def test_sums_do_not_overflow() -> None:
    kernel = np.full((2, 3), 2**15 - 1, np.int16)
    rows = np.zeros(200_000, np.int64)
    total = np.empty(3, np.int64)
    loops.between(kernel, rows, np.zeros(200_000, np.int16), np.full(200_000, 2**15 - 1, np.int16), 0, total)
    assert total.tolist() == [200_000 * (2**15 - 1)] * 3
