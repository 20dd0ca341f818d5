"""Convolutions as matrix products: equal to torch's own, and only where they can be."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from sslcore.backbones import build_backbone
from sslcore.training.small_maps import conv2d_over_whole_map, small_map_convolutions

CPU = torch.device("cpu")


def _both(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int | tuple[int, int],
    padding: int | tuple[int, int],
    *,
    bias: bool = True,
    channels_last: bool = True,
) -> list[list[Tensor]] | None:
    """Return output and gradients of both ways, or None where there is no other way."""
    generator = torch.Generator().manual_seed(0)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    ways: list[Callable[..., Tensor | None]] = [functional.conv2d, conv2d_over_whole_map]
    results = []
    for convolve in ways:
        generator.manual_seed(0)
        images = torch.randn(5, 3, *size, generator=generator, dtype=torch.float64).to(memory_format=layout)
        weight = torch.randn(4, 3, *kernel, generator=generator, dtype=torch.float64).to(memory_format=layout)
        shift = torch.randn(4, generator=generator, dtype=torch.float64) if bias else None
        leaves = [each.requires_grad_() for each in (images, weight, shift) if each is not None]
        output = convolve(images, weight, shift, stride, padding)
        if output is None:
            return None
        upstream = torch.randn(output.shape, generator=generator, dtype=torch.float64)
        results.append([output.detach(), *torch.autograd.grad(output, leaves, upstream)])
    return results


def test_every_small_case_equals_a_convolution_or_is_left_to_it() -> None:
    sides = range(1, 5)
    taken = set()
    for height, width, kernel, stride, padding in itertools.product(
        sides, sides, (1, 2, 3, 7), (1, 2), (0, 1, 3)
    ):
        if min(height, width) + 2 * padding < kernel:
            continue
        results = _both((height, width), (kernel, kernel), stride, padding)
        if results is None:
            continue
        taken.add((height, width, kernel, stride, padding))
        for theirs, ours in zip(*results, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    # The layers of a ResNet at 32 pixels, and of a 1 x 1 kernel that skips pixels.
    assert {(1, 1, 3, 1, 1), (2, 2, 3, 1, 1), (2, 2, 3, 2, 1), (2, 2, 1, 2, 0), (1, 1, 1, 1, 0)} <= taken
    assert not {(2, 2, 1, 1, 0), (3, 3, 3, 1, 1), (4, 4, 3, 1, 1)} & taken


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_layouts_sides_and_biases(channels_last: bool, bias: bool) -> None:
    results = _both((1, 2), (3, 5), (1, 2), (1, 2), bias=bias, channels_last=channels_last)
    assert results is not None
    for theirs, ours in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [{"groups": 3}, {"dilation": 2, "padding": 2}, {"padding": "same"}, {"padding": 1, "stride": 2}],
)
def test_what_is_no_matrix_product_is_left_alone(options: dict[str, Any]) -> None:
    images = torch.randn(2, 3, 3, 3)
    weight = torch.randn(3, 1 if "groups" in options else 3, 3, 3)
    assert conv2d_over_whole_map(images, weight, **options) is None
    expected = functional.conv2d(images, weight, **options)
    with small_map_convolutions(CPU):
        torch.testing.assert_close(functional.conv2d(images, weight, **options), expected, rtol=0, atol=0)


def test_modules_take_it_inside_the_context_only() -> None:
    layer, images = nn.Conv2d(8, 8, 3, padding=1), torch.randn(4, 8, 2, 2)
    plain = layer(images)
    with small_map_convolutions(CPU), torch.profiler.profile() as profile:
        product = layer(images)
    torch.testing.assert_close(product, plain)
    assert "aten::addmm" in (names := {each.key for each in profile.key_averages()}) or "aten::mm" in names
    assert "aten::convolution" not in names
    with torch.profiler.profile() as profile:
        layer(images)
    assert "aten::convolution" in {each.key for each in profile.key_averages()}


def test_a_whole_resnet_has_the_same_gradients() -> None:
    gradients = []
    for context in (small_map_convolutions(torch.device("meta")), small_map_convolutions(CPU)):
        torch.manual_seed(0)
        network = build_backbone("resnet18", image_size=32).double().to(memory_format=torch.channels_last)
        images = torch.rand(6, 3, 32, 32, dtype=torch.float64)
        with context:
            network(images).square().sum().backward()
        gradients.append([each.grad for each in network.parameters()])
    for theirs, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
