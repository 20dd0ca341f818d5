"""The block that vision transformers, decoders and predictors are made of.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, with the norms first as in Dosovitskiy et al.
2021, https://arxiv.org/abs/2010.11929. Parameters are named as in timm's VisionTransformer.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sslcore.errors import ConfigError

__all__ = ["EPSILON", "TransformerBlock", "initialize_linear"]

EPSILON = 1e-6
"""Of every LayerNorm, as in the published networks."""


def initialize_linear(module: nn.Module) -> None:
    """Draw a linear layer's weights from a normal with standard deviation 0.02; its bias is 0."""
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class _Attention(nn.Module):
    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, dim = x.shape
        qkv = self.qkv(x).reshape(batch, length, 3, self.num_heads, dim // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, dim))  # type: ignore[no-any-return]


class _MLP(nn.Module):
    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))  # type: ignore[no-any-return]


class _LayerScale(nn.Module):
    """A learnt factor per channel (Touvron et al. 2021, https://arxiv.org/abs/2103.17239)."""

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class TransformerBlock(nn.Module):
    """Self-attention and an MLP, each after a LayerNorm and beside a skip connection.

    Args:
        dim: Width of the tokens.
        num_heads: Heads of the attention; divides the width.
        mlp_ratio: Hidden width of the MLP over the width.
        layer_scale: First value of the factor per channel on what a block adds; None for no factor.

    Attributes:
        drop_path: Chance, in training, that a sample skips a branch (Huang et al. 2016,
            https://arxiv.org/abs/1603.09382); what stays is divided by one minus it.

    Raises:
        ConfigError: If the heads do not divide the width.
    """

    def __init__(
        self, dim: int, num_heads: int, *, mlp_ratio: float = 4.0, layer_scale: float | None = None
    ) -> None:
        super().__init__()
        if dim % num_heads:
            raise ConfigError(f"num_heads must divide the width {dim}, got {num_heads}")
        self.norm1 = nn.LayerNorm(dim, eps=EPSILON)
        self.attn = _Attention(dim, num_heads)
        self.ls1 = _LayerScale(dim, layer_scale) if layer_scale is not None else nn.Identity()
        self.norm2 = nn.LayerNorm(dim, eps=EPSILON)
        self.mlp = _MLP(dim, int(dim * mlp_ratio))
        self.ls2 = _LayerScale(dim, layer_scale) if layer_scale is not None else nn.Identity()
        self.drop_path = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [B, L, dim] to [B, L, dim]."""
        x = x + self._drop(self.ls1(self.attn(self.norm1(x))))
        return x + self._drop(self.ls2(self.mlp(self.norm2(x))))

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0.0:
            return branch
        kept = 1 - self.drop_path
        return branch * (torch.rand(len(branch), 1, 1, device=branch.device) < kept).to(branch.dtype) / kept
