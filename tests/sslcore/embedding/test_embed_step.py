"""The embed step: vectors in the order of the manifest, and only new samples computed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from sslcore.augment import normalize
from sslcore.backbones import build_backbone, load_backbone
from sslcore.config import EmbedConfig
from sslcore.data import SampleDataset, read_dataset_info
from sslcore.embedding import Embeddings, EmbedReport, read_embeddings
from sslcore.embedding.embed import embed
from sslcore.errors import UserError


def run(
    output: Path, dataset: Path, backbone: Path, previous: Path | None = None, **config: Any
) -> tuple[Embeddings, EmbedReport]:
    output.mkdir()
    settings = EmbedConfig(**{"num_workers": 0, "device": "cpu", **config})
    report = embed(settings, dataset=dataset, backbone=backbone, output=output, previous=previous)
    return read_embeddings(output), report


def test_vectors_are_those_of_one_image_at_a_time(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    got, report = run(tmp_path / "out", dataset, backbone, batch_size=2)
    module, info = load_backbone(backbone)
    samples = SampleDataset(dataset, image_size=info.image_size)
    for row in range(5):
        with torch.no_grad():
            expected = module(normalize(samples[row][0][None], info.normalization))[0]
        assert np.allclose(got.vectors[row], expected, atol=1e-5)
    assert got.filenames == ["a.png", "b.png", "c.png", "d.png", "f.png"]
    assert got.sample_ids == samples.manifest["sample_id"].tolist()
    assert (got.model_id, got.dataset_fingerprint) == (info.model_id, read_dataset_info(dataset).fingerprint)
    assert (report.figures["num_new"], report.figures["num_reused"]) == (5, 0)


def test_parts_hold_the_rows_they_may(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    whole, _ = run(tmp_path / "whole", dataset, backbone)
    parted, _ = run(tmp_path / "parted", dataset, backbone, rows_per_file=2)
    sizes = [pq.read_metadata(path).num_rows for path in sorted((tmp_path / "parted").iterdir())]
    assert sizes == [2, 2, 1]
    assert parted.sample_ids == whole.sample_ids
    assert np.allclose(parted.vectors, whole.vectors, atol=1e-5)


def test_the_same_input_is_the_same_bytes(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    run(tmp_path / "1", dataset, backbone)
    run(tmp_path / "2", dataset, backbone, num_workers=2, batch_size=256)
    first, second = (tmp_path / name / "part-00000.parquet" for name in ("1", "2"))
    assert first.read_bytes() == second.read_bytes()


def test_only_new_samples_are_computed(
    tmp_path: Path, source: Any, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "before", source.ingest(), backbone, rows_per_file=2)
    source.add("ab", "e")
    decoded: list[int] = []
    batch = SampleDataset.batch

    def noted(self: SampleDataset, rows: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        decoded.extend(rows)
        return batch(self, rows)

    monkeypatch.setattr(SampleDataset, "batch", noted)
    dataset = source.ingest()
    grown, report = run(tmp_path / "grown", dataset, backbone, tmp_path / "before", rows_per_file=3)
    assert [grown.filenames[row] for row in decoded] == ["ab.png", "e.png"]
    assert (report.figures["num_new"], report.figures["num_reused"]) == (2, 5)
    full, _ = run(tmp_path / "full", dataset, backbone)
    assert grown.sample_ids == full.sample_ids
    assert np.allclose(grown.vectors, full.vectors, atol=1e-5)


def test_several_processes_write_the_same_parts(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    one, _ = run(tmp_path / "one", dataset, backbone, rows_per_file=2)
    two, report = run(tmp_path / "two", dataset, backbone, rows_per_file=2, num_processes=2)
    assert report.figures["num_new"] == 5
    assert (two.sample_ids, two.filenames) == (one.sample_ids, one.filenames)
    assert np.allclose(two.vectors, one.vectors, atol=1e-5)


def test_what_goes_wrong_in_a_process_is_said_by_the_step(tmp_path: Path, source: Any, save: Any) -> None:
    module = build_backbone("resnet10-small", image_size=32, seed=0)
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="features that are not finite"):
        run(
            tmp_path / "out",
            source.ingest(),
            save(tmp_path / "broken", module),
            rows_per_file=2,
            num_processes=2,
        )


def test_a_killed_run_goes_on_at_the_part(
    tmp_path: Path, source: Any, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, config = source.ingest(), EmbedConfig(num_workers=0, device="cpu", rows_per_file=2)
    run(tmp_path / "whole", dataset, backbone, rows_per_file=2)
    given = {"dataset": dataset, "backbone": backbone, "work": tmp_path / "work"}
    (tmp_path / "out").mkdir()

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("sslcore.embedding.embed._move_all", dies)
        with pytest.raises(KeyboardInterrupt):
            embed(config, **given, output=tmp_path / "out")
    (tmp_path / "work" / "run-00000" / "part-00002.parquet").unlink()
    (tmp_path / "work" / "run-00000" / ".part-00002.parquet.partial").write_bytes(b"half")
    report = embed(config, **given, output=tmp_path / "out")
    assert (report.figures["num_new"], report.figures["num_reused"]) == (1, 4)
    for part in (tmp_path / "whole").iterdir():
        assert (tmp_path / "out" / part.name).read_bytes() == part.read_bytes()
    assert not (tmp_path / "work").exists()


def test_a_killed_run_is_taken_over_when_samples_were_added_since(
    tmp_path: Path, source: Any, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = EmbedConfig(num_workers=0, device="cpu", rows_per_file=2)
    given: dict[str, Any] = {"backbone": backbone, "work": tmp_path / "work"}
    (tmp_path / "out").mkdir()
    with monkeypatch.context() as patched:
        patched.delattr("sslcore.embedding.embed._move_all")
        with pytest.raises(NameError):
            embed(config, **given, dataset=source.ingest(), output=tmp_path / "out")
    source.add("aa")  # every later row moves
    dataset = source.ingest()
    assert embed(config, **given, dataset=dataset, output=tmp_path / "out").figures["num_new"] == 1
    whole, _ = run(tmp_path / "whole", dataset, backbone, rows_per_file=2)
    assert np.allclose(read_embeddings(tmp_path / "out").vectors, whole.vectors, atol=1e-5)


def test_other_formats_hold_the_same_vectors(tmp_path: Path, source: Any, backbone: Path) -> None:
    (source.folder / "images" / "labels.csv").write_text("filename,label\na.png,dog\nc.png,cat\n")
    got, _ = run(tmp_path / "out", source.ingest(), backbone, rows_per_file=2, formats=("csv", "npy"))
    assert np.array_equal(np.load(tmp_path / "out" / "embeddings.npy"), got.vectors)
    header, *rows = [
        line.split(",") for line in (tmp_path / "out" / "embeddings.csv").read_text().splitlines()
    ]
    assert (header[0], header[1], header[-1]) == ("filenames", "embedding_0", "labels")
    assert [row[0] for row in rows] == got.filenames
    assert [row[-1] for row in rows] == ["1", "-1", "0", "-1", "-1"]
    assert np.allclose(np.array([row[1:-1] for row in rows], np.float32), got.vectors)


def test_labels_and_names_are_fresh_when_vectors_are_taken_over(
    tmp_path: Path, source: Any, backbone: Path
) -> None:
    before, _ = run(tmp_path / "before", source.ingest(), backbone)
    images = source.folder / "images"
    (images / "a.png").rename(images / "z.png")
    (images / "labels.csv").write_text("filename,label\nz.png,cat\n")
    after, report = run(tmp_path / "after", source.ingest(), backbone, tmp_path / "before")
    assert report.figures["num_new"] == 0
    assert (after.filenames[-1], after.labels) == ("z.png", [None, None, None, None, "cat"])
    assert np.array_equal(after.vectors, np.roll(before.vectors, -1, axis=0))
    assert before.dataset_fingerprint != after.dataset_fingerprint


@pytest.mark.parametrize("change", [{"dtype": "float16"}, {"normalize": True}])
def test_vectors_made_otherwise_are_not_taken_over(
    tmp_path: Path, source: Any, backbone: Path, change: dict[str, Any]
) -> None:
    dataset = source.ingest()
    run(tmp_path / "before", dataset, backbone)
    _, report = run(tmp_path / "after", dataset, backbone, tmp_path / "before", **change)
    assert report.figures["num_new"] == 5


def test_vectors_of_another_model_are_not_taken_over(
    tmp_path: Path, source: Any, backbone: Path, save: Any
) -> None:
    dataset = source.ingest()
    run(tmp_path / "before", dataset, backbone)
    other = save(tmp_path / "other", build_backbone("resnet10-small", image_size=32, seed=1))
    after, report = run(tmp_path / "after", dataset, other, tmp_path / "before")
    assert report.figures["num_new"] == 5
    assert after.model_id == load_backbone(other)[1].model_id


def test_an_earlier_folder_that_cannot_be_read_counts_as_nothing(
    tmp_path: Path, source: Any, backbone: Path
) -> None:
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "part-00000.parquet").write_bytes(b"half written")
    _, report = run(tmp_path / "after", source.ingest(), backbone, tmp_path / "before")
    assert report.figures["num_new"] == 5


def test_normalized_vectors_have_unit_length_and_say_so(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    plain, _ = run(tmp_path / "plain", dataset, backbone)
    unit, _ = run(tmp_path / "unit", dataset, backbone, normalize=True)
    lengths = np.linalg.norm(plain.vectors, axis=1, keepdims=True)
    assert np.allclose(unit.vectors, plain.vectors / lengths, atol=1e-6)
    assert (plain.normalized, unit.normalized) == (False, True)


def test_half_precision_is_stored_as_such(tmp_path: Path, source: Any, backbone: Path) -> None:
    dataset = source.ingest()
    plain, _ = run(tmp_path / "plain", dataset, backbone)
    half, _ = run(tmp_path / "half", dataset, backbone, dtype="float16")
    schema = pq.read_schema(tmp_path / "half" / "part-00000.parquet")
    assert str(schema.field("embedding").type.value_type) == "halffloat"
    assert np.array_equal(half.vectors, plain.vectors.astype(np.float16).astype(np.float32))


def test_broken_weights_are_refused(tmp_path: Path, source: Any, save: Any) -> None:
    module = build_backbone("resnet10-small", image_size=32, seed=0)
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="features that are not finite"):
        run(tmp_path / "out", source.ingest(), save(tmp_path / "broken", module))


def test_features_that_half_precision_cannot_hold_are_refused(
    tmp_path: Path, source: Any, backbone: Path, save: Any
) -> None:
    dataset, (module, _) = source.ingest(), load_backbone(backbone)
    plain, _ = run(tmp_path / "plain", dataset, backbone)
    with torch.no_grad():
        for name, values in module.named_parameters():
            if name.startswith(("layer4.0.bn2", "layer4.0.downsample.1")):  # what scales the output
                values.mul_(1e5 / float(plain.vectors.max()))
    large = save(tmp_path / "large", module)
    with pytest.raises(UserError, match=r"features up to 1e\+05, more than float16 holds: set embed\.dtype"):
        run(tmp_path / "half", dataset, large, dtype="float16")
    unit, _ = run(tmp_path / "unit", dataset, large, dtype="float16", normalize=True)
    assert np.isfinite(unit.vectors).all()
