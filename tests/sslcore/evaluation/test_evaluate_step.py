"""The evaluate step: accuracies on the right samples, and notes where there is nothing to measure."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from sslcore.backbones import build_backbone, save_backbone
from sslcore.config import EmbedConfig, EvaluateConfig
from sslcore.data import read_manifest
from sslcore.embedding import read_embeddings
from sslcore.embedding.embed import embed
from sslcore.errors import UserError
from sslcore.evaluation import EvaluateReport, effective_rank
from sslcore.evaluation.evaluate import evaluate
from sslcore.evaluation.labelled import labelled_samples


def run(output: Path, inputs: Any, champion: Path | None = None) -> tuple[dict[str, Any], EvaluateReport]:
    output.mkdir()
    config = EvaluateConfig(knn_k=3, num_workers=0, device="cpu", raw_pixels_size=8)
    report = evaluate(config, **inputs.arguments(), output=output, champion=champion)
    return json.loads((output / "evaluate.json").read_text()), report


def table(inputs: Any) -> pd.DataFrame:
    """Join labels, splits and vectors once more, from the file names alone."""
    stored = read_embeddings(inputs.embeddings)
    rows = read_manifest(inputs.dataset)[["filename", "split"]].copy()
    number = rows["filename"].str[:2].astype(int)
    rows["truth"] = number.map(lambda i: ("across", "down", "noise")[i % 3])
    rows["heldout"] = number % 4 == 0
    rows["vector"] = list(stored.vectors / np.linalg.norm(stored.vectors, axis=1, keepdims=True))
    return rows


def knn_in_loops(rows: pd.DataFrame, split: str) -> float:
    bank = rows[(rows["split"] == "train") & ~rows["heldout"]]
    right, queries = 0, rows[rows["split"] == split]
    for _, query in queries.iterrows():
        near = sorted(
            ((float(v @ query["vector"]), t) for v, t in zip(bank["vector"], bank["truth"], strict=True))
        )
        votes: dict[str, float] = {}
        for similarity, truth in near[-3:]:
            votes[truth] = votes.get(truth, 0.0) + float(np.exp(similarity / 0.1))
        right += max(votes, key=lambda name: votes[name]) == query["truth"]
    return right / len(queries)


def test_knn_is_fitted_on_train_and_measured_with_heldout_labels(tmp_path: Path, inputs: Any) -> None:
    document, _ = run(tmp_path / "out", inputs)
    rows = table(inputs)
    assert document["num_train"] == int(((rows["split"] == "train") & ~rows["heldout"]).sum())
    assert document["num_test"] == int((rows["split"] == "test").sum())
    assert document["knn"]["backbone"] == pytest.approx(knn_in_loops(rows, "test"), abs=1e-6)
    assert document["knn_val"]["backbone"] == pytest.approx(knn_in_loops(rows, "val"), abs=1e-6)


def test_everything_it_is_compared_with_is_measured(tmp_path: Path, inputs: Any, champion: Path) -> None:
    document, report = run(tmp_path / "out", inputs, champion)
    for measure in ("knn", "linear_probe"):
        assert list(document[measure]) == ["backbone", "random_weights", "raw_pixels", "champion"]
    # The network's own weights are the random ones of the same seed, so the two agree.
    assert document["knn"]["random_weights"] == document["knn"]["backbone"]
    # Stripes in a random phase: what is linear in pixels cannot tell them from one another.
    assert document["linear_probe"]["backbone"] > document["linear_probe"]["raw_pixels"]
    assert report.champion_accuracy == document["knn_val"]["champion"]["accuracy"]
    assert report.candidate_accuracy == document["knn_val"]["backbone"]
    assert report.champion_model_id == document["knn"]["champion"]["model_id"] != report.model_id
    assert report.figures["knn_champion"] == document["knn"]["champion"]["accuracy"]


def test_the_champion_is_measured_as_its_own_embeddings_would_be(
    tmp_path: Path, inputs: Any, champion: Path
) -> None:
    (tmp_path / "embeddings").mkdir()
    settings = EmbedConfig(num_workers=0, device="cpu")
    embed(settings, dataset=inputs.dataset, backbone=champion, output=tmp_path / "embeddings")
    as_candidate = replace(inputs, backbone=champion, embeddings=tmp_path / "embeddings")
    one, _ = run(tmp_path / "one", inputs, champion)
    other, _ = run(tmp_path / "other", as_candidate)
    for measure in ("knn", "linear_probe", "knn_val"):
        assert one[measure]["champion"]["accuracy"] == other[measure]["backbone"]


def test_the_champion_itself_is_not_better_than_itself(tmp_path: Path, inputs: Any) -> None:
    document, report = run(tmp_path / "out", inputs, inputs.backbone)
    assert report.champion_accuracy == report.candidate_accuracy
    assert document["linear_probe"]["champion"]["accuracy"] == document["linear_probe"]["backbone"]


@pytest.mark.parametrize("features", ["cls", "patch_mean", "layers:blocks.0"])
def test_a_champion_without_the_embedded_features_is_measured_by_its_pooled_ones(
    tmp_path: Path, inputs: Any, champion: Path, caplog: pytest.LogCaptureFixture, features: str
) -> None:
    transformer, embeddings = tmp_path / "transformer", tmp_path / "embeddings"
    for folder in (transformer, embeddings):
        folder.mkdir()
    module = build_backbone("vit-tiny-8", image_size=32, seed=0)
    save_backbone(transformer, module, backbone="vit-tiny-8", image_size=32)
    settings = EmbedConfig(num_workers=0, device="cpu", features=features)
    embed(settings, dataset=inputs.dataset, backbone=transformer, output=embeddings)
    pooled, _ = run(tmp_path / "pooled", inputs, champion)
    document, report = run(
        tmp_path / "out", replace(inputs, backbone=transformer, embeddings=embeddings), champion
    )
    for measure in ("knn", "linear_probe", "knn_val"):
        assert document[measure]["champion"] == pooled[measure]["champion"]
    assert report.champion_accuracy is not None
    assert f"the champion has no {features} features: it is measured by its pooled ones" in document["note"]
    assert f"has no features '{features}': it is measured by its pooled ones" in caplog.text
    assert str(report.champion_model_id) in caplog.text


def test_chance_is_the_most_common_training_class(tmp_path: Path, inputs: Any) -> None:
    document, _ = run(tmp_path / "out", inputs)
    rows = table(inputs)
    common = rows[(rows["split"] == "train") & ~rows["heldout"]]["truth"].value_counts()
    test = rows[rows["split"] == "test"]["truth"]
    shares = [round(float((test == name).mean()), 6) for name in common.index[common == common.max()]]
    assert document["chance"] in shares


def test_plots_say_what_was_predicted(tmp_path: Path, inputs: Any) -> None:
    document, _ = run(tmp_path / "out", inputs)
    confusion = pd.read_csv(tmp_path / "out" / "plots" / "confusion.csv")
    assert len(confusion) == document["num_test"]
    right = (confusion["actual"] == confusion["predicted"]).mean()
    assert right == pytest.approx(document["knn"]["backbone"], abs=1e-6)
    comparison = pd.read_csv(tmp_path / "out" / "plots" / "comparison.csv")
    assert list(comparison.columns) == ["features", "measure", "accuracy"]
    assert len(comparison) == 10
    curve = pd.read_csv(tmp_path / "out" / "plots" / "label_efficiency.csv")
    assert curve["labels"].max() == document["num_train"]
    last = curve[(curve["labels"] == document["num_train"]) & (curve["measure"] == "knn")]
    assert last["accuracy"].tolist() == [document["knn"]["backbone"]]


def test_intervals_hold_the_accuracies_and_differences(tmp_path: Path, inputs: Any, champion: Path) -> None:
    document, _ = run(tmp_path / "out", inputs, champion)
    for measure in ("knn", "knn_plain", "linear_probe"):
        for name, (low, high) in document["intervals"][measure].items():
            value = document[measure][name]
            assert low <= (value["accuracy"] if name == "champion" else value) <= high
    assert set(document["clustering"]) == {"nmi", "ari", "purity"}
    assert list(document["differences"]["knn_val"]) == ["champion"]
    found = document["differences"]["knn"]["raw_pixels"]["estimate"]
    assert found == pytest.approx(document["knn"]["backbone"] - document["knn"]["raw_pixels"], abs=2e-6)


def test_without_labels_it_succeeds_with_a_note(tmp_path: Path, unlabelled: Any, champion: Path) -> None:
    document, report = run(tmp_path / "out", unlabelled, champion)
    assert document["note"] == "no labelled samples in the train split: accuracies cannot be measured"
    assert not {"knn", "linear_probe", "knn_val", "chance"} & set(document)
    vectors = read_embeddings(unlabelled.embeddings).vectors
    assert document["effective_rank"] == pytest.approx(effective_rank(torch.from_numpy(vectors)), abs=1e-4)
    assert (report.candidate_accuracy, report.champion_accuracy) == (None, None)
    assert (tmp_path / "out" / "plots" / "confusion.csv").read_text() == "actual,predicted\n"


def test_one_class_is_not_enough(tmp_path: Path, unlabelled: Any) -> None:
    names = read_manifest(unlabelled.dataset)["filename"]
    added = unlabelled.with_labels(
        tmp_path / "labels", "filename,label\n" + "".join(f"{name},thing\n" for name in names)
    )
    document, _ = run(tmp_path / "out", added)
    assert "all of one class" in document["note"]
    assert "knn" not in document


def test_labels_that_were_added_are_enough(tmp_path: Path, unlabelled: Any) -> None:
    manifest = read_manifest(unlabelled.dataset)
    train = manifest[manifest["split"] == "train"]["filename"].tolist()
    val = manifest[manifest["split"] == "val"]["filename"].tolist()
    text = "filename,label\n" + "".join(f"{name},{'ab'[i % 2]}\n" for i, name in enumerate(train))
    added = unlabelled.with_labels(tmp_path / "labels", text + f"{val[0]},a\n{val[1]},c\n")
    document, report = run(tmp_path / "out", added)
    assert (document["num_train"], document["num_val"], document["num_test"]) == (len(train), 2, 0)
    assert "knn" not in document
    assert report.candidate_accuracy in (0.0, 0.5)
    assert "no labelled samples in the test split" in document["note"]
    assert "1 of 2 val samples are of classes without a training label" in document["note"]


def test_the_same_input_is_the_same_bytes(tmp_path: Path, inputs: Any) -> None:
    run(tmp_path / "1", inputs)
    run(tmp_path / "2", inputs)
    for name in ("evaluate.json", "plots/confusion.csv", "plots/comparison.csv"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_heldout_labels_are_never_fitted_to(inputs: Any) -> None:
    manifest = read_manifest(inputs.dataset)
    found = labelled_samples(manifest, dataset=inputs.dataset, labels=inputs.labels)
    train = manifest["filename"].iloc[[found.indices[i] for i in found.splits["train"]]]
    assert not any(int(name[:2]) % 4 == 0 for name in train)
    assert any(int(manifest["filename"].iloc[found.indices[i]][:2]) % 4 == 0 for i in found.splits["test"])


def test_embeddings_of_another_model_are_refused(tmp_path: Path, inputs: Any, champion: Path) -> None:
    with pytest.raises(UserError, match=r"is of model .*; run: sslflow embed"):
        run(tmp_path / "out", replace(inputs, backbone=champion))


def test_embeddings_that_lack_a_labelled_sample_are_refused(tmp_path: Path, inputs: Any) -> None:
    shutil.copytree(inputs.embeddings, tmp_path / "embeddings")
    part = tmp_path / "embeddings" / "part-00000.parquet"
    pq.write_table(pq.read_table(part).slice(2), part)
    with pytest.raises(UserError, match=r"labelled samples have no embedding; run: sslflow embed"):
        run(tmp_path / "out", replace(inputs, embeddings=tmp_path / "embeddings"))
