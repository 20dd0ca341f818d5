"""The pipeline as a Prefect flow: six tasks, one after the other."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.states import Failed

from flows.overrides import Overrides
from flows.preparation import prepared
from sslcore.errors import SslflowError
from tasks.dvc_process import unchanged_stages
from tasks.embed import embed
from tasks.evaluate import evaluate
from tasks.ingest import ingest
from tasks.launch import StageOutcome
from tasks.pretrain import pretrain
from tasks.report import report
from tasks.select import select

__all__ = ["pipeline"]


AS_IN_PARAMS = Overrides()


@flow(name="pipeline", version="1", persist_result=False)
def pipeline(
    workspace: str = ".", source: str | None = None, overrides: Overrides = AS_IN_PARAMS
) -> list[StageOutcome]:
    """Run ingest, pretrain, embed, evaluate, select and report; what is up to date is skipped.

    Args:
        workspace: Folder with params.yaml, dvc.yaml and .dvc/.
        source: Where images come from, if it is to change for good: it is written to params.yaml.
        overrides: Settings for this run only; its results go to runs/FINGERPRINT/.
    """
    words = overrides.words()
    try:
        with prepared(Path(workspace), source=source, overrides=words) as place:
            fresh = unchanged_stages(place.root)
            given: dict[str, Any] = {"workspace": place.root, "overrides": words, "up_to_date": fresh}
            return [
                ingest(**given),
                pretrain(**given),
                embed(**given),
                evaluate(**given),
                select(**given),
                report(**given),
            ]
    except SslflowError as error:
        # Returned and not raised: it is no bug, so its traceback is nobody's business.
        return Failed(message=str(error), data=error)  # type: ignore[return-value]
