"""What MAE, SimMIM and I-JEPA minimize, worked again in plain loops."""

import math
import statistics

import pytest
import torch
from torch import Tensor

from sslcore.losses.latents import masked_latents
from sslcore.losses.pixels import masked_l1, masked_mse, patchify


def rows(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_patches_are_cut_row_by_row() -> None:
    images = torch.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6).float()
    patches = patchify(images, 2)
    assert patches.shape == (2, 6, 12)
    # The patch in row 1, column 2 of the second image, pixel by pixel, channels last.
    expected = [images[1, c, y, x].item() for y in (2, 3) for x in (4, 5) for c in range(3)]
    assert patches[1, 5].tolist() == expected


def test_mae_compares_with_normalized_pixels() -> None:
    drawn, pixels = rows(2, 3, 4), rows(2, 3, 4, seed=1)
    errors, plain = [], []
    for ours, theirs in zip(drawn.flatten(0, 1).tolist(), pixels.flatten(0, 1).tolist(), strict=True):
        mean, variance = statistics.fmean(theirs), statistics.variance(theirs)
        errors += [
            (a - (b - mean) / math.sqrt(variance + 1e-6)) ** 2 for a, b in zip(ours, theirs, strict=True)
        ]
        plain += [(a - b) ** 2 for a, b in zip(ours, theirs, strict=True)]
    assert masked_mse(drawn, pixels).item() == pytest.approx(statistics.fmean(errors), rel=1e-5)
    assert masked_mse(drawn, pixels, normalize=False).item() == pytest.approx(
        statistics.fmean(plain), rel=1e-5
    )


def test_simmim_takes_absolute_errors() -> None:
    drawn, pixels = torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[3.0, 1.0]]])
    assert masked_l1(drawn, pixels).item() == 1.5


def test_ijepa_bends_at_one_and_stops_at_the_targets() -> None:
    predictions = torch.tensor([0.5, 3.0], requires_grad=True)
    targets = torch.tensor([0.0, 0.0], requires_grad=True)
    loss = masked_latents(predictions, targets)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx((0.5 * 0.25 + 2.5) / 2)
    assert targets.grad is None


def test_half_precision_comes_out_in_fp32() -> None:
    a, b = rows(1, 2, 3).bfloat16(), rows(1, 2, 3, seed=1).bfloat16()
    assert {each(a, b).dtype for each in (masked_mse, masked_l1, masked_latents)} == {torch.float32}
