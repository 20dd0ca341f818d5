"""Strategy ``objectives``: the greedy choice on a plan of objectives and constraints.

What `select` runs when it is given objectives or constraints; see greedy.py for how they combine.
Constraints alone are kept to while covering the pool, and by what a model is unsure of where there are
predictions.
"""

from sslcore.selection.greedy import Greedy
from sslcore.selection.objectives import Covering, Uncertainty
from sslcore.selection.objectives.covering import MOST_NUMBERS
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin"]


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
    objectives = pool.objectives
    if not objectives:
        unsure = [Uncertainty()] if pool.has("predictions") else []
        objectives = [Covering(), *unsure]
    return Greedy(pool, objectives, pool.constraints or (), seed=seed)


STRATEGY = Strategy(
    about="a plan: the product of objectives to the power of their strengths, within constraints"
    " (as LightlyOne's selection)",
    begin=begin,
    needs=frozenset({"objectives"}),
    takes=frozenset({"constraints"}),
    estimate=lambda pool, k: (
        32 * len(pool) * pool.vectors.dim + 4 * min(MOST_NUMBERS, len(pool.candidates) ** 2)
    ),
)
