"""Strategy ``objectives``: the greedy choice on a plan of objectives and constraints.

What `select` runs when it is given objectives or constraints; see greedy.py for how they combine.
Constraints alone are kept to while covering the pool, and by what a model is unsure of where there are
predictions.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sslcore.selection.greedy import Greedy
from sslcore.selection.head import head_bytes
from sslcore.selection.objectives import Balance, Covering, Diversity, Similarity, Typicality, Uncertainty
from sslcore.selection.objectives.covering import LEAST_REFERENCES, MOST_NUMBERS
from sslcore.selection.objectives.typicality import PAIRS_AT_ONCE
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.scaled import block_bytes

__all__ = ["STRATEGY", "begin"]

MILLION = 10**6
# Blocks in which nearest points are found, bytes for each dimension.
NEAREST = 80 * (4096 + 1024)


def begin(pool: Pool, *, seed: int) -> Greedy:
    """Start the plan.

    Args:
        pool: With objectives, constraints or both.
        seed: Seed of what is drawn.

    Returns:
        Steps with a column for each objective and the product of their powers as gain. They end early where a
        stop rule or constraint allows nothing more.

    Raises:
        UserError: If something in the plan does not fit the pool.
    """
    return Greedy(pool, _plan(pool), pool.constraints or (), seed=seed)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: what the objectives keep, and a few numbers per candidate for each."""
    del k
    plan = _plan(pool)
    return (
        sum(_kept_if_fit(each, pool) + 64 * len(pool) for each in plan) + 128 * len(pool) + block_bytes(pool)
    )


def _plan(pool: Pool) -> Sequence[Any]:
    """Return the objectives, those that constraints are kept to with where none are given."""
    if pool.objectives:
        return pool.objectives
    return [Covering(), *([Uncertainty()] if pool.has("predictions") else [])]


def _kept_if_fit(objective: Any, pool: Pool) -> int:
    """Return what `_kept` does; 0 for values of no shape, which the objective refuses when it begins."""
    try:
        return _kept(objective, pool)
    except (TypeError, ValueError):
        return 0


def _kept(objective: Any, pool: Pool) -> int:
    """Return what one objective takes at its peak beside a few numbers per candidate, in bytes."""
    num, dim, candidates = len(pool), pool.vectors.dim, len(pool.candidates)
    if isinstance(objective, Covering):
        references = min(max(LEAST_REFERENCES, MOST_NUMBERS // max(candidates, 1)), candidates)
        return 2 * references * candidates + 8 * references * dim + 16 * 1024 * dim + 32 * MILLION
    if isinstance(objective, Typicality):
        # Vectors in float64, their squares or how they are read; blocks of distances.
        return 16 * num * dim + 4 * 8 * min(PAIRS_AT_ONCE, num * candidates)
    if isinstance(objective, Diversity):
        return 4 * min(len(pool.labelled), 16 * 1024) * dim + NEAREST * dim
    if isinstance(objective, Similarity):
        given = len(objective.rows) if objective.vectors is None else len(np.atleast_2d(objective.vectors))
        return 24 * int(given) * dim + NEAREST * dim
    if isinstance(objective, Uncertainty):
        if objective.probs is None:
            classes = max(len(pool.classes), 2) if pool.probs is None else int(pool.probs.shape[-1])
            return head_bytes(pool) - block_bytes(pool) + 5 * 8 * classes * candidates
        return 10 * 8 * int(np.size(objective.probs))
    if isinstance(objective, Balance):
        return _balance_bytes(objective, pool)
    return 0


def _balance_bytes(objective: Balance, pool: Pool) -> int:
    """Return bytes: a share for each value or class, of all samples and of candidates; values as text."""
    shape = np.shape(objective.values)
    if len(shape) == 2:
        return 5 * 8 * int(np.prod(shape))
    kinds = len({str(value) for value in np.asarray(objective.values, dtype=object).tolist()})
    return (3 * 8 * kinds + 400) * len(pool)


STRATEGY = Strategy(
    about="a plan: the product of objectives to the power of their strengths, within constraints"
    " (as LightlyOne's selection)",
    begin=begin,
    needs=frozenset({"objectives"}),
    takes=frozenset({"constraints"}),
    estimate=_estimate,
)
