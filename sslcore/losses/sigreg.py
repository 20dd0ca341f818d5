"""SIGReg: make features look like a standard normal, along random directions.

Source: Balestriero and LeCun 2025 (LeJEPA), https://arxiv.org/abs/2511.08544, algorithm 1: the statistic of
Epps and Pulley 1983 on each direction, whose integral is taken here over t >= 0 and doubled, the integrand
being even, as in the authors' later code.
"""

import torch
from torch import Tensor
from torch.nn import functional

from sslcore.distributed import mean_over_ranks, rank, sum_over_ranks, world_size
from sslcore.errors import ConfigError
from sslcore.losses.precision import in_fp32

__all__ = ["random_directions", "sigreg"]


def random_directions(dim: int, num_slices: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Return unit vectors [dim, num_slices], the same in all processes, from torch's generator there."""
    directions = functional.normalize(torch.randn(dim, num_slices, device=device), dim=0)
    return sum_over_ranks(directions if rank() == 0 else torch.zeros_like(directions))


@in_fp32
def sigreg(z_VBD: Tensor, directions_DS: Tensor, *, num_knots: int = 17, t_max: float = 3.0) -> Tensor:
    """Return the mean over views and directions of a test statistic for normality, in fp32.

    Along a direction it is N times the integral of |phi(t) - exp(-t^2 / 2)|^2 exp(-t^2 / 2), where phi is the
    characteristic function of the N samples of all processes.

    Args:
        z_VBD: Projections of V views of B images, [V, B, D].
        directions_DS: Unit vectors, [D, S], the same in all processes (`random_directions`).
        num_knots: Points of the trapezoidal rule from 0 to ``t_max``; >= 2.
        t_max: Where the integral ends; > 0.

    Returns:
        A scalar, the same in all processes.

    Raises:
        ConfigError: If there are too few knots, or ``t_max`` is not positive.
    """
    if num_knots < 2:
        raise ConfigError(f"num_knots must be >= 2, got {num_knots}")
    if t_max <= 0:
        raise ConfigError(f"t_max must be > 0, got {t_max}")
    t = torch.linspace(0, t_max, num_knots, device=z_VBD.device)
    normal = (-t.square() / 2).exp()
    weights = torch.full_like(t, 2 * t_max / (num_knots - 1))
    weights[0] /= 2
    weights[-1] /= 2
    angles = (z_VBD @ directions_DS)[..., None] * t
    waves = mean_over_ranks(torch.stack((angles.cos().mean(dim=1), angles.sin().mean(dim=1))))
    error = (waves[0] - normal).square() + waves[1].square()
    return (error @ (weights * normal)).mean() * z_VBD.shape[1] * world_size()
