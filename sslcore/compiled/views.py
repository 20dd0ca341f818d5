"""Views: arrays in, arrays changed in place or written to.

Shapes: n samples, C channels, H and W pixels, P = H x W, S the side of a cut, K taps of an output pixel.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.compiled.jit import jit

__all__ = ["blur", "cut", "grey", "jitter", "scale_into"]

F = np.float32
Floats = NDArray[np.float32]

RED, GREEN, BLUE = F(0.2989), F(0.587), F(0.114)
NO_COLOUR = F(1e-12)
REACH = 5
"""Standard deviations at which a blur ends."""


@jit
def jitter(
    images: Floats,
    chosen: NDArray[np.bool_],
    before: NDArray[np.int64],
    image: Floats,
    mean: Floats,
    luma: Floats,
    shift: Floats,
    with_hue: bool,
) -> None:
    """Do up to three blends and a turn of hue, in each sample's own order.

    Args:
        images: float 0..1 [n, 3, P], changed.
        chosen: Who is changed [n].
        before: How many blends come before hue [n].
        image: How much the sample counts in each blend [n, 3].
        mean: How much the mean of its luma counts [n, 3].
        luma: How much its luma counts [n, 3].
        shift: Turn of the colour circle [n].
        with_hue: Whether hue is turned at all.
    """
    for i in range(len(images)):
        if not chosen[i]:
            continue
        x = images[i]
        for turn in range(4):
            if with_hue and turn == before[i]:
                _turn_hue(x[0], x[1], x[2], shift[i])
            if turn < 3:
                _blend(x[0], x[1], x[2], image[i, turn], mean[i, turn], luma[i, turn])


@jit
def _blend(red: Floats, green: Floats, blue: Floats, image: F, mean: F, luma: F) -> None:
    """Make a sample image x itself + mean x its mean luma + luma x its luma, in 0..1."""
    size = len(red)
    offset = F(0)
    if mean != 0:
        total = F(0)
        for p in range(size):
            total += RED * red[p] + GREEN * green[p] + BLUE * blue[p]
        offset = F(total / F(size)) * mean
    for p in range(size):
        r, g, b = red[p], green[p], blue[p]
        add = (RED * r + GREEN * g + BLUE * b) * luma + offset
        red[p] = min(max(r * image + add, F(0)), F(1))
        green[p] = min(max(g * image + add, F(0)), F(1))
        blue[p] = min(max(b * image + add, F(0)), F(1))


@jit
def _turn_hue(red: Floats, green: Floats, blue: Floats, shift: F) -> None:
    """Turn the hue of a sample; the formula is that of `sslcore.augment.hue`."""
    for p in range(len(red)):
        r, g, b = red[p], green[p], blue[p]
        value = max(max(r, g), b)
        chroma = max(value - min(min(r, g), b), NO_COLOUR)
        a = (r - (g + b) * F(0.5)) / chroma
        hue = min(max(a, F(-0.5)), F(0.5)) - F(2) * a + F(1.5)
        hue = (hue if g >= b else -hue) + shift * F(6)
        hue -= F(6) * np.floor(hue * F(1 / 6) + F(0.5))
        red[p] = value + chroma - chroma * min(max(abs(hue), F(1)), F(2))
        least = value - F(3) * chroma
        green[p] = least + chroma * (F(1) + min(max(abs(abs(hue - F(2)) - F(3)), F(1)), F(2)))
        blue[p] = least + chroma * (F(1) + min(max(abs(abs(hue + F(2)) - F(3)), F(1)), F(2)))


@jit
def grey(images: Floats, chosen: NDArray[np.bool_]) -> None:
    """Replace the channels of chosen samples of [n, 3, P] by their luma."""
    for i in range(len(images)):
        if chosen[i]:
            x = images[i]
            for p in range(x.shape[1]):
                luma = RED * x[0, p] + GREEN * x[1, p] + BLUE * x[2, p]
                x[0, p] = luma
                x[1, p] = luma
                x[2, p] = luma


@jit
def scale_into(images: Floats, scale: Floats, shift: Floats, out: Floats) -> None:
    """Write images [n, C, P] times scale [C] plus shift [C]."""
    for i in range(len(images)):
        for c in range(images.shape[1]):
            source, target, factor, add = images[i, c], out[i, c], scale[c], shift[c]
            for p in range(len(source)):
                target[p] = source[p] * factor + add


@jit
def cut(
    images: NDArray[Any],
    boxes: NDArray[np.int64],
    flips: NDArray[np.bool_],
    unit: F,
    cubic: bool,
    out: Floats,
) -> None:
    """Cut each sample's box out and resize it, with antialiasing.

    Args:
        images: uint8 or float32 [n, C, H, W].
        boxes: Top, left, height, width [n, 4].
        flips: Whether upside down, and mirrored left to right [n, 2].
        unit: What values are multiplied by.
        cubic: Bicubic instead of bilinear.
        out: Written to, float [n, C, S, S].
    """
    size = out.shape[2]
    for i in range(len(out)):
        top, left, tall, wide = boxes[i]
        row_at, row_weight = _taps(tall, size, flips[i, 0], unit, cubic)
        column_at, column_weight = _taps(wide, size, flips[i, 1], F(1), cubic)
        line, lines = np.empty(wide, F), np.empty((tall, size), F)
        for c in range(out.shape[1]):
            # Most crops are enlarged: their few rows first, whose pixels have to be gathered.
            for y in range(tall):
                source = images[i, c, top + y, left : left + wide]
                for x in range(wide):
                    line[x] = F(source[x])
                lines[y] = F(0)
                for k in range(len(column_at)):
                    _add_gathered(line, column_at[k], column_weight[k], lines[y])
            for y in range(size):
                target = out[i, c, y]
                target[:] = F(0)
                for k in range(len(row_at)):
                    weight, row = row_weight[k, y], lines[row_at[k, y]]
                    if weight != 0:
                        for x in range(size):
                            target[x] += weight * row[x]
                if cubic:
                    for x in range(size):
                        target[x] = min(max(target[x], F(0)), F(1))


@jit
def _add_gathered(line: Floats, at: NDArray[np.uintp], weights: Floats, out: Floats) -> None:
    """Add to each pixel [S] a weight times a pixel of a line."""
    for x in range(len(out)):
        out[x] += weights[x] * line[at[x]]


@jit
def _taps(length: int, size: int, backwards: bool, unit: F, cubic: bool) -> tuple[NDArray[np.uintp], Floats]:
    """Return the pixels of each output pixel and their weights, both [K, S]."""
    scale = length / size
    widened = max(scale, 1.0)
    reach = (2.0 if cubic else 1.0) * widened
    most = int(np.ceil(2 * reach))
    # Unsigned, so that no index is looked at for being negative, and the loops become vectors.
    at, weights = np.zeros((most, size), np.uintp), np.zeros((most, size), F)
    for place in range(size):
        centre = (size - place - 0.5 if backwards else place + 0.5) * scale
        start = int(np.floor(centre - reach + 0.5))
        first, total = max(start, 0), 0.0
        for pixel in range(first, min(start + most, length)):
            total += _weight((pixel + 0.5 - centre) / widened, cubic)
        for k in range(most):
            pixel = first + k
            at[k, place] = np.uintp(min(pixel, length - 1))
            if pixel < min(start + most, length):
                weights[k, place] = F(_weight((pixel + 0.5 - centre) / widened, cubic) / total) * unit
    return at, weights


@jit
def _weight(distance: float, cubic: bool) -> float:
    """Return a triangle's weight, or that of Keys' cubic with a = -0.5, as in torch and PIL."""
    x = abs(distance)
    if not cubic:
        return max(1.0 - x, 0.0)
    if x < 1:
        return (1.5 * x - 2.5) * x * x + 1.0
    if x < 2:
        return ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return 0.0


@jit
def blur(images: Floats, chosen: NDArray[np.bool_], sigma: Floats) -> None:
    """Blur chosen samples of [n, C, H, W], each by its own standard deviation in pixels [n]."""
    _, channels, height, width = images.shape
    for i in range(len(images)):
        if not chosen[i]:
            continue
        rows, columns = _bell(sigma[i], height), _bell(sigma[i], width)
        reach = len(columns) - 1
        line, plane = np.empty(width + 2 * reach, F), np.empty((height, width), F)
        for c in range(channels):
            x = images[i, c]
            for y in range(height):
                line[reach : reach + width] = x[y]
                for k in range(1, reach + 1):  # mirrored at the first and the last pixel
                    line[reach - k] = x[y, k]
                    line[reach + width - 1 + k] = x[y, width - 1 - k]
                _weigh(line, columns, plane[y])
            for y in range(height):
                target = x[y]
                target[:] = rows[0] * plane[y]
                for k in range(1, len(rows)):
                    above = plane[abs(y - k)]
                    below = plane[y + k if y + k < height else 2 * (height - 1) - y - k]
                    weight = rows[k]
                    for p in range(width):
                        target[p] += weight * (above[p] + below[p])


@jit
def _weigh(line: Floats, bell: Floats, out: Floats) -> None:
    """Write the weighted sums of a padded line."""
    reach, size = len(bell) - 1, len(out)
    out[:] = bell[0] * line[reach : reach + size]
    for k in range(1, reach + 1):
        before, after, weight = (
            line[reach - k : reach - k + size],
            line[reach + k : reach + k + size],
            bell[k],
        )
        for p in range(size):
            out[p] += weight * (before[p] + after[p])


@jit
def _bell(sigma: F, size: int) -> Floats:
    """Return one side of a Gaussian, from its middle; with the other side it sums to 1."""
    reach = min(int(np.ceil(F(REACH) * sigma)), size - 1)
    bell = np.empty(reach + 1, F)
    total = F(0)
    for k in range(reach + 1):
        bell[k] = np.exp(F(-0.5) * (F(k) / sigma) * (F(k) / sigma))
        total += bell[k] if k == 0 else F(2) * bell[k]
    for k in range(reach + 1):
        bell[k] /= total
    return bell
