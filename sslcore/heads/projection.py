"""The heads of joint-embedding methods: small MLPs that are thrown away after training."""

from typing import Literal

from torch import Tensor, nn

__all__ = ["ProjectionHead"]


class ProjectionHead(nn.Sequential):
    """Linear layers with ReLU between them; with batch norm or not, after hidden layers and after the last.

    By default SimCLR's (Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 4.2 and appendix B).
    Those of other methods, prediction heads among them, are named in their files. A layer that a norm
    follows has no bias.

    Args:
        in_dim: Width of the features.
        hidden_dim: Width of the hidden layers.
        out_dim: Width of the result.
        num_layers: How many linear layers.
        hidden_norm: Whether batch norm follows hidden layers.
        out_norm: What follows the last layer: batch norm with learnt scale and shift, without, or nothing.
        out_bias: Whether the last layer has a bias if no norm follows; none for losses that centre features.
    """

    def __init__(
        self,
        in_dim: int,
        hidden_dim: int,
        out_dim: int,
        num_layers: int = 2,
        *,
        hidden_norm: bool = True,
        out_norm: Literal["scaled", "unscaled", "none"] = "scaled",
        out_bias: bool = True,
    ) -> None:
        widths = [in_dim, *[hidden_dim] * (num_layers - 1), out_dim]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-2], widths[1:-1], strict=True):
            layers.append(nn.Linear(before, after, bias=not hidden_norm))
            layers += [nn.BatchNorm1d(after)] if hidden_norm else []
            layers.append(nn.ReLU(inplace=True))
        layers.append(nn.Linear(widths[-2], out_dim, bias=out_bias and out_norm == "none"))
        if out_norm != "none":
            layers.append(nn.BatchNorm1d(out_dim, affine=out_norm == "scaled"))
        super().__init__(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, in_dim] to [B, out_dim]."""
        for layer in self:
            features = layer(features)
        return features
