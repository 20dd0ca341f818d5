"""Any torch Dataset as a source: read as it is, and left as it was."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torchvision
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from sslcore.data import SampleDataset, ingest_dataset, read_dataset_info, read_manifest
from sslcore.data.items import image_of
from sslcore.errors import UserError


def test_a_dataset_becomes_a_folder_of_ours_and_stays_as_it_was(tmp_path: Path) -> None:
    fake = torchvision.datasets.FakeData(12, (3, 20, 24), 3)
    before = copy.copy(vars(fake))
    report = ingest_dataset(fake, output=tmp_path / "out", name="fake", val_fraction=0.2)
    assert vars(fake) == before
    samples = SampleDataset(tmp_path / "out")
    assert samples.manifest["filename"].tolist() == [f"fake-{index:07d}.png" for index in range(12)]
    for index in (0, 11):
        image, target = fake[index]
        np.testing.assert_array_equal(samples[index][0].permute(1, 2, 0).numpy(), np.asarray(image))
        assert samples.manifest["label"][index] == str(int(target))
    assert read_dataset_info(tmp_path / "out").source == "dataset:fake"
    assert "12 samples" in report.summary
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_tensors_dicts_and_names(tmp_path: Path) -> None:
    class Dicts(Dataset[dict[str, Any]]):
        classes = ("cat", "dog")

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> dict[str, Any]:
            image = torch.full((3, 9, 10), index / 4)
            return {"image": image, "label": torch.tensor(index - 1)}

    names = ["a.png", "b/c.png", "d.png"]
    ingest_dataset(Dicts(), output=tmp_path / "out", filenames=names)
    samples = SampleDataset(tmp_path / "out")
    assert samples.manifest["filename"].tolist() == names
    assert samples.manifest["label"].fillna("none").tolist() == ["none", "cat", "dog"]
    assert [int(samples[index][0][0, 0, 0]) for index in range(3)] == [0, 64, 128]


def test_an_iterable_dataset_is_read_to_its_end(tmp_path: Path) -> None:
    class Stream(IterableDataset[tuple[Image.Image, str]]):
        def __iter__(self) -> Iterator[tuple[Image.Image, str]]:
            for level in range(5):
                yield Image.new("L", (9, 9), 40 * level), f"class {level % 2}"

    ingest_dataset(Stream(), output=tmp_path / "out")
    assert read_manifest(tmp_path / "out")["label"].tolist() == [f"class {i % 2}" for i in range(5)]


def test_ingesting_again_stores_only_what_is_new(tmp_path: Path) -> None:
    images = torch.arange(20, dtype=torch.uint8).reshape(20, 1, 1, 1).expand(20, 3, 8, 8)
    ingest_dataset(TensorDataset(images[:15]), output=tmp_path / "one")
    report = ingest_dataset(TensorDataset(images), output=tmp_path / "two", previous=tmp_path / "one")
    assert (report.figures["num_samples"], report.figures["num_new"]) == (20, 5)


def test_an_item_that_cannot_be_read_is_in_quarantine(tmp_path: Path) -> None:
    class Broken(torchvision.datasets.FakeData):  # type: ignore[misc]
        def __getitem__(self, index: int) -> Any:
            if index == 2:
                raise OSError("cut")
            return super().__getitem__(index)

    ingest_dataset(Broken(5, (3, 8, 8)), output=tmp_path / "out", max_bad_fraction=0.5)
    rows = pq.read_table(tmp_path / "out/quarantine.parquet").to_pylist()
    assert rows == [{"path": "dataset-0000002.png", "reason": "unreadable", "detail": "item 2: OSError"}]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["text"], r"gives no image, or \(image, target\), at item 0: it is a str"),
        ([torch.randn(3, 9, 9)], "not from 0 to 1; leave normalization out"),
        ([np.zeros((2, 3, 9, 9), np.uint8)], r"its shape is \(2, 3, 9, 9\)"),
        ([np.zeros((9, 9, 3), np.int64)], "its type is int64"),
        ([], "has no items"),
    ],
)
def test_what_is_no_image_is_a_one_line_error_and_leaves_nothing(
    items: list[Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        ingest_dataset(items, output=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="is there and not empty"):
        ingest_dataset([Image.new("L", (9, 9))], output=tmp_path)
    with pytest.raises(ValueError, match="filenames must name each of the 1 items once"):
        ingest_dataset([Image.new("L", (9, 9))], output=tmp_path / "out", filenames=["a", "b"])


def test_arrays_and_tensors_become_the_same_images() -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for given in (
        values,
        torch.from_numpy(values).permute(2, 0, 1),
        torch.from_numpy(values).permute(2, 0, 1) / 255,
        (values / 255).astype(np.float64),
    ):
        np.testing.assert_array_equal(np.asarray(image_of(given)), values)
    assert image_of(np.array([[0, 65535]], np.uint16)).mode == "I;16"
    assert np.asarray(image_of(np.array([[True, False]]))).tolist() == [[255, 0]]
    assert np.asarray(image_of(torch.ones(1, 2, 2))).tolist() == [[255, 255], [255, 255]]
