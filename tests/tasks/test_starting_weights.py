"""Weights to start from that are a version of the registry."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sslcore.config import Params, parse_params
from sslcore.errors import UserError
from tasks import registry
from tasks.stage import _with_fetched_weights
from tasks.workspace import Workspace


def params(weights: str | None) -> Params:
    return parse_params({"ingest": {"source": "s"}, "pretrain": {"weights": weights}}, where="params.yaml")


def tracker(client: object) -> Any:
    return SimpleNamespace(client=client, answering=lambda doing: nullcontext())


def test_a_version_is_fetched_and_its_folder_named_in_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "fetch_version", lambda client, workspace, version: tmp_path / version)
    found = _with_fetched_weights(Workspace(tmp_path), tracker(object()), params("registry:champion"))
    assert found.pretrain.weights == "champion"


@pytest.mark.parametrize("weights", [None, "some/file.safetensors", "torchvision:DEFAULT"])
def test_other_weights_are_left_as_they_are(weights: str | None, tmp_path: Path) -> None:
    given = params(weights)
    assert _with_fetched_weights(Workspace(tmp_path), tracker(object()), given) is given


def test_without_mlflow_there_is_nothing_to_start_from(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="registry:3 cannot be fetched, MLflow does not answer"):
        _with_fetched_weights(Workspace(tmp_path), tracker(None), params("registry:3"))
