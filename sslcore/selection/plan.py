"""From the plan in params.yaml to objectives and constraints with their numbers: the columns are read here.

Shapes: N rows of a selection.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from sslcore.choices import suggestion
from sslcore.config import SelectConfig
from sslcore.config.plan import (
    BalancePlan,
    CoveragePlan,
    DiversityPlan,
    PerVideoPlan,
    QuotaPlan,
    RandomPlan,
    SequencesPlan,
    SimilarityPlan,
    ThresholdPlan,
    TypicalityPlan,
    UncertaintyPlan,
    WeightsPlan,
)
from sslcore.errors import UserError
from sslcore.selection.constraints import Constraint, Cost, Quota, Sequences, Threshold
from sslcore.selection.objectives import (
    Balance,
    Covering,
    Diversity,
    Objective,
    RandomWeights,
    Similarity,
    Typicality,
    Uncertainty,
    Weights,
)

__all__ = ["Tables", "resolve"]

KEYS = ("sample_id", "filename")


@dataclass(frozen=True)
class Tables:
    """Where columns are found."""

    manifest: pd.DataFrame
    """Of the data set."""
    folder: Path
    """Files are named relative to it: the folder of labels, which DVC watches."""
    sample_ids: Sequence[str]
    """Id of each row of the selection [N]."""
    vector_of: Callable[[str], NDArray[np.float64] | None]
    """The vector of any sample id; None where there is none."""
    num_labelled: int = 0
    """How many of the first rows are labelled: numbers that only picks are judged by may lack there."""

    @cached_property
    def id_of(self) -> dict[str, str]:
        """Sample ids by id and by filename."""
        by_name = dict(zip(self.manifest["filename"], self.manifest["sample_id"], strict=True))
        return by_name | {each: each for each in self.manifest["sample_id"]}

    def column(self, name: str, file: str | None, *, where: str) -> list[Any]:
        """Return a column by row, None where a sample has no value [N].

        Raises:
            UserError: If the file or column is not there.
        """
        table = self.manifest.set_index("sample_id") if file is None else self.read(file, where=where)
        if name not in table:
            known = ", ".join(map(str, table.columns))
            close = suggestion(name, [str(each) for each in table.columns]) or f"; known: {known}"
            raise UserError(f"{where}: {file or 'the manifest'} has no column '{name}'{close}")
        values = table[name].reindex(list(self.sample_ids))
        if values.isna().any() and _are_whole(values.dropna()):
            values = values.astype("Int64")  # pandas makes numbers of classes 0.0, 1.0 where one is missing
        return [None if missing else value for value, missing in zip(values, values.isna(), strict=True)]

    def numbers(
        self, name: str, file: str | None, *, where: str, of_labelled: bool = False
    ) -> NDArray[np.float64]:
        """Return a column of numbers by row, NaN where a labelled sample has none [N].

        Args:
            name: Of the column.
            file: Where it is; None is the manifest.
            where: Place in the plan, for messages.
            of_labelled: Whether the labelled samples need one too.

        Raises:
            UserError: If a sample that can be picked has none.
        """
        values = self.column(name, file, where=where)
        needed = values if of_labelled else values[self.num_labelled :]
        missing = sum(value is None for value in needed)
        if missing:
            which = "samples" if of_labelled or not self.num_labelled else "samples that can be picked"
            raise UserError(
                f"{where}: {missing} of {len(needed)} {which} have no '{name}' in {file or 'the manifest'}; "
                "add them, or give it to all"
            )
        try:
            return np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise UserError(f"{where}: '{name}' in {file or 'the manifest'} must hold numbers") from None

    def probabilities(
        self, file: str, *, where: str, of_labelled: bool = False
    ) -> tuple[NDArray[np.float64], list[str]]:
        """Return class probabilities by row and the names of the classes: all columns of numbers [N, C].

        Raises:
            UserError: If there are none, or a sample that needs them (as in `numbers`) has none.
        """
        table = self.read(file, where=where)
        classes = [str(name) for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
        if not classes:
            raise UserError(f"{where}: {file} has no column of probabilities; give one for each class")
        columns = [self.numbers(name, file, where=where, of_labelled=of_labelled) for name in classes]
        return np.stack(columns, axis=1), classes

    def read(self, file: str, *, where: str) -> pd.DataFrame:
        """Read a CSV or Parquet file, indexed by sample id; rows that name no sample are passed over.

        Raises:
            UserError: If it cannot be read, names no samples, or names one twice.
        """
        path = self.folder / file
        try:
            table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
        except FileNotFoundError:
            raise UserError(f"{where}: {path}: no such file; put it there or name another") from None
        except (OSError, ValueError, pa.ArrowException) as error:
            raise UserError(f"{where}: {path} cannot be read: {' '.join(str(error).split())}") from None
        key = next((each for each in KEYS if each in table), None)
        if key is None:
            raise UserError(f"{where}: {path} needs a column sample_id or filename")
        table.index = pd.Index([self.id_of.get(str(each), "") for each in table[key]], name="sample_id")
        table = table[table.index != ""].drop(columns=[each for each in KEYS if each in table])
        if table.index.has_duplicates:
            twice = table.index[table.index.duplicated()][0]
            raise UserError(f"{where}: {path} names sample {twice} twice; delete one of the rows")
        return table


def _are_whole(values: "pd.Series[Any]") -> bool:
    """Whether a column of floats holds nothing but whole numbers."""
    if not pd.api.types.is_float_dtype(values):
        return False
    wide = values.to_numpy(np.float64)
    return bool((np.isfinite(wide) & (np.abs(wide) < 2**53) & (wide == np.round(wide))).all())


def resolve(config: SelectConfig, tables: Tables) -> tuple[list[Objective], list[Constraint | Sequences]]:
    """Return the objectives and constraints of a config, with their numbers by row.

    Raises:
        UserError: If a file, column or sample is not there, or a value is missing.
    """
    objectives = [
        _objective(each, tables, f"select.objectives.{number}")
        for number, each in enumerate(config.objectives)
    ]
    constraints: list[Constraint | Sequences] = [
        _constraint(each, tables, f"select.constraints.{number}")
        for number, each in enumerate(config.constraints)
    ]
    if config.cost is not None and config.budget_cost is not None:
        cost = tables.numbers(config.cost.column, config.cost.file, where="select.cost")
        constraints.append(Cost(cost, at_most=config.budget_cost, name=config.cost.column))
    return objectives, constraints


def _objective(plan: Any, tables: Tables, where: str) -> Objective:
    strength = plan.strength
    if isinstance(plan, DiversityPlan):
        return Diversity(strength, plan.least_distance)
    if isinstance(plan, CoveragePlan):
        return Covering(strength, plan.width)
    if isinstance(plan, TypicalityPlan):
        return Typicality(strength, plan.neighbours, plan.least)
    if isinstance(plan, SimilarityPlan):
        return Similarity(vectors=_given(plan, tables, where), away=plan.away, strength=strength)
    if isinstance(plan, WeightsPlan):
        values = tables.numbers(plan.column, plan.file, where=where)
        return Weights(values, strength, plan.largest_sum, name=plan.column)
    if isinstance(plan, RandomPlan):
        return RandomWeights(strength, plan.seed)
    if isinstance(plan, UncertaintyPlan):
        probs = None if plan.file is None else tables.probabilities(plan.file, where=where)[0]
        return Uncertainty(probs, plan.measure, strength)
    assert isinstance(plan, BalancePlan)
    return _balance(plan, tables, where)


def _balance(plan: BalancePlan, tables: Tables, where: str) -> Balance:
    if plan.input == "metadata":
        values: Any = np.array(tables.column(plan.column, plan.file, where=where), dtype=object)
        return Balance(values, plan.target, strength=plan.strength, name=f"balance_{plan.column}")
    if plan.file is None:
        raise UserError(f"{where}: balance of predictions needs a file of class probabilities")
    # Labelled samples count by their probabilities.
    probs, classes = tables.probabilities(plan.file, where=where, of_labelled=True)
    return Balance(probs, plan.target, classes, plan.strength, name="balance_predictions")


def _given(plan: SimilarityPlan, tables: Tables, where: str) -> NDArray[np.float64]:
    found = []
    for name in plan.samples:
        sample_id = tables.id_of.get(name)
        vector = None if sample_id is None else tables.vector_of(sample_id)
        if vector is None:
            raise UserError(f"{where}: no sample with an embedding is called '{name}'")
        found.append(vector)
    return np.stack(found)


def _constraint(plan: Any, tables: Tables, where: str) -> Constraint | Sequences:
    if isinstance(plan, ThresholdPlan):
        values = tables.numbers(plan.column, plan.file, where=where)
        limits = {name: getattr(plan, name) for name in ("at_least", "at_most", "above", "below")}
        return Threshold(values, **limits, name=plan.column)
    if isinstance(plan, QuotaPlan):
        column = np.array(tables.column(plan.column, plan.file, where=where), dtype=object)
        return Quota(column, plan.at_most, name=f"quota of {plan.column}")
    videos = np.array(tables.column("video", None, where=where), dtype=object)
    if isinstance(plan, PerVideoPlan):
        return Quota(videos, plan.at_most, name="per_video")
    assert isinstance(plan, SequencesPlan)
    frames = np.array(tables.column("frame_index", None, where=where), dtype=object)
    return Sequences(videos, frames, plan.length)
