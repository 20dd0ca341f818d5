"""A transformer that says what is at places it does not see: MAE's decoder and I-JEPA's predictor."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from sslcore.backbones.positions import sincos_positions
from sslcore.backbones.transformer import EPSILON, TransformerBlock, initialize_linear
from sslcore.errors import ConfigError

__all__ = ["MaskedDecoder"]

HEAD_DIM = 32
"""Width of a head of the attention, in both papers."""


@lru_cache(maxsize=16)
def _positions(dim: int, grid: tuple[int, int], device: torch.device) -> Tensor:
    return sincos_positions(dim, grid)[0].to(device)


class MaskedDecoder(nn.Module):
    """Blocks over the tokens of seen patches and a mask token per place that is asked for.

    Sources: He et al. 2021 (MAE), https://arxiv.org/abs/2111.06377, section 3; Assran et al. 2023 (I-JEPA),
    https://arxiv.org/abs/2301.08243, section 3. Only the places asked for are mapped to the output.

    Args:
        in_dim: Width of the encoder's tokens.
        out_dim: Width of the answers.
        dim: Width of the blocks; a multiple of 32.
        depth: Blocks.

    Raises:
        ConfigError: If the width is no multiple of 32.
    """

    def __init__(self, in_dim: int, out_dim: int, *, dim: int, depth: int) -> None:
        super().__init__()
        if dim % HEAD_DIM:
            raise ConfigError(
                f"the width of a decoder or predictor must be a multiple of {HEAD_DIM}, got {dim}"
            )
        self.embed = nn.Linear(in_dim, dim)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, dim // HEAD_DIM) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=EPSILON)
        self.out = nn.Linear(dim, out_dim)
        self.apply(initialize_linear)

    def forward(self, tokens: Tensor, keep: Tensor, asked: Tensor, grid: tuple[int, int]) -> Tensor:
        """Answer for places, each set of them by itself.

        Args:
            tokens: Of the encoder, [B, P + K, in_dim]: any prefix tokens, then those of the seen patches.
            keep: Which patches these are, int64 [B, K].
            asked: Sets of places, int64 [B, T, M].
            grid: Rows and columns of patches.

        Returns:
            [B, T, M, out_dim].
        """
        batch, num_sets, num_places = asked.shape
        positions = _positions(self.mask_token.shape[-1], grid, tokens.device)
        seen = self.embed(tokens)
        num_prefix = seen.shape[1] - keep.shape[1]
        seen = torch.cat((seen[:, :num_prefix], seen[:, num_prefix:] + positions[keep]), dim=1)
        seen = seen[:, None].expand(-1, num_sets, -1, -1).flatten(0, 1)
        x = torch.cat((seen, self.mask_token + positions[asked.flatten(0, 1)]), dim=1)
        for block in self.blocks:
            x = block(x)
        answers = self.out(self.norm(x[:, -num_places:]))
        return answers.reshape(batch, num_sets, num_places, -1)  # type: ignore[no-any-return]
