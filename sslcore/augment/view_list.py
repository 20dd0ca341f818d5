"""What a set of views returns: a list of batches that also knows where each was cut out."""

from collections.abc import Iterable

from torch import Tensor

__all__ = ["ViewList"]


class ViewList(list[Tensor]):
    """The views of a batch, a list of [B, C, h, w].

    Args:
        views: The views.
        boxes: For each view where it was cut out, float32 [B, 4]: left, top, right, bottom as shares (0 to 1)
            of the image; left > right where the view is mirrored, top > bottom where it is upside down.
            Empty when the views do not know.
    """

    def __init__(self, views: Iterable[Tensor], boxes: Iterable[Tensor] = ()) -> None:
        super().__init__(views)
        self.boxes = list(boxes)
