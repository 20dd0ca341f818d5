"""Features of small images learnt without labels, on a CPU, in seven minutes: for benchmarks without a GPU.

Single-layer k-means features (Coates, Lee & Ng, "An Analysis of Single-Layer Networks in Unsupervised
Feature Learning", AISTATS 2011): 6x6 patches, contrast-normalized and whitened, compared with k-means
centres by the triangle activation, summed over the quadrants of the image, and standardized. Beside the
paper: the sums of an image and of its mirror image are averaged, and their roots taken, so that a few strong
activations do not decide; then principal components, each divided by its variance to the tenth, and unit
length. Everything is fitted on the training images alone; the test images are only transformed.

A linear probe on all training labels reaches 62.4 % of the CIFAR-10 test images.

Shapes: N images, P patches of an image, V = 108 values of a patch, K centres, D dimensions kept.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import unfold

__all__ = ["patch_features"]

SIDE, PATCH, STRIDE = 32, 6, 2
SETTINGS = {"patch": PATCH, "stride": STRIDE, "num_centres": 800, "dims": 128, "seed": 0, "version": 3}
# Principal components are divided by their variance to this power: 1/2 would be whitening.
EVENING = 0.1


def patch_features(
    cifar: Path, cache: Path
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Return training vectors, their classes, test vectors and theirs; computed once and kept in ``cache``.

    Args:
        cifar: A folder with train/CLASS/*.jpg and test/CLASS/*.jpg (or png), 32x32 pixels.
        cache: Where the result is kept, as one npz file named after the settings.
    """
    key = hashlib.sha256(json.dumps([SETTINGS, str(cifar.resolve())]).encode()).hexdigest()[:12]
    path = cache / f"patch-features-{key}.npz"
    if not path.is_file():
        train, train_labels = _read(cifar / "train")
        test, test_labels = _read(cifar / "test")
        x_train, x_test = _learn(train, test)
        cache.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        np.savez(part, x_train=x_train, y_train=train_labels, x_test=x_test, y_test=test_labels)
        part.rename(path)
    with np.load(path) as kept:
        return kept["x_train"], kept["y_train"], kept["x_test"], kept["y_test"]


def _read(folder: Path) -> tuple[Tensor, NDArray[np.int64]]:
    """Return images, uint8 [N, 3, 32, 32], and the number of each one's class folder [N]."""
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    files = [(path, number) for number, each in enumerate(classes) for path in sorted(each.iterdir())]
    images = np.empty((len(files), SIDE, SIDE, 3), np.uint8)
    for row, (path, _) in enumerate(files):
        with Image.open(path) as image:
            images[row] = np.asarray(image.convert("RGB"))
    return torch.from_numpy(images).permute(0, 3, 1, 2), np.array([number for _, number in files])


def _learn(train: Tensor, test: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = torch.Generator().manual_seed(SETTINGS["seed"])
    some = train[torch.randperm(len(train), generator=generator)[:10_000]]
    patches = torch.cat([_patches(part).flatten(0, 1)[::10] for part in some.split(500)])
    mean, whitening = _whitening(patches)
    centres = _kmeans((patches - mean) @ whitening, SETTINGS["num_centres"], generator)
    x_train, x_test = (_encode(images, mean, whitening, centres) for images in (train, test))
    middle, spread = x_train.mean(dim=0), (x_train.var(dim=0) + 0.01).sqrt()
    for each in (x_train, x_test):
        each.sub_(middle).div_(spread)
    variances, axes = torch.linalg.eigh(x_train.T @ x_train / len(x_train))
    axes = axes[:, -SETTINGS["dims"] :] * variances[-SETTINGS["dims"] :].pow(-EVENING)
    unit = [torch.nn.functional.normalize(each @ axes).numpy() for each in (x_train, x_test)]
    return unit[0], unit[1]


def _patches(images: Tensor) -> Tensor:
    """Return contrast-normalized patches, float32 [N, P, V]."""
    found = unfold(images.float(), PATCH, stride=STRIDE).transpose(1, 2)
    found = found - found.mean(dim=2, keepdim=True)
    return found / (found.var(dim=2, keepdim=True) + 10).sqrt()


def _whitening(patches: Tensor) -> tuple[Tensor, Tensor]:
    mean = patches.mean(dim=0)
    values, axes = torch.linalg.eigh(torch.cov((patches - mean).T))
    return mean, axes @ torch.diag(1 / (values + 0.1).sqrt()) @ axes.T


def _kmeans(x: Tensor, k: int, generator: torch.Generator, rounds: int = 10) -> Tensor:
    centres = x[torch.randperm(len(x), generator=generator)[:k]].clone()
    for _ in range(rounds):
        group = torch.cat([torch.cdist(part, centres).argmin(dim=1) for part in x.split(20_000)])
        counts = torch.bincount(group, minlength=k).clamp_min(1)
        centres = torch.zeros_like(centres).index_add_(0, group, x) / counts[:, None]
    return centres


def _encode(images: Tensor, mean: Tensor, whitening: Tensor, centres: Tensor) -> Tensor:
    """Return roots of the triangle activations summed over quadrants, mirrored too, [N, 4 K]."""
    side = (SIDE - PATCH) // STRIDE + 1
    half = side // 2
    quadrants = torch.zeros(4, side, side)
    for number, (top, left) in enumerate(((0, 0), (0, half), (half, 0), (half, half))):
        quadrants[number, top : top + half, left : left + half] = 1
    flat, lengths = quadrants.flatten(1), centres.square().sum(dim=1)
    encoded = torch.zeros(len(images), 4 * len(centres))
    # A few images at a time, so that their activations stay in the cache.
    for start in range(0, len(images), 8):
        part = images[start : start + 8]
        for seen in (part, part.flip(3)):
            patches = (_patches(seen).flatten(0, 1) - mean) @ whitening
            squared = torch.addmm(lengths, patches, centres.T, alpha=-2)
            distance = squared.add_(patches.square().sum(dim=1, keepdim=True)).clamp_(min=0).sqrt_()
            active = distance.sub_(distance.mean(dim=1, keepdim=True)).neg_().clamp_(min=0)
            sums = flat @ active.view(len(part), side * side, -1)
            encoded[start : start + 8] += sums.flatten(1) / 2
    return encoded.sqrt_()
