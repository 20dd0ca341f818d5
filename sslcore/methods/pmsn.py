"""PMSN: MSN for data whose classes are not equally frequent.

Assran, Balestriero, Duval, Bordes, Misra, Bojanowski, Vincent, Rabbat, Ballas: The Hidden Uniform Cluster
Prior in Self-Supervised Learning, 2022, https://arxiv.org/abs/2210.07277.

Prototypes are to be used by a power law instead of equally often. Different here: the divergence is that of
the mean assignment from the power law, so that an exponent of 0 is MSN's term; and targets are not evened out
by Sinkhorn-Knopp unless asked for, since that would pull them back to equal use.
"""

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from sslcore.config import StageConfig
from sslcore.losses.prototype_matching import power_law
from sslcore.methods.msn import MSN, MSNOptions

__all__ = ["PMSN", "PMSNOptions"]


class PMSNOptions(MSNOptions):
    """Settings of PMSN; those of MSN and one more."""

    power_law_exponent: float = Field(default=0.25, ge=0)
    """The k-th prototype is to be used in proportion to k to the power of minus this; 0 is MSN."""
    sinkhorn_iterations: int = Field(default=0, ge=0)
    """How often targets are evened out over prototypes; 0 for never."""


class PMSN(MSN):
    """MSN whose prototypes follow a power law.

    Args:
        backbone: A `sslcore.backbones.tokens.TokenBackbone`.
        options: Settings; the defaults are the paper's.
    """

    Options: ClassVar[type[StageConfig]] = PMSNOptions
    name = "pmsn"
    summary = "MSN with prototypes by a power law; Assran et al. 2022, https://arxiv.org/abs/2210.07277"
    options: PMSNOptions

    def prior(self) -> Tensor | None:
        """Return how often each prototype should be used, [K]."""
        return power_law(
            self.options.num_prototypes, self.options.power_law_exponent, device=self.prototypes.device
        )
