"""The local loss of VICRegL: VICReg at matching positions of two feature maps.

Source: Bardes, Ponce, LeCun 2022, https://arxiv.org/abs/2210.01571, equations 2 to 5, with the scaling of the
authors' code (https://github.com/facebookresearch/VICRegL).

Shape suffixes: B samples, P and Q positions of the two maps, D dimensions, M matches.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.losses.matching import best_matches, take_positions
from sslcore.losses.precision import in_fp32
from sslcore.losses.vicreg import covariance_term, variance_term

__all__ = ["vicregl_local"]


@in_fp32
def vicregl_local(
    z_a: Tensor,
    z_b: Tensor,
    places_a: Tensor,
    places_b: Tensor,
    *,
    num_matches: tuple[int, int] = (20, 20),
    invariance: float = 25.0,
    variance: float = 25.0,
    covariance: float = 1.0,
) -> Tensor:
    """Return the loss of pairs matched by features plus that of pairs matched by place, in fp32.

    Both are taken from the first map to the second and back, and averaged.

    Args:
        z_a: Projections at each position of the first view, [B, P, D].
        z_b: Of the second, [B, Q, D].
        places_a: Where the positions lie in the image, [B, P, 2] (`position_centres`).
        places_b: Of the second view, [B, Q, 2].
        num_matches: Pairs kept for each sample, from the first map to the second and back.
        invariance: Weight of the mean squared difference.
        variance: Weight of the variance term.
        covariance: Weight of the covariance term.
    """
    forth, back = num_matches

    def matched(points_a: Tensor, points_b: Tensor) -> Tensor:
        mine, theirs = best_matches(points_a, points_b, forth)
        pairs = [(take_positions(z_a, mine), take_positions(z_b, theirs))]
        mine, theirs = best_matches(points_b, points_a, back)
        pairs.append((take_positions(z_b, mine), take_positions(z_a, theirs)))
        losses = [_loss(each, other, invariance, variance, covariance) for each, other in pairs]
        return (losses[0] + losses[1]) / 2

    return matched(z_a, z_b) + matched(places_a, places_b)


def _loss(z_BMD: Tensor, other_BMD: Tensor, invariance: float, variance: float, covariance: float) -> Tensor:
    """VICReg of matches; the statistics are over the batch, for each of the M by itself."""
    z_MBD, other_MBD = z_BMD.transpose(0, 1), other_BMD.transpose(0, 1)
    spread = (variance_term(z_MBD) + variance_term(other_MBD)) / 2
    redundancy = (covariance_term(z_MBD) + covariance_term(other_MBD)) / 2
    return invariance * functional.mse_loss(z_BMD, other_BMD) + variance * spread + covariance * redundancy
