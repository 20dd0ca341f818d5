"""The one door to all strategies."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor

from sslcore.choices import check_choice
from sslcore.errors import ConfigError, UserError
from sslcore.selection.dedup import Dedup, as_dedup, find_duplicates
from sslcore.selection.given import (
    Given,
    as_plan,
    by_row,
    check_labelled,
    check_labels,
    check_probs,
    check_scores,
    check_whole,
    id_order,
    open_embeddings,
)
from sslcore.selection.memory import parse_memory, require_memory
from sslcore.selection.picks import Strategy
from sslcore.selection.pool import NEEDS, Pool
from sslcore.selection.selection import Run, Selection
from sslcore.selection.strategies import PICKERS
from sslcore.selection.vectors import Vectors

__all__ = ["select"]

# What "auto" is where there is a plan.
WITH_PLAN = "objectives"


def select(
    embeddings: Given,
    k: int,
    *,
    strategy: str = "auto",
    labelled: ArrayLike | None = None,
    excluded: ArrayLike | None = None,
    labels: Iterable[Any] | None = None,
    probs: ArrayLike | Tensor | None = None,
    scores: Mapping[str, ArrayLike] | None = None,
    objectives: Sequence[Any] | None = None,
    constraints: Sequence[Any] | None = None,
    dedup: float | Dedup | Mapping[str, Any] | None = None,
    seed: int = 0,
    memory: int | str | None = None,
    ids: Iterable[Any] | None = None,
    names: Iterable[str] | None = None,
    round: int = 1,
) -> Selection:
    """Pick the ``k`` samples most worth labelling next.

    The same embeddings and seed give the same picks for any number of threads and, where ids are known, for
    any order of rows; ties go to the lowest id, without ids to the lowest row. Distances are Euclidean on the
    vectors as they are: give vectors of unit length for cosine.

    Args:
        embeddings: Vectors [N, D] as an array, tensor or memory map (float16, float32 or float64), what
            `read_embeddings` returns, the path of a folder of Parquet or of a .npy file, or an iterator of
            chunks [n, D].
        k: How many to pick, from 1 to N - L.
        strategy: A name from `STRATEGIES`.
        labelled: What is labelled already and is never picked: row numbers [L], or a mask [N]. None takes the
            rows whose class is known; ``[]`` says that nothing is.
        excluded: What is neither labelled nor may be picked, as row numbers or a mask.
        labels: Class of each row: a name (None where it is not known) or a number (-1 where it is not) [N].
        probs: Class probabilities of a model [N, C], or of M models or dropout passes [M, N, C].
        scores: Named numbers [N].
        objectives: A plan: what to weigh, of ``sslcore.selection.objectives``; with strategy "auto".
        constraints: A plan: what must hold, of ``sslcore.selection.constraints``; with strategy "auto".
        dedup: Leave out what is at most this far from something labelled or of a lower id, exact; or a
            `Dedup`, or a mapping of its fields.
        seed: Seed of the strategies that use chance.
        memory: What the selection may take beside the embeddings: bytes, or a figure like "2GB". None is what
            is free. What would not fit is refused before it starts.
        ids: An id for each row, none twice [N]; the sample ids when they are known.
        names: What to call each sample in a reason [N]; the filenames when they are known.
        round: Which round of labelling it is for; only noted.

    Returns:
        The picks in order, with the figures each strategy went by and a reason in words per pick.

    Raises:
        ConfigError: If there is no such strategy, or ``k``, ``seed``, ``dedup`` or ``memory`` cannot be used.
        UserError: If ``k`` is more than can be picked, something does not fit the embeddings, is not finite
            or is missing for the strategy, an id is there twice, or the work would not fit into ``memory``.
    """
    if not isinstance(strategy, str):
        raise ConfigError(f"strategy must be a name, got {strategy!r}")
    objectives = as_plan(objectives, name="objectives")
    constraints = as_plan(constraints, name="constraints")
    name = strategy
    if strategy == "auto" and (objectives or constraints):
        name, objectives = WITH_PLAN, objectives or []
    chosen = PICKERS[check_choice(name, PICKERS, name="strategy")]
    for argument, value, least in (("k", k, 1), ("seed", seed, 0), ("round", round, 1)):
        check_whole(value, name=argument, least=least)
    limit = parse_memory(memory)
    source, known = open_embeddings(embeddings, memory=limit)
    ids = by_row(known.get("sample_ids") if ids is None else ids, name="ids")
    pool = _pool(
        Vectors(source, id_order(ids, len(source))),
        labelled=labelled,
        excluded=excluded,
        labels=labels,
        probs=probs,
        scores=scores,
        objectives=objectives,
        constraints=constraints,
        names=by_row(known.get("filenames") if names is None else names, name="names"),
        memory=limit,
    )
    wanted = as_dedup(dedup)
    num_duplicates = 0
    if wanted is not None:
        dropped = find_duplicates(pool, wanted, seed=seed).positions
        num_duplicates = len(dropped)
        pool = replace(pool, candidates=np.setdiff1d(pool.candidates, dropped, assume_unique=True))
    _refuse(name, chosen, pool, k, num_duplicates)
    run = Run(pool, chosen, seed=seed)
    origin = {"model_version": known.get("model_id"), "dataset_fingerprint": known.get("dataset_fingerprint")}
    empty = Selection(
        np.empty(0, np.int64),
        (),
        strategy=name,
        seed=seed,
        round=round,
        plan={
            "k": k,
            "objectives": objectives,
            "constraints": constraints,
            "dedup": None if wanted is None else asdict(wanted),
            "num_duplicates": num_duplicates,
            "num_labelled": len(pool.labelled),
        },
        origin={key: value for key, value in origin.items() if value is not None},
        run=run,
        ids=ids,
    )
    return empty.more(k)


def _pool(
    vectors: Vectors,
    *,
    labelled: ArrayLike | None,
    excluded: ArrayLike | None,
    labels: Iterable[Any] | None,
    probs: ArrayLike | Tensor | None,
    scores: Mapping[str, ArrayLike] | None,
    objectives: Sequence[Any] | None,
    constraints: Sequence[Any] | None,
    names: Sequence[str] | None,
    memory: int,
) -> Pool:
    """Return what is given by row as a pool by position."""
    total, order = len(vectors), vectors.order
    if names is not None and len(names) != total:
        raise UserError(f"names must be one for each of {total} embeddings, got {len(names)}")
    codes, classes = check_labels(labels, total)
    is_labelled, is_left_out = np.zeros(total, bool), np.zeros(total, bool)
    is_labelled[check_labelled(labelled, codes, total)] = True
    if excluded is not None:
        is_left_out[check_labelled(excluded, None, total, name="excluded")] = True
    if (is_labelled & is_left_out).any():
        raise UserError(f"{int((is_labelled & is_left_out).sum())} rows are both labelled and excluded")
    probabilities = check_probs(probs, total)
    numbers = check_scores(scores, total)
    if order is not None:
        is_labelled, is_left_out = is_labelled[order], is_left_out[order]
        codes = None if codes is None else codes[order]
        probabilities = None if probabilities is None else probabilities[..., order, :]
        numbers = {name: values[order] for name, values in numbers.items()}
    _ = vectors.squared  # reads all of it once, and refuses what is not finite
    return Pool(
        vectors=vectors,
        candidates=np.flatnonzero(~is_labelled & ~is_left_out).astype(np.int64),
        labelled=np.flatnonzero(is_labelled).astype(np.int64),
        names=names,
        labels=codes,
        classes=classes,
        probs=probabilities,
        scores=numbers,
        objectives=objectives,
        constraints=constraints,
        memory=memory,
    )


def _refuse(name: str, strategy: Strategy, pool: Pool, k: int, num_duplicates: int) -> None:
    """Raise if the strategy cannot run on the pool."""
    for need in sorted(strategy.needs):
        if not pool.has(need):
            raise UserError(f"strategy '{name}' needs {NEEDS[need]}")
    for argument in ("objectives", "constraints"):
        if getattr(pool, argument) is not None and argument not in strategy.takes | strategy.needs:
            raise UserError(f"strategy '{name}' heeds no {argument}; leave them out, or choose one that does")
    if k > len(pool.candidates):
        without = f" without {num_duplicates} near-duplicates" if num_duplicates else ""
        raise UserError(
            f"k must be at most the {len(pool.candidates)} samples that can be picked{without}, got {k}"
        )
    require_memory(
        strategy.estimate(pool, k),
        pool.memory,
        what=f"strategy '{name}' on {len(pool.candidates)} samples",
        instead="give memory= more, or use fewer samples or another strategy",
    )
