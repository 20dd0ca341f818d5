"""Which function of sslcore each stage is, and what it is given. One call each, imported when needed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sslcore.config import Params
from sslcore.monitor import Monitor
from tasks.fingerprints import Plan, checkpoint_key
from tasks.workspace import LABELS, Workspace

__all__ = ["STEPS", "StepReport", "Surroundings"]


class StepReport(Protocol):
    """What every step returns."""

    @property
    def summary(self) -> str:
        """One or two lines for a person."""

    @property
    def figures(self) -> Mapping[str, float]:
        """Final figures for the tracking server."""


class Surroundings:
    """What a step is given besides its config."""

    def __init__(
        self, workspace: Workspace, plan: Plan, output: Path, monitor: Monitor, champion: Path | None
    ) -> None:
        """Keep them."""
        self.workspace = workspace
        self.plan = plan
        self.output = output
        self.monitor = monitor
        self.champion = champion

    def checkpoints(self, params: Params) -> Path:
        """Return where a pretraining keeps what it needs to go on; DVC empties the outputs of a stage."""
        return self.workspace.state / "checkpoints" / checkpoint_key(params, self.plan)

    def previous(self, stage: str) -> Path | None:
        """Return the last whole result of a stage that grows by appending, if there is one."""
        for root in (self.plan.root, self.workspace.root):
            place = root / {"ingest": "data/dataset", "embed": "data/embeddings"}[stage]
            if place.is_dir():
                return place
        return None


def _ingest(params: Params, given: Surroundings) -> StepReport:
    from sslcore.data.ingest import ingest

    previous = given.previous("ingest")
    return ingest(
        params.ingest,
        output=given.output,
        previous=previous,
        root=given.workspace.root,
        monitor=given.monitor,
        stat_cache=given.workspace.state / "digests.arrow",
    )


def _pretrain(params: Params, given: Surroundings) -> StepReport:
    from sslcore.training.pretrain import pretrain

    return pretrain(
        params.pretrain,
        dataset=given.plan.place("ingest"),
        output=given.output,
        monitor=given.monitor,
        checkpoints=given.checkpoints(params),
        traces=given.workspace.state / "traces",
    )


def _embed(params: Params, given: Surroundings) -> StepReport:
    from sslcore.embedding.embed import embed

    return embed(
        params.embed,
        dataset=given.plan.place("ingest"),
        backbone=given.plan.place("pretrain"),
        output=given.output,
        previous=given.previous("embed"),
        work=given.workspace.state / "embed" / (given.plan.fingerprint or "workspace"),
        monitor=given.monitor,
    )


def _evaluate(params: Params, given: Surroundings) -> StepReport:
    from sslcore.evaluation.evaluate import evaluate

    return evaluate(
        params.evaluate,
        dataset=given.plan.place("ingest"),
        backbone=given.plan.place("pretrain"),
        embeddings=given.plan.place("embed"),
        labels=given.workspace.root / LABELS,
        output=given.output,
        champion=given.champion,
        monitor=given.monitor,
    )


def _select(params: Params, given: Surroundings) -> StepReport:
    from sslcore.selection.select_step import select_samples

    return select_samples(
        params.select,
        dataset=given.plan.place("ingest"),
        embeddings=given.plan.place("embed"),
        labels=given.workspace.root / LABELS,
        output=given.output,
        monitor=given.monitor,
    )


def _report(params: Params, given: Surroundings) -> StepReport:
    from sslcore.report.build import report

    return report(
        params.report,
        dataset=given.plan.place("ingest"),
        backbone=given.plan.place("pretrain"),
        embeddings=given.plan.place("embed"),
        metrics=given.plan.place("evaluate", "evaluate.json"),
        plots=given.plan.place("evaluate", "plots"),
        selection=given.plan.place("select"),
        labels=given.workspace.root / LABELS,
        output=given.output,
        monitor=given.monitor,
    )


STEPS: Mapping[str, Callable[[Params, Surroundings], StepReport]] = {
    "ingest": _ingest,
    "pretrain": _pretrain,
    "embed": _embed,
    "evaluate": _evaluate,
    "select": _select,
    "report": _report,
}
