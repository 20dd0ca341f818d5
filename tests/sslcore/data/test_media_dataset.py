"""A dataset straight over a folder."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from sslcore.data import MediaDataset
from sslcore.errors import UserError

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


def test_videos_are_counted_and_said_not_to_be_read(
    tmp_path: Path, write_image: Write, caplog: pytest.LogCaptureFixture
) -> None:
    write_image(tmp_path / "a.png")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with caplog.at_level(logging.WARNING):
        dataset = MediaDataset(tmp_path)
    assert (len(dataset), dataset.num_videos_ignored) == (1, 1)
    assert "1 videos are not read" in caplog.text


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no image; accepted are images: "):
        MediaDataset(tmp_path)


def test_indices_out_of_range_end_iteration(tmp_path: Path, write_image: Write) -> None:
    write_image(tmp_path / "a.png")
    dataset = MediaDataset(tmp_path)
    assert dataset[-1][2] == "a.png"
    with pytest.raises(IndexError, match="index 1 is out of range for 1 images"):
        dataset[1]
