"""The outlines of the sample's classes: polygons in a unit frame, and the masks drawn from them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

__all__ = ["SHAPES", "SUPERSAMPLING", "Placement", "draw_mask", "outline", "random_placement"]

Points = npt.NDArray[np.float64]

SHAPES = ("circle", "square", "triangle", "ring", "cross", "star", "arrow", "heart", "crescent", "gear")
"""Names of the classes, the most common first."""

SUPERSAMPLING = 4
"""A mask is drawn this many times larger along each side, then averaged: smooth edges."""


@dataclass(frozen=True)
class Placement:
    """Where and how an outline lies in an image."""

    centre: tuple[float, float]
    """Of the outline's area, in pixels (x, y)."""
    radius: float
    """Distance in pixels of the outline's farthest point from the centre, before stretching."""
    rotation: float
    """Radians, clockwise on the screen."""
    stretch: float
    """Width is multiplied by this and height divided by it."""
    shear: float
    """Sideways shift per unit of height."""
    mirrored: bool
    """Left and right are swapped."""


def outline(shape: str) -> list[Points]:
    """Return the outline of a class.

    Args:
        shape: One of ``SHAPES``.

    Returns:
        Polygons [P, 2] of (x, y), y downwards; the first is filled, the others are holes in it. The centroid
        of the first one's area is at the origin and its farthest point at distance 1.

    Raises:
        KeyError: If there is no such shape.
    """
    outer, *holes = _OUTLINES[shape]
    centre = _centroid(outer)
    radius = float(np.hypot(*(outer - centre).T).max())
    return [(polygon - centre) / radius for polygon in (outer, *holes)]


def random_placement(generator: np.random.Generator, *, width: int, height: int) -> Placement:
    """Draw a placement that keeps the outline large and nearly whole inside an image.

    Args:
        generator: Where randomness comes from.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
    """
    side = min(width, height)
    radius = side * generator.uniform(0.28, 0.43)
    slack = 0.5 * side - 0.78 * radius
    x, y = generator.uniform(-slack, slack, size=2)
    return Placement(
        centre=(width / 2 + float(x), height / 2 + float(y)),
        radius=float(radius),
        rotation=float(generator.uniform(-np.pi / 9, np.pi / 9)),
        stretch=float(np.exp(generator.uniform(-0.06, 0.06))),
        shear=float(generator.uniform(-0.08, 0.08)),
        mirrored=bool(generator.random() < 0.5),
    )


def draw_mask(shape: str, placement: Placement, *, width: int, height: int) -> npt.NDArray[np.float32]:
    """Draw an outline as a mask with smooth edges.

    Args:
        shape: One of ``SHAPES``.
        placement: Where it lies.
        width: Of the mask, in pixels.
        height: Of the mask, in pixels.

    Returns:
        Coverage [height, width]: 1 is inside the shape, 0 outside.
    """
    canvas = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING), 0)
    pen = ImageDraw.Draw(canvas)
    for index, polygon in enumerate(outline(shape)):
        points = _place(polygon, placement) * SUPERSAMPLING
        pen.polygon([(float(x), float(y)) for x, y in points], fill=0 if index else 255)
    coverage: npt.NDArray[np.float32] = np.asarray(
        canvas.reduce(SUPERSAMPLING), dtype=np.float32
    ) / np.float32(255)
    return coverage


def _place(polygon: Points, placement: Placement) -> Points:
    cos, sin = np.cos(placement.rotation), np.sin(placement.rotation)
    mirror = -1.0 if placement.mirrored else 1.0
    own = np.array([[mirror * placement.stretch, placement.shear], [0.0, 1 / placement.stretch]])
    turn = np.array([[cos, -sin], [sin, cos]])
    placed: Points = placement.radius * polygon @ (turn @ own).T + np.array(placement.centre)
    return placed


def _centroid(polygon: Points) -> Points:
    """Return the centroid of a polygon's area (the shoelace formula)."""
    x, y = polygon.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    cross = x * next_y - next_x * y
    moments = [((x + next_x) * cross).sum(), ((y + next_y) * cross).sum()]
    return np.asarray(moments, dtype=np.float64) / np.float64(3 * cross.sum())


def _circle(radius: float = 1.0, *, num_points: int = 64) -> Points:
    angle = np.arange(num_points) * (2 * np.pi / num_points)
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _around(radii: list[float], *, turn: float = -np.pi / 2) -> Points:
    """Return corners at equal angles around the origin, at the given distances, the first one on top."""
    angle = turn + np.arange(len(radii)) * (2 * np.pi / len(radii))
    return np.stack([radii * np.cos(angle), radii * np.sin(angle)], axis=1)


def _cross(half_width: float = 0.3) -> Points:
    a, b = half_width, 1.0
    quarter = np.array([[a, -b], [a, -a], [b, -a]])
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    return np.concatenate([quarter @ np.linalg.matrix_power(turn, k) for k in range(4)])


def _arrow() -> Points:
    top = np.array([[-1.0, -0.22], [0.0, -0.22], [0.0, -0.7], [1.0, 0.0]])
    return np.concatenate([top, (top * [1, -1])[-2::-1]])


def _heart() -> Points:
    t = np.arange(64) * (2 * np.pi / 64)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1)


def _crescent() -> Points:
    outer = np.linspace(np.pi / 4, 2 * np.pi - np.pi / 4, 48)
    tip = np.array([np.cos(np.pi / 4), np.sin(np.pi / 4)])
    inner_centre = np.array([0.55, 0.0])
    inner_radius = float(np.hypot(*(tip - inner_centre)))
    opening = float(np.arctan2(*(tip - inner_centre)[::-1]))
    inner = np.linspace(2 * np.pi - opening, opening, 48)
    arcs = [np.stack([np.cos(outer), np.sin(outer)], axis=1)]
    arcs.append(inner_centre + inner_radius * np.stack([np.cos(inner), np.sin(inner)], axis=1))
    return np.concatenate(arcs)


_OUTLINES: dict[str, list[Points]] = {
    "circle": [_circle()],
    "square": [_around([1.0] * 4, turn=np.pi / 4)],
    "triangle": [_around([1.0] * 3)],
    "ring": [_circle(), _circle(0.55)],
    "cross": [_cross()],
    "star": [_around([1.0, 0.42] * 5)],
    "arrow": [_arrow()],
    "heart": [_heart()],
    "crescent": [_crescent()],
    "gear": [_around([1.0, 1.0, 0.7, 0.7] * 8), _circle(0.3)],
}
