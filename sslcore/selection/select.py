"""The one door to all strategies."""

from collections.abc import Sequence

from numpy.typing import ArrayLike
from torch import Tensor

from sslcore.choices import check_choice
from sslcore.embedding.store import Embeddings
from sslcore.errors import ConfigError, UserError
from sslcore.selection.picks import Selection
from sslcore.selection.pool import as_pool
from sslcore.selection.strategies import PICKERS

__all__ = ["select"]


def select(
    embeddings: Embeddings | ArrayLike | Tensor,
    k: int,
    *,
    strategy: str = "kmeans",
    labelled: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Selection:
    """Pick the ``k`` samples most worth labelling next.

    The same embeddings and seed give the same picks for any number of threads; ties go to the lowest
    row. Distances are Euclidean on the vectors as they are: give vectors of unit length for cosine.

    Args:
        embeddings: Vectors [N, D] of any float type, or what `read_embeddings` returns.
        k: How many to pick, from 1 to N - L.
        strategy: A name from `STRATEGIES`.
        labelled: What is labelled already and is never picked: row numbers [L], or a mask [N].
        names: What to call each sample in a reason [N]; the filenames when they are known.
        seed: Seed of the strategies that use chance.

    Returns:
        The picks in order, with the figures each strategy went by and a reason in words per pick.

    Raises:
        ConfigError: If there is no such strategy or ``k`` is less than 1.
        UserError: If ``k`` is more than can be picked, or the embeddings hold NaN or infinity.
    """
    check_choice(strategy, PICKERS, name="strategy")
    if isinstance(embeddings, Embeddings):
        names = names if names is not None else embeddings.filenames
        embeddings = embeddings.vectors
    if k < 1:
        raise ConfigError(f"k must be >= 1, got {k}")
    if seed < 0:
        raise ConfigError(f"seed must be >= 0, got {seed}")
    pool = as_pool(embeddings, labelled=labelled, names=names)
    if k > len(pool.candidates):
        raise UserError(f"k must be at most the {len(pool.candidates)} samples that can be picked, got {k}")
    picks = PICKERS[strategy](pool, k, seed=seed)
    return Selection(
        indices=picks.indices, reasons=picks.reasons, columns=picks.columns, strategy=strategy, seed=seed
    )
