"""LeJEPA's loss: views agree with the mean of the global ones, and all look like a standard normal.

Source: Balestriero and LeCun 2025, https://arxiv.org/abs/2511.08544, algorithm 2.
"""

from torch import Tensor

from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32
from sslcore.losses.sigreg import random_directions, sigreg

__all__ = ["lejepa"]


@in_fp32
def lejepa(
    z_VBD: Tensor,
    *,
    num_global: int = 2,
    sigreg_weight: float = 0.05,
    num_slices: int = 1024,
    num_knots: int = 17,
    t_max: float = 3.0,
) -> Tensor:
    """Return the weighted mean of the squared distance to the centre and of SIGReg, in fp32.

    Directions come from torch's generator on the device; with several processes from the first one's.

    Args:
        z_VBD: Projections of V views of B images, [V, B, D], the global ones first.
        num_global: Views whose mean is what all views are to agree with.
        sigreg_weight: Share of SIGReg in the loss (lambda), in 0..1.
        num_slices: Random directions.
        num_knots: Points of SIGReg's integral.
        t_max: Its end.

    Returns:
        A scalar.

    Raises:
        ConfigError: If the share is out of range, or there are fewer views than global ones.
    """
    if not 0 <= sigreg_weight <= 1:
        raise ConfigError(f"sigreg_weight must be in 0..1, got {sigreg_weight}")
    if not 1 <= num_global <= len(z_VBD):
        raise ConfigError(f"num_global must be in 1..{len(z_VBD)}, the number of views, got {num_global}")
    agreement = (z_VBD[:num_global].mean(dim=0) - z_VBD).square().mean()
    directions = random_directions(z_VBD.shape[2], num_slices, device=z_VBD.device)
    normality = sigreg(z_VBD, directions, num_knots=num_knots, t_max=t_max)
    return (1 - sigreg_weight) * agreement + sigreg_weight * normality
