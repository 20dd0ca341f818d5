"""Config of what to weigh and what must hold: the lists `select.objectives` and `select.constraints`."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["ColumnPlan", "ConstraintPlan", "ObjectivePlan"]

Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Weighed(StageConfig):
    strength: Finite = 1.0
    """Power of the objective in the product; negative turns it round, 0 only records it."""


class _Column(StageConfig):
    input: Literal["metadata", "scores"] = "metadata"
    """`metadata`: a column of the manifest, the ingested metadata or `file`; `scores`: one of `file`."""
    column: str
    """Name of the column."""
    file: str | None = None
    """CSV or Parquet in data/labels (a subfolder is best) with sample_id or filename, and the column."""


class ColumnPlan(_Column):
    """A column of numbers, by sample."""


class DiversityPlan(_Weighed):
    """Far from everything chosen or labelled."""

    strategy: Literal["diversity"]
    """Which objective."""
    input: Literal["embeddings"] = "embeddings"
    """What it is measured on."""
    least_distance: float = Field(default=0.0, ge=0, le=2)
    """Nothing nearer than this to what is chosen or labelled is picked; 0 to 2, on unit vectors."""


class CoveragePlan(_Weighed):
    """Like many that nothing chosen is like."""

    strategy: Literal["coverage"]
    """Which objective."""
    input: Literal["embeddings"] = "embeddings"
    """What it is measured on."""
    width: float = Field(default=1.0, gt=0)
    """Width of the kernel, on unit vectors."""


class TypicalityPlan(_Weighed):
    """Among many neighbours."""

    strategy: Literal["typicality"]
    """Which objective."""
    input: Literal["embeddings"] = "embeddings"
    """What it is measured on."""
    neighbours: int = Field(default=20, ge=1)
    """How many neighbours the mean distance is taken over."""
    least: float = Field(default=0.0, ge=0)
    """Nothing less typical (1 / mean distance) than this is picked."""


class SimilarityPlan(_Weighed):
    """Like given samples, or unlike them."""

    strategy: Literal["similarity"]
    """Which objective."""
    input: Literal["embeddings"] = "embeddings"
    """What it is measured on."""
    samples: tuple[str, ...] = Field(min_length=1)
    """Ids or filenames of the given samples, from any split."""
    away: bool = False
    """Prefer what is unlike them."""


class WeightsPlan(_Weighed, _Column):
    """In proportion to a number."""

    strategy: Literal["weights"]
    """Which objective."""
    largest_sum: float | None = Field(default=None, gt=0)
    """Nothing is picked with which the numbers of the picks would add up to more."""


class RandomPlan(_Weighed):
    """In proportion to a number drawn at random."""

    strategy: Literal["random"]
    """Which objective."""
    input: Literal["random"] = "random"
    """What it is measured on."""
    seed: int = Field(default=0, ge=0)
    """Seed of the numbers, beside the seed of the selection."""


class UncertaintyPlan(_Weighed):
    """Where a model is unsure."""

    strategy: Literal["uncertainty"]
    """Which objective."""
    input: Literal["predictions"] = "predictions"
    """What it is measured on."""
    file: str | None = None
    """CSV or Parquet in data/labels with sample_id or filename and a column of probabilities per class;
    without one, a classifier is fitted on the labels."""
    measure: Literal["margin", "least_confidence", "entropy"] = "margin"
    """How unsure is measured."""


class BalancePlan(_Weighed):
    """Towards given shares of the values of a column, or of predicted classes."""

    strategy: Literal["balance"]
    """Which objective."""
    input: Literal["metadata", "predictions"] = "metadata"
    """`metadata`: a column of the manifest, the ingested metadata or `file`; `predictions`: all of `file`."""
    column: str = "label"
    """Name of the column; not read for predictions."""
    file: str | None = None
    """CSV or Parquet in data/labels with sample_id or filename."""
    target: Literal["uniform", "input"] | Mapping[str, float] = "uniform"
    """All values alike, the shares of the pool and the labelled samples, or a share per value."""


class ThresholdPlan(_Column):
    """Only samples whose number keeps the limits."""

    rule: Literal["threshold"]
    """Which constraint."""
    at_least: float | None = None
    """Least allowed number."""
    at_most: float | None = None
    """Largest allowed number."""
    above: float | None = None
    """Only numbers larger than this."""
    below: float | None = None
    """Only numbers smaller than this."""


class QuotaPlan(_Column):
    """At most so many picks with the same value."""

    rule: Literal["quota"]
    """Which constraint."""
    at_most: Annotated[int, Field(ge=0)] | Mapping[str, Annotated[int, Field(ge=0)]]
    """For every value, or for each value by name."""


class PerVideoPlan(StageConfig):
    """At most so many frames of a video."""

    rule: Literal["per_video"]
    """Which constraint."""
    at_most: int = Field(ge=1)
    """Frames of each video."""


class SequencesPlan(StageConfig):
    """Whole runs of successive frames of a video."""

    rule: Literal["sequences"]
    """Which constraint."""
    length: int = Field(ge=1)
    """Frames of a run."""


ObjectivePlan = Annotated[
    DiversityPlan
    | CoveragePlan
    | TypicalityPlan
    | SimilarityPlan
    | WeightsPlan
    | RandomPlan
    | UncertaintyPlan
    | BalancePlan,
    Field(discriminator="strategy"),
]
ConstraintPlan = Annotated[
    ThresholdPlan | QuotaPlan | PerVideoPlan | SequencesPlan, Field(discriminator="rule")
]
