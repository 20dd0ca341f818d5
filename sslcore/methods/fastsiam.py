"""FastSiam: SimSiam whose target is the mean of several other views, which varies less.

Pototzky, Sultan, Schmidt-Thieme: FastSiam: Resource-Efficient Self-Supervised Learning on a Single GPU, 2022,
https://doi.org/10.1007/978-3-031-16788-1_4.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from sslcore.config import StageConfig
from sslcore.losses import negative_cosine
from sslcore.methods.simsiam import SimSiam, SimSiamOptions
from sslcore.methods.view_count import check_views

__all__ = ["FastSiam"]


class FastSiam(SimSiam):
    """SimSiam's network; any number of views, of which each predicts the mean of the others.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: SimSiam's.
    """

    Options: ClassVar[type[StageConfig]] = SimSiamOptions
    name = "fastsiam"
    summary = (
        "SimSiam with a mean of views as target; Pototzky 2022, https://doi.org/10.1007/978-3-031-16788-1_4"
    )
    views_name = "fastsiam"
    num_views = 4

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the mean loss of the views, each [B, C, H, W]: -1 where all agree. The paper takes four."""
        check_views(views, self.name, least=2)
        z = [self.projection_head(self.backbone(view)) for view in views]
        total = torch.stack([each.detach().float() for each in z]).sum(dim=0)
        losses = [
            negative_cosine(self.prediction_head(each), (total - each.detach()) / (len(z) - 1)) for each in z
        ]
        return torch.stack(losses).mean()
