"""TiCo: views agree, and features avoid the directions that recent features share.

Source: Zhu et al. 2022, https://arxiv.org/abs/2206.10698, equations 3 to 5. With several processes the
covariance is that of the whole batch.

Shape suffixes: N samples, D dimensions.
"""

from torch import Tensor
from torch.nn import functional

from sslcore.distributed import mean_over_ranks
from sslcore.losses.precision import in_fp32

__all__ = ["tico"]


@in_fp32
def tico(
    z_a: Tensor, z_b: Tensor, covariance: Tensor, *, decay: float = 0.9, weight: float = 8.0
) -> tuple[Tensor, Tensor]:
    """Return the loss, in fp32, and the moved covariance.

    Args:
        z_a: Projections [N, D] of the first views by the student, any length.
        z_b: Projections [N, D] of the second views by the teacher, any length.
        covariance: Second moments [D, D] of the unit vectors of earlier batches; zeros at the start.
        decay: What remains of it (beta).
        weight: Of the covariance term (rho).

    Returns:
        A scalar, and the covariance [D, D] to give to the next call, without gradient. The loss's gradient
        flows through this batch's share of the covariance too.
    """
    z_ND, target_ND = functional.normalize(z_a, dim=1), functional.normalize(z_b, dim=1)
    moved_DD = decay * covariance + (1 - decay) * mean_over_ranks(z_ND.T @ z_ND / len(z_ND))
    agreement = (z_ND * target_ND).sum(dim=1).mean()
    contrast = ((z_ND @ moved_DD) * z_ND).sum(dim=1).mean()
    return 1 - agreement + weight * contrast, moved_DD.detach()
