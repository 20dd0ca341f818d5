"""Which samples come next: orders that depend on the seed and the epoch only, shared by ranks, and resumable.

An order is drawn for all ranks together, and rank r takes each R-th sample of it from its r-th one on. So a
position counts samples of all ranks, and a run may go on with another number of ranks.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch.utils.data import Sampler

from sslcore.errors import UserError

__all__ = ["BalancedSampler", "EpochSampler", "PositionedSampler"]

Order = npt.NDArray[np.int64]
CHUNK = 1 << 16


class PositionedSampler(Sampler[int], ABC):
    """An order of indices per epoch, with a position in it.

    Workers fetch ahead, so only who consumes the samples knows how far it is: `image_loader` counts on its
    own, any other loop calls `advance` with each batch. Iterating always begins an epoch at its start, except
    once after `load_state_dict`, when it begins at the loaded position.

    Args:
        num_drawn: Samples in an epoch, over all ranks, before uneven ones are dropped or padded.
        seed: Of the order.
        rank: Which of the ranks this is, from 0.
        num_ranks: Processes that share an epoch; each gets the same number of samples.
        uneven: What happens where the samples do not divide by the ranks: ``drop`` leaves out the last few
            of the epoch's order (others in each epoch), ``pad`` gives its first ones once more.

    Attributes:
        epoch: Whose order comes next.
        position: Samples of the epoch that are consumed, over all ranks.

    Raises:
        ValueError: If ``rank`` is not below ``num_ranks``.
    """

    def __init__(
        self,
        num_drawn: int,
        *,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        uneven: Literal["drop", "pad"] = "drop",
    ) -> None:
        if not 0 <= rank < num_ranks:
            raise ValueError(f"rank must be in 0 .. {num_ranks - 1}, got {rank}")
        self.num_drawn = num_drawn
        self.seed = seed
        self.rank = rank
        self.num_ranks = num_ranks
        self.uneven = uneven
        self.epoch = 0
        self.position = 0
        self._start = 0

    @abstractmethod
    def epoch_order(self) -> Order:
        """Return the indices of the epoch for all ranks, int64 [num_drawn]."""

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next. A position that was loaded within this very epoch is kept."""
        if epoch != self.epoch:
            self.epoch, self.position, self._start = epoch, 0, 0

    def advance(self, num_samples: int) -> None:
        """Say that this rank has consumed so many more samples, and each other rank as many."""
        self.position += num_samples * self.num_ranks

    def indices(self) -> Order:
        """Return what this rank gets next of the epoch, from a loaded position or from the start."""
        rest = self.epoch_order()[min(self._start, self.num_drawn) :]
        each = self._share(len(rest))
        if each * self.num_ranks > len(rest) > 0:
            rest = np.resize(rest, each * self.num_ranks)  # repeats from the beginning
        return rest[self.rank : each * self.num_ranks : self.num_ranks]

    def _share(self, num_samples: int) -> int:
        return -(-num_samples // self.num_ranks) if self.uneven == "pad" else num_samples // self.num_ranks

    def __len__(self) -> int:
        """Return the samples of a whole epoch on this rank."""
        return self._share(self.num_drawn)

    def __iter__(self) -> Iterator[int]:
        mine = self.indices()
        self.position, self._start = self._start, 0
        for start in range(0, len(mine), CHUNK):  # never a list of all of them
            yield from mine[start : start + CHUNK].tolist()

    def state_dict(self) -> dict[str, int]:
        """Return where the order stands, for a checkpoint; the same on all ranks."""
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "position": self.position,
            "num_drawn": self.num_drawn,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a state was taken: the next iteration begins with the sample after it.

        Raises:
            UserError: If the state is of another number of samples or another seed.
        """
        for name in ("num_drawn", "seed"):
            if state[name] != getattr(self, name):
                what = "samples in an epoch" if name == "num_drawn" else "as seed"
                raise UserError(
                    f"the state to go on from has {state[name]} {what}, here there are "
                    f"{getattr(self, name)}: go on with the same data and settings, or start anew"
                )
        self.epoch = int(state["epoch"])
        self.position = self._start = int(state["position"])


class EpochSampler(PositionedSampler):
    """Each index 0 .. n-1 once in an epoch, in order or shuffled anew in each epoch.

    The order of an epoch is a function of ``(seed, epoch)`` alone.

    Args:
        num_samples: How many there are.
        shuffle: Shuffle them.
        seed: Of the shuffling.
        rank: Which of the ranks this is, from 0.
        num_ranks: Processes that share an epoch; each gets the same number of samples.
        uneven: ``drop`` or ``pad`` where they do not divide (see `PositionedSampler`).
    """

    def __init__(
        self,
        num_samples: int,
        *,
        shuffle: bool,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        uneven: Literal["drop", "pad"] = "drop",
    ) -> None:
        super().__init__(num_samples, seed=seed, rank=rank, num_ranks=num_ranks, uneven=uneven)
        self.num_samples = num_samples
        self.shuffle = shuffle

    def epoch_order(self) -> Order:
        """Return the indices of the epoch for all ranks, int64 [num_samples]."""
        if not self.shuffle:
            return np.arange(self.num_samples, dtype=np.int64)
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch]))
        return generator.permutation(self.num_samples)


class BalancedSampler(PositionedSampler):
    """Draws from groups (labels, clusters) in shares that do not depend on how large they are.

    Every epoch has the same number of samples of a group, the nearest to its share. A group that is too small
    is gone through several times, one that is too large gives other samples in each epoch; within an epoch no
    sample is drawn a second time before all of its group were drawn once. The order is a function of
    ``(seed, epoch)`` alone.

    Args:
        groups: Of each sample; one without (``None`` or NaN) is never drawn.
        weights: Group to its weight; groups that are not named get 0. ``None`` for equal shares.
        num_samples: Samples in an epoch, over all ranks; by default as many as have a group.
        seed: Of the drawing.
        rank: Which of the ranks this is, from 0.
        num_ranks: Processes that share an epoch; each gets the same number of samples.
        uneven: ``drop`` or ``pad`` where they do not divide (see `PositionedSampler`).

    Raises:
        UserError: If no sample has a group, a weight names no group or is negative, or all are 0.
    """

    def __init__(
        self,
        groups: "Sequence[Any] | npt.NDArray[Any] | pd.Series[Any]",
        *,
        weights: Mapping[Any, float] | None = None,
        num_samples: int | None = None,
        seed: int = 0,
        rank: int = 0,
        num_ranks: int = 1,
        uneven: Literal["drop", "pad"] = "drop",
    ) -> None:
        codes, names = pd.factorize(pd.Series(groups), sort=True)
        known = int((codes >= 0).sum())
        if not known:
            raise UserError("balanced sampling needs groups: none of the samples has one")
        super().__init__(
            known if num_samples is None else num_samples,
            seed=seed,
            rank=rank,
            num_ranks=num_ranks,
            uneven=uneven,
        )
        by_group = np.argsort(codes, kind="stable")[len(codes) - known :]
        sizes = np.bincount(codes[codes >= 0], minlength=len(names))
        self._members = np.split(by_group.astype(np.int64), np.cumsum(sizes)[:-1])
        self._quotas = _apportion(_shares(list(names), weights), self.num_drawn)

    def epoch_order(self) -> Order:
        """Return the indices of the epoch for all ranks, int64 [num_samples]."""
        generator = np.random.default_rng(np.random.SeedSequence([self.seed, self.epoch]))
        parts = []
        for members, quota in zip(self._members, self._quotas.tolist(), strict=True):
            rounds, rest = divmod(quota, len(members))
            parts.append(np.tile(members, rounds))
            parts.append(generator.permutation(members)[:rest])
        return generator.permutation(np.concatenate(parts))


def _shares(names: list[Any], weights: Mapping[Any, float] | None) -> npt.NDArray[np.float64]:
    if weights is None:
        return np.full(len(names), 1 / len(names))
    astray = sorted(str(name) for name in set(weights) - set(names))
    if astray:
        raise UserError(f"weights name no group of the samples: {', '.join(astray[:10])}")
    values = np.array([weights.get(name, 0.0) for name in names], dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or not values.sum():
        raise UserError(f"weights must be >= 0 and not all 0, got {dict(weights)}")
    shares: npt.NDArray[np.float64] = values / values.sum()
    return shares


def _apportion(shares: npt.NDArray[np.float64], total: int) -> npt.NDArray[np.int64]:
    """Split a number into whole parts by largest remainder; of equal remainders the first ones win."""
    exact = shares * total
    parts = np.floor(exact).astype(np.int64)
    largest = np.argsort(parts - exact, kind="stable")[: total - int(parts.sum())]
    parts[largest] += 1
    return parts
