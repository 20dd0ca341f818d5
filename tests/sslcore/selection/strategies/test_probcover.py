"""Balls of one radius, against plain loops."""

import numpy as np
import pytest

from sslcore.selection import select


@pytest.mark.parametrize("seed", range(50))
def test_coverage_is_what_plain_loops_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(10, 3)).astype(np.float32).astype(np.float64)
    got = select(x, 4, strategy="probcover", seed=seed)
    covered: set[int] = set()
    radius = None
    for row, gain, own in zip(got.indices, got.columns["coverage_gain"], got.columns["radius"], strict=True):
        if own != radius:  # halved: what is covered is counted anew
            radius = own
            before = got.indices[: got.indices.tolist().index(row)]
            covered = {i for other in before for i in range(10) if np.linalg.norm(x[i] - x[other]) <= own}
        ball = {i for i in range(10) if np.linalg.norm(x[i] - x[row]) <= own}
        assert gain == pytest.approx(len(ball - covered) / 10)
        covered |= ball
