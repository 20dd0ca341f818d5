"""The backbone that is kept: the trained one, a method's moving average, or our own; the last or the best."""

import torch
from torch import Tensor, nn

from sslcore.augment import Normalization
from sslcore.training.loop import Parts
from sslcore.training.sharding import is_sharded, whole_weights

__all__ = ["Kept"]


class Kept:
    """Where to find what is evaluated and saved.

    Args:
        parts: Of the run.
        normalization: Of the backbone's input.
        plain: The same network, whole, on the device: where sharded weights are put together for measuring.
    """

    def __init__(self, parts: Parts, normalization: Normalization, plain: nn.Module | None = None) -> None:
        self._parts = parts
        self.normalization = normalization
        self._plain = plain

    def module(self) -> nn.Module:
        """Return the network with its present weights; with sharded ones, all processes must call it."""
        if self._parts.average is not None:
            return self._parts.average.average
        backbone = self._parts.method.kept_backbone
        if self._plain is None or not is_sharded(self._parts.method):
            return backbone
        weights = whole_weights(backbone)
        if weights:
            self._plain.load_state_dict(weights)
        return self._plain

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of its weights on the CPU."""
        return {name: each.detach().to("cpu", copy=True) for name, each in self.module().state_dict().items()}

    @torch.no_grad()
    def put_back(self, weights: dict[str, Tensor]) -> nn.Module:
        """Load weights that `weights` returned, and return the network."""
        module = self.module()
        module.load_state_dict(weights)
        return module
