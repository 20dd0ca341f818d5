"""Strategy ``maxherding``: what covers the pool best under a Gaussian kernel (facility location).

Source: Bae, Noh & Sutherland, "Generalized Coverage for More Robust Low-Budget Active Learning", ECCV
2024, https://arxiv.org/abs/2407.12212. The kernel is exp(-d^2 / sigma^2) with sigma = 1 on vectors of
unit length, as there; on other vectors sigma is the root of their mean squared length, so that scale
does not matter. Greedy reaches 1 - 1/e of the best coverage of its size. How, and what is sampled above
21,000 samples: covering.py.
"""

from sslcore.selection.coverage import gaussian
from sslcore.selection.covering import Covering, covering_bytes, kernel_width
from sslcore.selection.herding import Herding
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import Pool

__all__ = ["STRATEGY", "begin"]


def begin(pool: Pool, *, seed: int) -> Herding:
    """Pick what adds most to the mean coverage of all vectors, again and again; ties go to the lowest id.

    Args:
        pool: What to pick from; labelled vectors cover already.
        seed: Seed of the samples that stand for a large pool.

    Returns:
        Steps whose picks have the column ``coverage_gain``, which is the gain too.
    """
    return Herding(Covering(pool, gaussian(kernel_width(pool)), seed=seed))


STRATEGY = Strategy(
    about="what covers the pool best under a Gaussian kernel, facility location; good without a model"
    " (Bae et al. 2024, arxiv.org/abs/2407.12212)",
    begin=begin,
    avoids_copies=True,
    estimate=covering_bytes,
)
