"""The pretrain step on a small drawn data set."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from sslcore.backbones import build_backbone, load_backbone
from sslcore.config import IngestConfig, PretrainConfig
from sslcore.data import SampleDataset, read_dataset_info
from sslcore.data.ingest import ingest
from sslcore.data.sample import write_sample
from sslcore.errors import ConfigError, NotLearningError, UserError
from sslcore.monitor import SilentMonitor
from sslcore.training import online
from sslcore.training.batches import load_size
from sslcore.training.online import OnlineEvaluation
from sslcore.training.pretrain import PretrainReport, pretrain

SMALL: Mapping[str, Any] = {
    "backbone": "resnet10-small",
    "image_size": 16,
    "epochs": 2,
    "batch_size": 8,
    "views": "simclr-small",
    "num_workers": 0,
    "precision": "fp32",
    "device": "cpu",
}


def train(dataset: Path, output: Path, **settings: Any) -> PretrainReport:
    output.mkdir()
    return pretrain(PretrainConfig(**{**SMALL, **settings}), dataset=dataset, output=output)


def history_of(output: Path) -> list[dict[str, str]]:
    with (output / "history.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_a_backbone_and_says_where_it_came_from(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    report = train(dataset, tmp_path / "out", eval_every_epochs=2)
    module, info = load_backbone(tmp_path / "out")
    assert module(torch.zeros(2, 3, 16, 16)).shape == (2, info.embed_dim)
    assert info.dataset_fingerprint == read_dataset_info(dataset).fingerprint
    assert (info.method, info.image_size, info.config["epochs"]) == ("simclr", 16, 2)
    first, last = history_of(tmp_path / "out")
    assert (first["knn_accuracy"], last["epoch"]) == ("", "2")
    assert float(last["loss"]) == pytest.approx(report.figures["loss"])
    assert 0 <= float(last["knn_accuracy"]) <= 1
    assert float(last["effective_rank"]) >= 1


def test_the_same_seed_gives_the_same_bytes_however_it_reads(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    train(dataset, tmp_path / "a")
    train(dataset, tmp_path / "b", cache_megabytes=0, num_workers=1)
    train(dataset, tmp_path / "c", seed=1)
    for name in ("backbone.safetensors", "history.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "history.csv").read_bytes() != (tmp_path / "c" / "history.csv").read_bytes()


def test_model_json_is_the_same_for_the_same_settings(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    for name in ("a", "b"):
        train(dataset, tmp_path / name)
    assert (tmp_path / "a" / "model.json").read_bytes() == (tmp_path / "b" / "model.json").read_bytes()
    assert str(tmp_path) not in (tmp_path / "a" / "model.json").read_text()


@pytest.mark.parametrize(
    "setting",
    [
        {"lr": 0.01},
        {"optimizer": "adamw"},
        {"weight_decay": 0.5},
        {"warmup_epochs": 0},
        {"views": "simclr"},
        {"view_options": {"min_scale": 0.9}},
        {"method_options": {"temperature": 0.1}},
        {"batch_size": 4},
        {"precision": "bf16"},
    ],
    ids=str,
)
def test_a_setting_changes_the_training(setting: dict[str, Any], make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset()
    epochs = {"epochs": 12} if "warmup_epochs" in setting else {"epochs": 1}
    train(dataset, tmp_path / "plain", **epochs)
    train(dataset, tmp_path / "set", **epochs, **setting)
    assert (tmp_path / "plain" / "history.csv").read_text() != (tmp_path / "set" / "history.csv").read_text()


def test_fewer_samples_than_a_batch_make_a_smaller_batch(make_dataset: Any, tmp_path: Path) -> None:
    report = train(make_dataset(10), tmp_path / "out", batch_size=512)
    assert "there are no more samples" in report.summary


def test_fewer_than_two_samples_are_the_users_mistake(make_dataset: Any, tmp_path: Path) -> None:
    dataset = make_dataset(1, labels=False, val_fraction=0.0)
    with pytest.raises(UserError, match="there are 1 training samples and at least 2 are needed"):
        train(dataset, tmp_path / "out")


def test_without_labels_there_is_no_knn_but_the_collapse_measures(make_dataset: Any, tmp_path: Path) -> None:
    report = train(make_dataset(labels=False), tmp_path / "out")
    assert "knn_accuracy" not in report.figures
    assert report.figures["feature_std"] > 0


def test_without_a_validation_split_the_measures_are_of_training_samples(
    make_dataset: Any, tmp_path: Path
) -> None:
    report = train(make_dataset(12, val_fraction=0.0), tmp_path / "out", epochs=1)
    assert {"loss", "feature_std", "effective_rank", "alignment", "uniformity"} <= set(report.figures)
    assert "knn_accuracy" not in report.figures


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(make_dataset: Any, tmp_path: Path) -> None:
    with pytest.raises(NotLearningError, match=r"the loss is (nan|inf).*try a lower pretrain.lr"):
        train(make_dataset(), tmp_path / "out", lr=1e30, epochs=4, warmup_epochs=0)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_collapse_stops_the_training(
    make_dataset: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(online, "COLLAPSED", 1.0)  # what random weights give is now called a collapse
    with pytest.raises(NotLearningError, match="the features have collapsed"):
        train(make_dataset(), tmp_path / "out")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"method": "simcrl"}, "pretrain.method must be one of .*, got 'simcrl'; did you mean 'simclr'"),
        ({"method_options": {"temperatur": 1}}, "pretrain.method_options.temperatur"),
        ({"method_options": {"temperature": -1}}, "pretrain.method_options.temperature: .* greater than 0"),
        ({"view_options": {"min_scal": 1}}, "have no option 'min_scal'; did you mean 'min_scale'"),
        ({"backbone": "resnet81"}, "did you mean 'resnet18'"),
    ],
    ids=str,
)
def test_a_wrong_setting_is_one_line(
    setting: dict[str, Any], message: str, make_dataset: Any, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        train(make_dataset(8), tmp_path / "out", **setting)
    assert "\n" not in str(caught.value)


def test_progress_and_metrics_are_told(make_dataset: Any, tmp_path: Path) -> None:
    class Ears(SilentMonitor):
        def __init__(self) -> None:
            self.steps: list[tuple[int, int | None]] = []
            self.rows: list[Mapping[str, float]] = []

        def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
            self.steps.append((done, total))

        def metrics(self, step: int, values: Mapping[str, float]) -> None:
            self.rows.append(values)

    ears = Ears()
    (tmp_path / "out").mkdir()
    pretrain(PretrainConfig(**SMALL), dataset=make_dataset(), output=tmp_path / "out", monitor=ears)
    assert ears.steps[-1][0] == ears.steps[-1][1] == len(ears.steps)
    assert all(row["images_per_second"] > 0 for row in ears.rows)


def test_validation_labels_that_training_lacks_are_left_out(make_dataset: Any) -> None:
    dataset = make_dataset()
    import pandas as pd

    path = dataset / "manifest.parquet"
    manifest = pd.read_parquet(path)
    manifest.loc[manifest.index[manifest["split"] == "val"][:3], "label"] = "never seen"
    manifest.to_parquet(path)
    measured = OnlineEvaluation(dataset, image_size=16).measure(
        build_backbone("resnet10-small", image_size=16, seed=0), torch.device("cpu")
    )
    assert 0 <= measured["knn_accuracy"] <= 1


def test_measuring_leaves_the_backbone_in_training_mode(make_dataset: Any) -> None:
    backbone: nn.Module = build_backbone("resnet10-small", image_size=16, seed=0).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    OnlineEvaluation(make_dataset(), image_size=16).measure(backbone, torch.device("cpu"))
    assert backbone.training
    assert all(torch.equal(value, before[key]) for key, value in backbone.state_dict().items())


def test_images_are_read_somewhat_larger_than_a_view(make_dataset: Any) -> None:
    dataset = make_dataset(4)  # 24 pixels
    samples = SampleDataset(dataset)
    assert len(samples) == 4
    sizes = {size: load_size(PretrainConfig(image_size=size), samples) for size in (16, 22, 32)}
    assert sizes == {16: 18, 22: 24, 32: 32}


@pytest.mark.slow
def test_it_learns_more_than_random_weights_know(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", num_images=1000)
    dataset = tmp_path / "dataset"
    dataset.mkdir()
    known = (tmp_path / "sample" / "labels.csv").read_text()
    hidden = (tmp_path / "sample" / "heldout.csv").read_text().split("\n", 1)[1]
    (tmp_path / "sample" / "labels.csv").write_text(known + hidden)
    (tmp_path / "sample" / "heldout.csv").unlink()
    ingest(IngestConfig(source="sample", val_fraction=0.2), output=dataset, root=tmp_path)
    recipe = {
        "image_size": 24,
        "epochs": 16,
        "warmup_epochs": 1,
        "batch_size": 64,
        "optimizer": "adamw",
        "lr": 0.0015,
        "precision": "auto",
        "views": "simclr",
        "view_options": {"min_scale": 0.4, "grey_probability": 0.5},
        "method_options": {"temperature": 0.2},
    }
    learnt = train(dataset, tmp_path / "out", **recipe).figures["knn_accuracy"]
    backbone = build_backbone("resnet10-small", image_size=24, seed=5)
    random = OnlineEvaluation(dataset, image_size=24).measure(backbone, torch.device("cpu"))
    assert learnt > random["knn_accuracy"] + 0.1
