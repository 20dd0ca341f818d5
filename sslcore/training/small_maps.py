"""Convolutions over maps of a few pixels as matrix products: the same sums, without those over padding.

A network made for 224 pixels leaves maps of 2 x 2 and of 1 x 1 of an image of 32. A 3 x 3 kernel that moves
over such a map with a padding of 1 sees all of it wherever it stands; of its nine products four or one are
with pixels, the others with padding. CPU kernels for convolutions compute those too, and are made for maps
that are larger than their blocks. So on a CPU, where every output sees the whole input, the input is a
vector, the kernel at each of its places is a row of a matrix, and the convolution is their product.

Shapes: B images, C channels in, O channels out, H x W pixels in, Y x X pixels out.
"""

import contextlib
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["conv2d_over_whole_map", "small_map_convolutions"]


def small_map_convolutions(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return a context in which ``conv2d`` on a CPU takes a matrix product where that gives the same.

    It reaches every module that calls `torch.nn.functional.conv2d`, so no network has to be changed for it.
    On another device it is an empty one.
    """
    return _SmallMaps() if device.type == "cpu" else contextlib.nullcontext()


class _SmallMaps(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.conv2d:
            result = conv2d_over_whole_map(*args, **(kwargs or {}))
            if result is not None:
                return result
        return func(*args, **(kwargs or {}))


def conv2d_over_whole_map(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: str | int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Tensor | None:
    """Convolve as `torch.nn.functional.conv2d` does, if each output sees the whole input.

    Args:
        input: [B, C, H, W]; rows and columns at its end that no output sees may be left out.
        weight: [O, C, h, w].
        bias: [O].
        stride: As there.
        padding: As there.
        dilation: As there.
        groups: As there.

    Returns:
        [B, O, Y, X], laid out channels last; None where that is not so, or with dilation, groups or a padding
        that is a word.
    """
    if input.ndim != 4 or groups != 1 or isinstance(padding, str) or _pair(dilation) != (1, 1):
        return None
    rows = _places(input.shape[2], weight.shape[2], _pair(stride)[0], _pair(padding)[0])
    columns = _places(input.shape[3], weight.shape[3], _pair(stride)[1], _pair(padding)[1])
    if rows is None or columns is None:
        return None
    (height, tops), (width, lefts) = rows, columns
    # Channels last: then neither the pixels of an image nor the outputs have to be moved.
    last = weight.permute(0, 2, 3, 1)
    matrix = torch.stack(
        [last[:, top : top + height, left : left + width] for top in tops for left in lefts]
    )  # [YX, O, H, W, C]
    pixels = input[:, :, :height, :width].permute(0, 2, 3, 1).flatten(1)
    product = functional.linear(pixels, matrix.flatten(0, 1).flatten(1))
    maps = product.view(-1, len(tops), len(lefts), len(weight)).permute(0, 3, 1, 2)
    return maps if bias is None else maps + bias[:, None, None]


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (
        (value, value) if isinstance(value, int) else cast(tuple[int, int], tuple(value) * (2 // len(value)))
    )


def _places(size: int, kernel: int, stride: int, padding: int) -> tuple[int, list[int]] | None:
    """Place a kernel along one side of a map.

    Returns:
        How many pixels of the side are seen, and for each output which of the kernel's elements lies on the
        first of them; None where an output does not see all those.
    """
    outputs = (size + 2 * padding - kernel) // stride + 1
    if outputs < 1:
        return None
    seen = min(size, (outputs - 1) * stride - padding + kernel)
    first = [padding - stride * output for output in range(outputs)]
    return (seen, first) if seen > 0 and first[-1] >= 0 and first[0] + seen <= kernel else None
