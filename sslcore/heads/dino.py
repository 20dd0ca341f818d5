"""The heads of self-distillation: an MLP with GELU, and logits by the cosine to unit rows."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sslcore.backbones.transformer import initialize_linear

__all__ = ["DINOHead", "GELUHead", "UnitLinear"]


class GELUHead(nn.Sequential):
    """Linear layers with GELU, and batch norm if asked for, between them.

    Args:
        in_dim: Width of the features.
        hidden_dim: Width of the hidden layers.
        out_dim: Width of the result.
        num_layers: How many linear layers.
        hidden_norm: Whether batch norm follows hidden layers.
    """

    def __init__(
        self, in_dim: int, hidden_dim: int, out_dim: int, num_layers: int = 3, *, hidden_norm: bool = False
    ) -> None:
        widths = [in_dim, *[hidden_dim] * (num_layers - 1), out_dim]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-2], widths[1:-1], strict=True):
            layers.append(nn.Linear(before, after))
            layers += [nn.BatchNorm1d(after)] if hidden_norm else []
            layers.append(nn.GELU())
        super().__init__(*layers, nn.Linear(widths[-2], out_dim))
        self.apply(initialize_linear)


class UnitLinear(nn.Module):
    """A linear layer without bias whose rows have unit length in use: weight norm with the length fixed at 1.

    Args:
        in_dim: Width of the features.
        out_dim: Width K of the result.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_dim, in_dim) * in_dim**-0.5)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, in_dim] to [N, K]."""
        return functional.linear(features, functional.normalize(self.weight, dim=1))


class DINOHead(nn.Module):
    """The head of DINO, iBOT and DINOv2.

    Source: Caron et al. 2021, https://arxiv.org/abs/2104.14294, section 3.1 and appendix C: an MLP to a
    bottleneck, unit length, and a weight-normalized layer.

    Args:
        in_dim: Width of the features.
        out_dim: Width K of the logits.
        hidden_dim: Width of the MLP.
        bottleneck_dim: Width before the last layer.
        num_layers: Linear layers of the MLP.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        *,
        hidden_dim: int = 2048,
        bottleneck_dim: int = 256,
        num_layers: int = 3,
    ) -> None:
        super().__init__()
        self.mlp = GELUHead(in_dim, hidden_dim, bottleneck_dim, num_layers)
        self.last_layer = UnitLinear(bottleneck_dim, out_dim)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, in_dim] to logits [N, K] in -1..1."""
        return self.last_layer(functional.normalize(self.mlp(features), dim=1))  # type: ignore[no-any-return]
