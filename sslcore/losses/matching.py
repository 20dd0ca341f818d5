"""Which positions of two feature maps show the same: by what they look like, or by where they are.

Sources: DenseCL (Wang et al. 2020, https://arxiv.org/abs/2011.09157, section 3.3) and VICRegL (Bardes et al.
2022, https://arxiv.org/abs/2210.01571, section 3.2).

Shape suffixes: B samples, P and Q positions (h * w) of the two maps, D dimensions, M matches.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.losses.precision import in_fp32

__all__ = ["best_matches", "most_similar", "position_centres", "take_positions"]


@torch.no_grad()
@in_fp32
def most_similar(features_BPD: Tensor, others_BQD: Tensor) -> Tensor:
    """Return for each position the other map's position with the greatest cosine similarity, int64 [B, P]."""
    mine = functional.normalize(features_BPD, dim=2)
    theirs = functional.normalize(others_BQD, dim=2)
    return (mine @ theirs.mT).argmax(dim=2)


@torch.no_grad()
@in_fp32
def best_matches(points_BPD: Tensor, others_BQD: Tensor, num_matches: int) -> tuple[Tensor, Tensor]:
    """Pair each position with the nearest of the other map and keep the pairs that are nearest.

    Args:
        points_BPD: Features, or places in the image, of one map.
        others_BQD: Of the other map.
        num_matches: M; all P where there are fewer.

    Returns:
        Positions in the first map and in the other, int64 [B, M], the nearest pair first.
    """
    distance_BPQ = torch.cdist(points_BPD, others_BQD, compute_mode="donot_use_mm_for_euclid_dist")
    nearest_BP = distance_BPQ.min(dim=2)
    mine = nearest_BP.values.argsort(dim=1, stable=True)[:, :num_matches]
    return mine, nearest_BP.indices.gather(1, mine)


def position_centres(boxes: Tensor, height: int, width: int) -> Tensor:
    """Return where the centres of a map's positions lie in the image, as shares of it.

    Args:
        boxes: Where each view was cut out, [B, 4]: left, top, right, bottom (`ViewList.boxes`); left > right
            where the view is mirrored.
        height: Of the map.
        width: Of the map.

    Returns:
        [B, height * width, 2]: x and y, row by row of the map.
    """
    left, top, right, bottom = (each[:, None] for each in boxes.float().unbind(dim=1))
    across = (torch.arange(width, device=boxes.device) + 0.5) / width
    down = (torch.arange(height, device=boxes.device) + 0.5) / height
    x_BW, y_BH = left + (right - left) * across, top + (bottom - top) * down
    x_BHW = x_BW[:, None, :].expand(-1, height, -1)
    y_BHW = y_BH[:, :, None].expand(-1, -1, width)
    return torch.stack((x_BHW, y_BHW), dim=3).flatten(1, 2)


def take_positions(features_BPD: Tensor, positions_BM: Tensor) -> Tensor:
    """Return the features [B, M, D] at positions of a map."""
    return features_BPD.gather(1, positions_BM[:, :, None].expand(-1, -1, features_BPD.shape[2]))
