"""Promotion: only what is better on the same samples, and a way back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from sslcore.backbones import build_backbone, save_backbone
from sslcore.errors import UserError
from tasks import registry
from tasks.registry import BACKBONE, EMBEDDER, list_versions, promote, promote_if_better, register
from tasks.tracking import connect
from tasks.workspace import Workspace


@pytest.fixture
def client(make_workspace: Callable[[str], Workspace]) -> Any:
    """A registry with three versions of both models, entered by hand: their artifacts are not read here."""
    client = connect(make_workspace("w"))
    for name in (BACKBONE, EMBEDDER):
        client.create_registered_model(name)
        for number in ("1", "2", "3"):
            version = client.create_model_version(name, source="file:///nowhere", run_id=None).version
            tag = ("model_id", f"m{number}") if name == BACKBONE else ("backbone_version", number)
            client.set_model_version_tag(name, version, *tag)
    return client


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """Return the folder of a small backbone."""
    (tmp_path / "trained").mkdir()
    backbone = build_backbone("resnet10-small", image_size=16)
    save_backbone(tmp_path / "trained", backbone, backbone="resnet10-small", image_size=16)
    return tmp_path / "trained"


def aliases(client: Any, name: str = BACKBONE) -> dict[str, int]:
    return {alias: int(version) for alias, version in client.get_registered_model(name).aliases.items()}


def judge(client: Any, model_id: str, candidate: float | None, champion: float | None) -> str:
    return promote_if_better(client, model_id, candidate=candidate, champion=champion)


def test_the_first_backbone_becomes_champion_even_without_labels(client: Any) -> None:
    assert judge(client, "m1", None, None) == "version 1 is champion: there was none before"
    assert aliases(client) == aliases(client, EMBEDDER) == {"champion": 1}


def test_a_better_one_replaces_the_champion_which_stays_at_hand(client: Any) -> None:
    promote(client, "1")
    said = judge(client, "m2", 0.61, 0.60)
    assert (
        said
        == "version 2 replaces champion 1: kNN accuracy 0.6100 against 0.6000 on the same validation samples"
    )
    assert aliases(client) == aliases(client, EMBEDDER) == {"champion": 2, "previous-champion": 1}


@pytest.mark.parametrize(("candidate", "champion"), [(0.6, 0.6), (0.5, 0.6)])
def test_one_that_is_no_better_does_not(client: Any, candidate: float, champion: float) -> None:
    promote(client, "1")
    assert judge(client, "m2", candidate, champion).startswith("version 1 stays champion: kNN accuracy")
    assert aliases(client) == {"champion": 1}


def test_without_labels_the_champion_stays_and_the_way_by_hand_is_named(client: Any) -> None:
    promote(client, "1")
    said = judge(client, "m2", None, None)
    assert "no labelled validation samples to compare on; 'sslflow models promote 2' does it by hand" in said
    assert aliases(client) == {"champion": 1}


def test_the_champion_itself_is_left_alone(client: Any) -> None:
    promote(client, "1")
    assert judge(client, "m1", 0.6, 0.6) == "version 1 is champion already"


def test_a_backbone_that_is_not_registered_cannot_be_champion(client: Any) -> None:
    assert "is not in the registry" in judge(client, "m9", 0.9, 0.1)


def test_going_back_is_a_promotion_too(client: Any) -> None:
    promote(client, "1")
    promote(client, "2")
    promote(client, "1")
    assert aliases(client) == {"champion": 1, "previous-champion": 2}


def test_an_unknown_version_lists_those_there_are(client: Any) -> None:
    with pytest.raises(UserError, match="has no version 7; there are: 3, 2, 1"):
        promote(client, "7")


def test_an_empty_registry_has_no_versions(make_workspace: Callable[[str], Workspace]) -> None:
    assert list_versions(connect(make_workspace("empty"))) == []


def test_a_registration_that_was_cut_off_is_finished(
    make_workspace: Callable[[str], Workspace], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(make_workspace("w"))
    experiment = client.get_experiment_by_name("sslflow")
    assert experiment is not None
    run = client.create_run(experiment.experiment_id).info.run_id
    with monkeypatch.context() as patch:
        patch.setattr(registry, "_log_embedder", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            register(client, run, trained)
    for _ in range(2):
        assert register(client, run, trained) == "1"
        assert [each.version for each in list_versions(client)] == ["1"]
        assert aliases(client) == aliases(client, EMBEDDER) == {"challenger": 1}


def test_an_alias_without_an_embedder_is_told(client: Any, caplog: pytest.LogCaptureFixture) -> None:
    client.create_model_version(BACKBONE, source="file:///nowhere", run_id=None)
    promote(client, "4")
    assert "sslflow-backbone version 4 has no sslflow-embedder" in caplog.text
