"""The projection head of contrastive methods: a small MLP that is thrown away after training."""

from torch import Tensor, nn

__all__ = ["ProjectionHead"]


class ProjectionHead(nn.Sequential):
    """Linear layers with batch norm and ReLU between them, the last without bias but with batch norm.

    Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 4.2 and appendix B.

    Args:
        in_dim: Width of the features.
        hidden_dim: Width of the hidden layers.
        out_dim: Width of the result.
        num_layers: How many linear layers.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, num_layers: int = 2) -> None:
        widths = [in_dim, *[hidden_dim] * (num_layers - 1), out_dim]
        layers: list[nn.Module] = []
        for each, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after)]
            if each < num_layers - 1:
                layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [B, in_dim] to [B, out_dim]."""
        for layer in self:
            features = layer(features)
        return features
