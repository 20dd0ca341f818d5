"""Prototypes: unit vectors that features are compared with."""

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Prototypes"]


class Prototypes(nn.Linear):
    """A linear layer without bias whose rows are learnt and kept at unit length.

    Source: Caron et al. 2020 (SwAV), https://arxiv.org/abs/2006.09882, section 3.1. Call `renormalize` after
    each optimizer step.

    Args:
        in_dim: Width of the features.
        num_prototypes: How many.
    """

    def __init__(self, in_dim: int, num_prototypes: int) -> None:
        super().__init__(in_dim, num_prototypes, bias=False)
        self.renormalize()

    def forward(self, features: Tensor) -> Tensor:
        """Return the cosine similarity of features [B, in_dim] of any length to each prototype, [B, K]."""
        return super().forward(functional.normalize(features, dim=1))

    @torch.no_grad()
    def renormalize(self) -> None:
        """Bring the prototypes back to unit length."""
        self.weight.copy_(functional.normalize(self.weight, dim=1))
