"""Strategy ``batchbald``: the samples whose labels together say most about which model is right.

Source: Kirsch, van Amersfoort & Gal, "BatchBALD: Efficient and Diverse Batch Acquisition for Deep Bayesian
Active Learning", NeurIPS 2019, https://arxiv.org/abs/1906.08158. The joint entropy of the picks is exact as
long as they have no more than `CONFIGURATIONS` joint outcomes; past that, so many are drawn, in proportion
to their probability.

Only the `SHORTLIST` candidates with the highest BALD compete: joint information is at most the sum of the
single ones. What M models can tell is bounded by log M, so after some picks nothing adds to it; then BALD
decides. Shapes: M models, S of the shortlist, C classes, J joint outcomes.
"""

import numpy as np
from numpy.typing import NDArray

from sslcore.selection.head import NUM_MEMBERS, committee, steady
from sslcore.selection.information import entropies, mutual_information
from sslcore.selection.picks import Picks, Strategy
from sslcore.selection.pool import Pool
from sslcore.selection.ranking import divided_bytes
from sslcore.selection.scaled import measured

__all__ = ["STRATEGY", "begin"]

CONFIGURATIONS = 1000
SHORTLIST = 1000
# Less than this is noise of the draws, not information.
LEAST_GAIN = 1e-3


class _Joint:
    """The joint outcomes of what is picked, as the models see them."""

    def __init__(self, pool: Pool, seed: int) -> None:
        p_MNC = committee(pool, seed=seed)
        self.bald = steady(measured(mutual_information, p_MNC))
        at = pool.candidates
        self.order: NDArray[np.int64] = at[np.lexsort((at, -self.bald[at]))]
        self.p_MNC, self.rng = p_MNC, np.random.default_rng(seed)
        # Probability of each joint outcome by each model; of nothing there is one, which is certain.
        self.outcomes_MJ = np.ones((len(p_MNC), 1))
        # 1 over how often an outcome was drawn in proportion to its probability; exact outcomes count once.
        self.weight_J: NDArray[np.float64] | None = None
        self.told, self.unsure, self.full = 0.0, 0.0, False

    def take(self, n: int) -> Picks:
        """Return the next ``n``."""
        picked, gains, reasons = [], [], []
        for _ in range(n):
            place, gain = (0, 0.0) if self.full else self._best()
            if gain < LEAST_GAIN:
                self.full, place, gain = True, 0, 0.0
            position = int(self.order[place])
            self.order = np.delete(self.order, place)
            picked.append(position)
            gains.append(gain)
            alone = f"{self.bald[position]:.3f} nats alone"
            reasons.append(
                f"its label adds nothing to what the {len(self.p_MNC)} models can tell; {alone}"
                if self.full
                else f"its label adds {gain:.3f} nats about which model is right; {alone}"
            )
            if not self.full:
                self._add(position, gain)
        chosen = np.array(picked, np.int64)
        columns = {"bald": self.bald[chosen], "information": np.array(gains)}
        return Picks(chosen, tuple(reasons), columns, gains=np.array(gains))

    def _best(self) -> tuple[int, float]:
        """Return the place in the order that adds most to the joint information, and what it adds."""
        shortlist = self.order[:SHORTLIST]
        joint_S = np.empty(len(shortlist))
        for place, position in enumerate(shortlist):
            # Mean over the models of the product: the probability of the outcome and the class, [J, C].
            both_JC = self.outcomes_MJ.T @ self.p_MNC[:, position] / len(self.p_MNC)
            joint_S[place] = self._entropy(both_JC)
        own_S = entropies(self.p_MNC[:, shortlist]).mean(axis=0)
        gain_S = steady(joint_S - own_S - self.unsure - self.told)
        place = int(gain_S.argmax())
        return place, float(gain_S[place])

    def _entropy(self, both_JC: NDArray[np.float64]) -> float:
        logs = np.log(np.where(both_JC > 0, both_JC, 1.0))
        if self.weight_J is None:
            return float(-(both_JC * logs).sum())
        return float(-(self.weight_J @ (both_JC * logs)).sum())

    def _add(self, position: int, gain: float) -> None:
        self.told += gain
        self.unsure += float(entropies(self.p_MNC[:, position]).mean())
        grown = (self.outcomes_MJ[:, :, None] * self.p_MNC[:, position][:, None]).reshape(len(self.p_MNC), -1)
        weight = None if self.weight_J is None else np.repeat(self.weight_J, self.p_MNC.shape[2])
        if grown.shape[1] > CONFIGURATIONS:
            grown, weight = self._draw(grown, weight)
        self.outcomes_MJ, self.weight_J = grown, weight

    def _draw(
        self, grown_MJ: NDArray[np.float64], weight_J: NDArray[np.float64] | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw outcomes in proportion to their probability; each then stands for its share of them all."""
        mean_J = grown_MJ.mean(axis=0)
        share_J = mean_J if weight_J is None else mean_J * weight_J
        total = share_J.sum()
        # Evenly spaced draws: less noise than independent ones.
        steps = (np.arange(CONFIGURATIONS) + self.rng.random()) / CONFIGURATIONS * total
        drawn = np.minimum(np.searchsorted(np.cumsum(share_J), steps, side="right"), len(share_J) - 1)
        return grown_MJ[:, drawn], total / CONFIGURATIONS / mean_J[drawn]


def begin(pool: Pool, *, seed: int) -> _Joint:
    """Pick the candidate whose label adds most to the joint information, one after the other.

    Args:
        pool: With probs of several models, or labels of two classes at least, on which heads are fitted.
        seed: Seed of the fitted heads and of the outcomes that are drawn.

    Returns:
        Steps whose picks have the columns ``information`` (what the pick added, in nats) and ``bald``.

    Raises:
        UserError: If there are neither.
    """
    return _Joint(pool, seed)


def _estimate(pool: Pool, k: int) -> int:
    """Return bytes: the probabilities, and joint outcomes by model and class before some are drawn."""
    models, classes = NUM_MEMBERS, max(len(pool.classes), 2)
    if pool.probs is not None:
        models, classes = len(pool.probs), pool.probs.shape[-1]
    return divided_bytes(pool, k) + 8 * classes * (3 * models + 4) * CONFIGURATIONS


STRATEGY = Strategy(
    about="what labels together tell about which model is right"
    " (Kirsch et al. 2019, arxiv.org/abs/1906.08158)",
    begin=begin,
    needs=frozenset({"models"}),
    estimate=_estimate,
)
