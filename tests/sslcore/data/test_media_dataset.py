"""A dataset straight over a folder."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from sslcore.data import MediaDataset, SampleDataset
from sslcore.errors import ConfigError, UserError

Write = Callable[..., Path]


def test_images_at_every_depth_are_read(tmp_path: Path, write_image: Write) -> None:
    for seed, name in enumerate(["root.png", "a/one.png", "a/b/deep.png"]):
        write_image(tmp_path / name, seed)
    dataset = MediaDataset(tmp_path)
    assert dataset.filenames == ["a/b/deep.png", "a/one.png", "root.png"]
    for index, name in enumerate(dataset.filenames):
        image, label, filename = dataset[index]
        assert (label, filename, image.dtype) == (-1, name, torch.uint8)
        np.testing.assert_array_equal(image.permute(1, 2, 0), np.asarray(Image.open(tmp_path / name)))


def test_class_folders_give_label_indices(tmp_path: Path, write_image: Write) -> None:
    for seed, name in enumerate(["dog/a.png", "cat/b.png", "dog/c.png"]):
        write_image(tmp_path / name, seed)
    dataset = MediaDataset(tmp_path)
    assert dataset.classes == ["cat", "dog"]
    assert [(label, name) for _, label, name in (dataset[index] for index in range(3))] == [
        (0, "cat/b.png"),
        (1, "dog/a.png"),
        (1, "dog/c.png"),
    ]


def test_a_transform_sees_the_pil_image(tmp_path: Path, write_image: Write) -> None:
    write_image(tmp_path / "a.png", width=40, height=30)
    dataset = MediaDataset(tmp_path, transform=lambda image: (image.mode, image.size), image_size=16)
    assert dataset[0][0] == ("RGB", (16, 16))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
def test_a_loader_stacks_images_of_one_size(tmp_path: Path, write_image: Write) -> None:
    for seed in range(5):
        write_image(tmp_path / f"{seed}.png", seed, width=20 + seed)
    loader: DataLoader[tuple[torch.Tensor, int, str]]
    loader = DataLoader(MediaDataset(tmp_path, image_size=8), batch_size=5, num_workers=1)
    images, labels, names = next(iter(loader))
    assert (tuple(images.shape), labels.tolist(), list(names)[1]) == ((5, 3, 8, 8), [-1] * 5, "1.png")


def test_a_broken_file_does_not_stop_an_epoch(
    tmp_path: Path, write_image: Write, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in range(4):
        write_image(tmp_path / f"{seed}.png", seed)
    for name in ("1.png", "3.png"):
        (tmp_path / name).write_bytes(b"no image")
    dataset = MediaDataset(tmp_path)
    with caplog.at_level(logging.WARNING):
        names = [dataset[index][2] for _ in range(2) for index in range(4)]
    assert names == ["0.png", "2.png", "2.png", "0.png"] * 2
    assert dataset.unreadable == {"1.png", "3.png"}
    assert len(caplog.records) == 2  # once per file, not once per epoch


def test_when_nothing_can_be_read_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="none of the 1 images can be decoded, the first is a.png"):
        MediaDataset(tmp_path)[0]


def test_a_broken_video_is_named_and_left_out(
    tmp_path: Path, write_image: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        dataset = MediaDataset(tmp_path, cache=tmp_path / "cache")
    assert (len(dataset), dataset.num_videos, dataset.unreadable) == (1, 0, {"clip.mp4"})
    assert "clip.mp4 cannot be read" in caplog.text


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no image and no video; accepted are images: "):
        MediaDataset(tmp_path)


def test_frames_are_those_that_ingest_takes(
    tmp_path: Path, write_image: Write, write_video: Write, run_ingest: Callable[..., object]
) -> None:
    write_image(tmp_path / "source/b/one.png", 1)
    write_image(tmp_path / "source/c/two.png", 2)
    write_video(tmp_path / "source/a/clip.mp4", num_frames=30, rate=10)
    write_video(tmp_path / "source/c/film.mkv", num_frames=12, pts=[0, *range(700, 7700, 637)], seed=1)
    for frames in ("fps 2", "every 7", "all"):
        output = tmp_path / frames
        run_ingest("source", output, frames=frames)
        dataset = MediaDataset(tmp_path / "source", frames=frames, cache=tmp_path / "cache")
        ingested = SampleDataset(output)
        assert dataset.filenames == ingested.manifest["filename"].tolist()
        assert dataset.labels == [-1 if "-" in name else "bc".index(name[0]) for name in dataset.filenames]
        for (image, _, name), (expected, _) in zip(dataset, ingested, strict=True):  # type: ignore[call-overload]
            assert torch.equal(image, expected), name


def test_videos_can_be_left_out(tmp_path: Path, write_image: Write, write_video: Write) -> None:
    write_image(tmp_path / "a.png")
    write_video(tmp_path / "clip.mp4")
    assert MediaDataset(tmp_path, frames="none").filenames == ["a.png"]
    with pytest.raises(ConfigError, match="frames must be all, every N or fps X"):
        MediaDataset(tmp_path, frames="each")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
@pytest.mark.parametrize("context", ["fork", "forkserver"])
def test_workers_open_videos_for_themselves(context: str, tmp_path: Path, write_video: Write) -> None:
    write_video(tmp_path / "clip.mp4", num_frames=20)
    dataset = MediaDataset(tmp_path, image_size=32, frames="all", cache=tmp_path / "cache")
    expected = torch.stack([dataset[index][0] for index in range(20)])  # the video is open before the fork
    order = torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist()
    loader: DataLoader[tuple[torch.Tensor, int, str]] = DataLoader(
        dataset, batch_size=3, sampler=order, num_workers=2, multiprocessing_context=context
    )
    assert torch.equal(torch.cat([images for images, _, _ in loader]), expected[order])


def test_a_small_image_size_is_applied_to_frames(tmp_path: Path, write_video: Write) -> None:
    write_video(tmp_path / "clip.mp4", num_frames=2)
    dataset = MediaDataset(tmp_path, image_size=16, frames="all", cache=tmp_path / "cache")
    assert dataset[1][0].shape == (3, 16, 16)


def test_indices_out_of_range_end_iteration(tmp_path: Path, write_image: Write) -> None:
    write_image(tmp_path / "a.png")
    dataset = MediaDataset(tmp_path)
    assert dataset[-1][2] == "a.png"
    with pytest.raises(IndexError, match="index 1 is out of range for 1 images"):
        dataset[1]
