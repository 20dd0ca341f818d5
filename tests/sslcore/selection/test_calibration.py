"""Temperature scaling against plain loops."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.selection import calibration
from sslcore.selection.calibration import calibrated_predictions, calibration_error, pick_temperature
from sslcore.selection.head import fit_head
from sslcore.selection.pool import Pool
from sslcore.selection.vectors import Vectors


def scaled(pool: Pool) -> NDArray[np.float64]:
    """Return all vectors with mean 0 and a mean squared length of 1."""
    x = pool.vectors.exact(np.arange(len(pool)))
    x = x - x.mean(axis=0)
    found: NDArray[np.float64] = x / np.sqrt((x**2).sum(axis=1).mean())
    return found


def softmax(scores: list[float], temperature: float) -> list[float]:
    powers = [math.exp((score - max(scores)) / temperature) for score in scores]
    return [power / math.fsum(powers) for power in powers]


def error_in_loops(p: list[list[float]], targets: list[int]) -> float:
    total = 0.0
    for number in range(15):
        rows = [row for row in range(len(p)) if number / 15 < max(p[row]) <= (number + 1) / 15]
        if rows:
            right = sum(p[row].index(max(p[row])) == targets[row] for row in rows) / len(rows)
            sure = math.fsum(max(p[row]) for row in rows) / len(rows)
            total += len(rows) / len(p) * abs(right - sure)
    return total


def test_the_error_equals_plain_loops() -> None:
    rng = np.random.default_rng(0)
    p, targets = rng.dirichlet(np.full(4, 0.4), size=60), rng.integers(-1, 4, size=60)
    expected = error_in_loops(p.tolist(), targets.tolist())
    assert calibration_error(p, targets) == pytest.approx(expected, abs=1e-12)


def test_the_error_worked_by_hand() -> None:
    p = np.array([[1.0, 0.0], [1.0, 0.0], [0.65, 0.35]])
    # Sure and half right; 0.65 sure and wrong.
    assert calibration_error(p, np.array([0, 1, 1])) == pytest.approx((2 * 0.5 + 0.65) / 3)


def test_the_temperature_is_that_with_the_least_error() -> None:
    rng = np.random.default_rng(1)
    logits, targets = 6 * rng.normal(size=(40, 3)), rng.integers(0, 3, size=40)
    errors = {}
    for tenths in range(10, 200):
        p = [softmax(row, tenths / 10) for row in logits.tolist()]
        errors[tenths / 10] = round(error_in_loops(p, targets.tolist()), 7)
    least = min(errors.values())
    assert pick_temperature(logits, targets) == min(each for each in errors if errors[each] == least)


def test_a_head_of_all_labels_is_scaled_by_what_a_head_of_70_percent_gets_wrong() -> None:
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(60, 3)), np.full(60, -1)
    labels[:40] = rng.integers(0, 3, size=40)  # noise: a head is too sure of it
    pool = Pool(Vectors(x), np.arange(40, 60), np.arange(40), labels=labels)
    order, z = np.random.default_rng(5).permutation(40), scaled(pool)
    part = fit_head(z[order[:28]], labels[order[:28]])
    temperature = pick_temperature(part.logits(z[order[28:]]), labels[order[28:]])
    assert temperature > 1
    logits = fit_head(z[:40], labels[:40]).logits(z).tolist()
    expected = [softmax(row, temperature) for row in logits]
    np.testing.assert_allclose(calibrated_predictions(pool, seed=5), expected, atol=1e-6)


def test_with_too_few_labels_the_head_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "pick_temperature", None)
    x = np.random.default_rng(3).normal(size=(9, 2))
    pool = Pool(Vectors(x), np.arange(2, 9), np.arange(2), labels=np.array([0, 1] + [-1] * 7))
    expected = fit_head(scaled(pool)[:2], np.array([0, 1])).probs(scaled(pool))
    np.testing.assert_allclose(calibrated_predictions(pool, seed=0), expected, atol=1e-6)
