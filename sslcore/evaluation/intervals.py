"""How sure the measures are: an interval for each accuracy, and for each difference to the backbone."""

from collections.abc import Mapping
from typing import Any

from sslcore.config import EvaluateConfig
from sslcore.evaluation.bootstrap import Interval, accuracy_interval, difference_interval
from sslcore.evaluation.measures import MEASURES, Measured

__all__ = ["intervals_of"]


def intervals_of(measured: Mapping[str, Measured], config: EvaluateConfig) -> dict[str, Any]:
    """Return what evaluate.json says under ``intervals`` and ``differences``.

    Args:
        measured: By the name of the features; with ``backbone``.
        config: Confidence and seed.

    Returns:
        ``intervals[measure][features]`` is [low, high]; ``differences[measure][features]`` is the backbone's
        accuracy less that of the others on the same samples, with its bounds. Measures without samples are
        absent.
    """
    how: dict[str, Any] = {"confidence": config.confidence, "seed": config.seed}
    intervals: dict[str, dict[str, list[float]]] = {}
    differences: dict[str, dict[str, dict[str, float]]] = {}
    for measure in MEASURES:
        outcomes = {name: one.outcomes[measure] for name, one in measured.items()}
        if not len(outcomes["backbone"]):
            continue
        names = [name for name in outcomes if measure != "knn_val" or name in ("backbone", "champion")]
        found = {name: accuracy_interval(outcomes[name], **how) for name in names}
        intervals[measure] = {name: [round(each.low, 6), round(each.high, 6)] for name, each in found.items()}
        differences[measure] = {
            name: _shown(difference_interval(outcomes["backbone"], outcomes[name], **how))
            for name in names
            if name != "backbone"
        }
    return {"confidence": config.confidence, "intervals": intervals, "differences": differences}


def _shown(interval: Interval) -> dict[str, float]:
    return {key: round(value, 6) for key, value in vars(interval).items()}
