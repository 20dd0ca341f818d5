"""Config of the select stage."""

from typing import Literal

from pydantic import Field, model_validator

from sslcore.config.base import StageConfig
from sslcore.config.plan import ColumnPlan, ConstraintPlan, ObjectivePlan

__all__ = ["SelectConfig"]


class SelectConfig(StageConfig):
    """Which samples to label next."""

    strategy: str = "auto"
    """Name of the strategy; `sslflow list strategies` shows them."""
    budget: int = Field(default=100, ge=1)
    """How many samples to pick; fewer when the pool is smaller."""
    budget_share: float | None = Field(default=None, gt=0, le=1)
    """Pick this share of the pool instead of a number."""
    budget_cost: float | None = Field(default=None, gt=0)
    """Pick until the samples' `cost` adds up to this, instead of a number."""
    cost: ColumnPlan | None = None
    """Where the cost of a sample is found, for example {input: scores, column: minutes, file: costs.csv}."""
    objectives: tuple[ObjectivePlan, ...] = ()
    """What to weigh, in place of a strategy: the product of all, each to the power of its strength."""
    constraints: tuple[ConstraintPlan, ...] = ()
    """What must hold for every pick."""
    pool: Literal["unlabelled", "all"] = "unlabelled"
    """Pick among the samples without a label, or among all."""
    splits: tuple[Literal["train", "val", "test"], ...] = Field(default=("train",), min_length=1)
    """Pick only from these splits, so that validation and test stay what they are."""
    seed: int = Field(default=0, ge=0)
    """Seed of the strategies that use chance."""

    @model_validator(mode="after")
    def _one_budget(self) -> "SelectConfig":
        if self.budget_share is not None and self.budget_cost is not None:
            raise ValueError("set budget_share or budget_cost, not both")
        if (self.budget_cost is None) != (self.cost is None):
            raise ValueError("budget_cost and cost belong together; set both or neither")
        if (self.objectives or self.constraints or self.cost) and self.strategy != "auto":
            raise ValueError("objectives, constraints and cost need strategy: auto")
        return self
