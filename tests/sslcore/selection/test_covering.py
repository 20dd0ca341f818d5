"""maxherding, probcover and dpp against the greedy choice in plain loops."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.selection import select
from sslcore.selection.coverage import ONE, Coverage, Grid, fill_kernel, gaussian, top_hat
from sslcore.selection.covering import kernel_width
from sslcore.selection.strategies.probcover import pure_radius
from sslcore.selection.vectors import Vectors


def unit(n: int, d: int, seed: int) -> NDArray[np.float32]:
    x = np.random.default_rng(seed).normal(size=(n, d))
    return np.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), np.float32)


def greedy(kernel: list[list[int]], k: int, labelled: list[int]) -> list[int]:
    """Pick what adds most to the sum of largest kernels; ties to the lowest."""
    n = len(kernel)
    best = [max((kernel[i][j] for j in labelled), default=0) for i in range(n)]
    picks: list[int] = []
    while len(picks) < k:
        open_ = [u for u in range(n) if u not in picks and u not in labelled]
        pick = max(open_, key=lambda u: (sum(max(kernel[i][u] - best[i], 0) for i in range(n)), -u))
        best = [max(best[i], kernel[i][pick]) for i in range(n)]
        picks.append(pick)
    return picks


def kernel_in_loops(x: NDArray[Any], sigma: float) -> list[list[int]]:
    return [
        [round(ONE * math.exp(-(math.dist(a, b) ** 2) / sigma**2)) for b in x.tolist()] for a in x.tolist()
    ]


@pytest.mark.parametrize("labelled", [[], [4, 17]])
@pytest.mark.parametrize("lengths", [1.0, 30.0])
def test_maxherding_equals_plain_loops(labelled: list[int], lengths: float) -> None:
    x = unit(60, 4, seed=2) * np.float32(lengths)
    x[40:50] = x[:10]
    sigma = 1.0 if lengths == 1 else math.sqrt(sum(float(row @ row) for row in x.astype(np.float64)) / 60)
    got = select(x, 25, strategy="maxherding", labelled=labelled)
    assert got.indices.tolist() == greedy(kernel_in_loops(x, sigma), 25, labelled)
    assert got.gains is not None
    assert (np.diff(got.gains) <= 0).all()


def test_gains_add_up_to_the_coverage() -> None:
    x = unit(80, 4, seed=3)
    got = select(x, 10, strategy="maxherding")
    kernel = np.array(kernel_in_loops(x, 1.0))[:, got.indices]
    assert got.gains is not None
    assert got.gains.sum() == pytest.approx(kernel.max(axis=1).mean() / ONE)
    assert got.reasons[0].endswith("% more of the pool than what is chosen or labelled")


def test_a_large_pool_is_covered_almost_as_well_from_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    x = unit(900, 6, seed=4)
    whole = select(x, 40, strategy="maxherding")
    for name, value in (("WHOLE", 1000), ("SAMPLED", 400), ("CANDIDATES", 500), ("REDRAW", 25)):
        monkeypatch.setattr(f"sslcore.selection.covering.{name}", value)
    sampled = select(x, 40, strategy="maxherding")
    kernel = np.exp(-((x[:, None] - x[None]) ** 2).sum(axis=2))
    reached = [kernel[:, got.indices].max(axis=1).mean() for got in (whole, sampled)]
    assert reached[1] > 0.97 * reached[0]
    assert select(x, 60, strategy="maxherding").indices[:40].tolist() == sampled.indices.tolist()


@pytest.mark.parametrize("fine", [True, False])
def test_products_on_the_grid_are_exact(fine: bool) -> None:
    x = unit(300, 100, seed=5).astype(np.float64) * 37.0
    grid = Grid(Vectors(x), fine=fine)
    steps = np.rint(x / grid.step).astype(np.int64).astype(object)
    rows = grid.rows(np.arange(300))
    got = grid.squared(rows, rows) / grid.step**2
    for i, j in ((0, 1), (7, 7), (299, 3)):
        assert got[i, j] == sum((a - b) ** 2 for a, b in zip(steps[i], steps[j], strict=True))
    assert np.array_equal(grid.squared(rows[:177], rows) / grid.step**2, got[:177])


def test_weights_count_as_copies_of_references() -> None:
    x = unit(30, 3, seed=6)
    everyone = np.arange(30)
    kernel = fill_kernel(Grid(Vectors(x)), everyone, everyone, gaussian(1.0))
    weights = np.arange(30) % 3
    weighted = Coverage(kernel, np.zeros(30, np.int16), weights)
    repeated = kernel[torch.from_numpy(np.repeat(everyone, weights))]
    plain = Coverage(repeated, np.zeros(len(repeated), np.int16))
    for pick in (4, 9):
        weighted.add(kernel[:, pick])
        plain.add(repeated[:, pick])
        assert weighted.gains.tolist() == plain.gains.tolist()


@pytest.mark.parametrize("weighted", [False, True])
def test_gains_are_the_same_compiled_and_not(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    kernel = torch.from_numpy(rng.integers(0, ONE, (40, 50)).astype(np.int16))
    weights = rng.integers(0, 2**20, 40) if weighted else None
    gains = []
    for worth in (2**60, 0):
        monkeypatch.setattr("sslcore.selection.coverage.WORTH", worth)
        coverage = Coverage(kernel, np.zeros(40, np.int16), weights)
        for column in (3, 11, 12):
            coverage.add(kernel[:, column].contiguous())
        gains.append(coverage.gains.tolist())
    assert gains[0] == gains[1]
    assert max(gains[0]) > 0


def test_kernels_of_two_sets_and_of_one_agree() -> None:
    grid, everyone = Grid(Vectors(unit(1100, 5, seed=7))), np.arange(1100)
    whole = fill_kernel(grid, everyone, everyone, top_hat(0.7))
    part = fill_kernel(grid, everyone[5:], everyone[3:900], top_hat(0.7))
    assert torch.equal(whole[5:, 3:900], part)
    assert whole.diagonal().tolist() == [ONE] * 1100


def test_probcover_equals_plain_loops() -> None:
    x = unit(70, 3, seed=8)
    got = select(x, 5, strategy="probcover", labelled=[2], seed=1)
    radius = float(got.columns["radius"][0])
    assert set(got.columns["radius"]) == {radius}
    balls = [[int(math.dist(a, b) <= radius) for b in x.tolist()] for a in x.tolist()]
    assert got.indices.tolist() == greedy(balls, 5, [2])


def test_the_radius_is_the_largest_whose_balls_are_pure() -> None:
    rng = np.random.default_rng(9)
    x = np.concatenate([rng.normal(size=(40, 2)) * 0.1, rng.normal(size=(40, 2)) * 0.1 + [5.0, 0.0]])
    run = select(x, 1, strategy="random", labels=[0, 1] + [-1] * 78).run
    assert run is not None
    radius = pure_radius(run.pool, seed=0)
    nearest_other = [min(math.dist(a, b) for b in x[40 * (1 - i // 40) :][:40]) for i, a in enumerate(x)]
    assert sum(d > radius for d in nearest_other) / 80 >= 0.95
    assert sum(d > radius * 1.0001 for d in nearest_other) / 80 < 0.96


def test_when_everything_is_covered_the_radius_is_halved() -> None:
    got = select(unit(40, 3, seed=1), 30, strategy="probcover")
    assert (np.diff(got.columns["radius"]) <= 0).all()
    assert got.columns["radius"][-1] < got.columns["radius"][0]


@pytest.mark.parametrize("labelled", [[], [1, 8]])
def test_dpp_picks_the_largest_determinant(labelled: list[int]) -> None:
    x = unit(24, 4, seed=10)
    quality = 0.5 + np.random.default_rng(1).random(24)
    kernel = np.exp(-((x[:, None].astype(np.float64) - x[None]) ** 2).sum(axis=2)) * np.outer(
        quality, quality
    )
    chosen, picks = list(labelled), []
    for _ in range(8):
        open_ = [i for i in range(24) if i not in chosen]
        picks.append(
            max(open_, key=lambda i: float(np.linalg.det(kernel[np.ix_([*chosen, i], [*chosen, i])])))
        )
        chosen.append(picks[-1])
    got = select(x, 8, strategy="dpp", labelled=labelled, scores={"quality": quality})
    assert got.indices.tolist() == picks
    assert got.gains is not None
    before = np.linalg.slogdet(kernel[np.ix_(labelled, labelled)])[1] if labelled else 0.0
    assert got.gains.sum() == pytest.approx(np.linalg.slogdet(kernel[np.ix_(chosen, chosen)])[1] - before)


def test_sigma_follows_the_lengths_of_vectors() -> None:
    run = select(unit(9, 3, seed=0), 1, strategy="random").run
    assert run is not None
    assert kernel_width(run.pool) == 1.0
    run = select(np.full((4, 4), 3.0), 1, strategy="random").run
    assert run is not None
    assert kernel_width(run.pool) == 6.0
