"""How sure a classifier may say it is: temperature scaling with labels that it was not fitted on.

Source: Guo, Pleiss, Sun & Weinberger, "On Calibration of Modern Neural Networks", ICML 2017,
https://arxiv.org/abs/1706.04599; with the settings of Bae, Oliveira & Sutherland, "Uncertainty Herding",
ICLR 2025, https://arxiv.org/abs/2412.20644: a head is fitted on 70 % of the labels, and of the temperatures
1, 1.1 ... 19.9 that with the least expected calibration error on the other 30 % is taken.

Shapes: N vectors, L labelled, V held out, C classes.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import enough_labels, fit_head, pool_head, predicted, predictions, steady
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import Scaled

__all__ = ["calibrated_predictions", "calibration_error", "pick_temperature"]

FITTED_SHARE = 0.7
TEMPERATURES = np.arange(10, 200) / 10
BINS = 15


def calibrated_predictions(pool: Pool, *, seed: int) -> NDArray[np.float64]:
    """Return class probabilities of all positions: those given, or a calibrated head's; rounded, [N, C].

    The temperature is found with a head fitted on part of the labels, and applied to one fitted on all of
    them. With fewer than two classes in that part there is nothing to find it with, and it is 1. Given
    probabilities are taken as they are: the labels may be what their model was fitted on.

    Args:
        pool: With probs, or labels of two classes at least.
        seed: Seed of which labels are held out.

    Raises:
        UserError: If there are neither.
    """
    if pool.probs is not None:
        return predictions(pool)
    x = Scaled(pool)
    rows, labels = enough_labels(pool)
    order = np.random.default_rng(seed).permutation(len(rows))
    fitted, held = np.split(order, [round(FITTED_SHARE * len(rows))])
    temperature = 1.0
    if len(held) and len(np.unique(labels[fitted])) >= 2:
        head = fit_head(x[rows[fitted]], labels[fitted])
        # A class that the head has not seen is no class it can be right about.
        known = {int(name): number for number, name in enumerate(head.classes)}
        targets = np.array([known.get(int(name), -1) for name in labels[held]])
        temperature = pick_temperature(head.logits(x[rows[held]]), targets)
    p_NC: NDArray[np.float64] = predicted(x, [pool_head(pool, x)], temperature=temperature)[0]
    return p_NC


def pick_temperature(logits_VC: NDArray[np.float64], targets_V: NDArray[np.int64]) -> float:
    """Return the temperature with the least calibration error, of several the lowest.

    Args:
        logits_VC: Scores of the classes, at least one row.
        targets_V: Which is right, as a column; -1 where none is.
    """
    errors = []
    for temperature in TEMPERATURES:
        powers = np.exp((logits_VC - logits_VC.max(axis=1, keepdims=True)) / temperature)
        errors.append(calibration_error(powers / powers.sum(axis=1, keepdims=True), targets_V))
    return float(TEMPERATURES[int(steady(np.array(errors)).argmin())])


def calibration_error(p_VC: NDArray[np.float64], targets_V: NDArray[np.int64]) -> float:
    """Return the expected calibration error: how far confidence is from accuracy, over 15 equal bins.

    Args:
        p_VC: Probabilities, at least one row.
        targets_V: Which class is right, as a column; -1 where none is.
    """
    sure_V, right_V = p_VC.max(axis=1), p_VC.argmax(axis=1) == targets_V
    # Bins are open below and closed above, as in the paper.
    bin_V = np.clip(np.ceil(sure_V * BINS).astype(np.int64) - 1, 0, BINS - 1)
    apart = np.bincount(bin_V, weights=right_V - sure_V, minlength=BINS)
    return float(np.abs(apart).sum() / len(p_VC))
