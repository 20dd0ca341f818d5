"""The dataset over the store."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from sslcore.data import SampleDataset
from sslcore.data.decode import decode_image, decode_resized
from sslcore.errors import ConfigError

Write = Callable[..., Path]


@pytest.fixture
def dataset(tmp_path: Path, write_image: Write, run_ingest: Callable[..., object]) -> Path:
    """Thirty images of two sizes in two shards, and what they came from in ``source``."""
    for seed in range(20):
        write_image(tmp_path / f"source/{seed:02d}.png", seed, width=20 + 4 * (seed % 2))
    run_ingest("source", tmp_path / "one", val_fraction=0.2, test_fraction=0.2)
    for seed in range(20, 30):
        write_image(tmp_path / f"source/{seed:02d}.jpg", seed, format="JPEG", width=90, height=70)
    run_ingest("source", tmp_path / "two", tmp_path / "one", val_fraction=0.2, test_fraction=0.2)
    return tmp_path / "two"


def test_items_are_the_images_in_manifest_order(dataset: Path, tmp_path: Path) -> None:
    samples = SampleDataset(dataset)
    assert len(samples) == 30
    assert samples.manifest["shard"].nunique() == 2
    for index, filename in enumerate(samples.manifest["filename"]):
        data = (tmp_path / "source" / filename).read_bytes()
        image, number = samples[index]
        assert samples.encoded(index) == data
        assert (image.dtype, number) == (torch.uint8, index)
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), np.asarray(decode_image(data)))


def test_image_size_gives_squares(dataset: Path) -> None:
    samples = SampleDataset(dataset, image_size=12)
    for index in range(len(samples)):
        expected = np.asarray(decode_resized(samples.encoded(index), 12))
        np.testing.assert_array_equal(samples[index][0].permute(1, 2, 0).numpy(), expected)


def test_splits_choose_rows(dataset: Path) -> None:
    everything = SampleDataset(dataset).manifest
    for splits in (("train",), ("val", "test"), ()):
        samples = SampleDataset(dataset, splits=splits)
        expected = everything[everything["split"].isin(splits)]["sample_id"].tolist()
        assert samples.manifest["sample_id"].tolist() == expected
        assert samples.manifest.index.tolist() == list(range(len(expected)))
        if expected:
            row = samples.manifest.iloc[-1]
            original = everything.index[everything["sample_id"] == row["sample_id"]][0]
            assert samples.encoded(len(samples) - 1) == SampleDataset(dataset).encoded(int(original))


def test_misspelt_split_is_an_error(dataset: Path) -> None:
    with pytest.raises(ConfigError, match="splits must be one of test, train, val, got 'trian'.*'train'"):
        SampleDataset(dataset, splits=("trian",))


def test_indices_out_of_range_end_iteration(dataset: Path) -> None:
    samples = SampleDataset(dataset, image_size=8)
    assert [number for _, number in samples] == list(range(30))  # type: ignore[attr-defined]
    assert samples[-1][1] == 29
    with pytest.raises(IndexError, match="index 30 is out of range for 30 samples"):
        samples[30]
    with pytest.raises(IndexError):
        samples.encoded(-31)


def test_several_at_once_equal_one_by_one(dataset: Path) -> None:
    for size in (None, 10):
        samples = SampleDataset(dataset, image_size=size)
        for (image, number), index in zip(samples.__getitems__([5, 29, 0]), [5, 29, 0], strict=True):
            assert number == index
            torch.testing.assert_close(image, samples[index][0], rtol=0, atol=0)


def test_pickling_carries_no_open_files(dataset: Path) -> None:
    samples = SampleDataset(dataset, image_size=8)
    before = samples[3][0]
    data = pickle.dumps(samples)
    assert len(data) < 50_000
    torch.testing.assert_close(pickle.loads(data)[3][0], before, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
@pytest.mark.parametrize("context", ["fork", "forkserver"])
def test_a_plain_dataloader_works_in_forked_and_new_processes(dataset: Path, context: str) -> None:
    samples = SampleDataset(dataset, image_size=8)
    expected = torch.stack([samples[index][0] for index in range(30)])  # opens shards before the fork
    loader: DataLoader[tuple[torch.Tensor, int]]
    loader = DataLoader(samples, batch_size=7, num_workers=2, multiprocessing_context=context)
    images, numbers = zip(*loader, strict=True)
    assert torch.cat(numbers).tolist() == list(range(30))
    torch.testing.assert_close(torch.cat(images), expected, rtol=0, atol=0)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Linux tells its open files")
def test_open_shards_keep_no_file_open(dataset: Path) -> None:
    samples = SampleDataset(dataset)
    assert len({samples.manifest["shard"][index] for index in range(30) if samples.encoded(index)}) == 2
    opened = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    assert [each for each in opened if each.startswith(str(dataset))] == []


def test_a_shard_that_only_may_be_read_is_read_and_left_as_it_is(dataset: Path) -> None:
    before = {path: path.read_bytes() for path in (dataset / "shards").iterdir()}
    for path in before:
        path.chmod(0o444)
    samples = SampleDataset(dataset, image_size=8)
    samples.batch(range(30))[0].fill_(7)
    assert {path: path.read_bytes() for path in before} == before


def test_image_size_must_be_positive(dataset: Path) -> None:
    with pytest.raises(ValueError, match="image_size must be >= 1, got 0"):
        SampleDataset(dataset, image_size=0)
