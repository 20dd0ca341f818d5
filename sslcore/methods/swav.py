"""SwAV: each view predicts the prototypes that another view of the image was assigned to.

Caron, Misra, Mairal, Goyal, Bojanowski, Joulin: Unsupervised Learning of Visual Features by Contrasting
Cluster Assignments, 2020, https://arxiv.org/abs/2006.09882. Assignments use all prototypes equally; where a
batch is small for their number, features of earlier batches take part (the queue, section 4.2 and appendix
A.1).

Different here: SGD by default instead of LARS; the queue is one, shared by all processes. Prototypes take no
gradient in the first epoch (appendix A.1).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sslcore.config import StageConfig
from sslcore.distributed import rank, world_size
from sslcore.heads import ProjectionHead, Prototypes
from sslcore.losses import sinkhorn, swapped_prediction
from sslcore.methods.method import Method, Progress
from sslcore.methods.multi_crop import encode_by_size
from sslcore.methods.queue import FeatureQueue
from sslcore.methods.rates import scaled_lr
from sslcore.methods.view_count import check_views

__all__ = ["SwAV", "SwAVOptions"]


class SwAVOptions(StageConfig):
    """Settings of SwAV."""

    temperature: float = Field(default=0.1, gt=0)
    """Divides the similarities in the prediction."""
    sinkhorn_temperature: float = Field(default=0.05, gt=0)
    """Divides the similarities in the assignment (epsilon): the lower, the harder it is."""
    sinkhorn_iterations: int = Field(default=3, ge=1)
    """How often the assignment is evened out."""
    num_prototypes: int = Field(default=3000, ge=2)
    """Prototypes; about ten for each class that may be there (512 for CIFAR-10)."""
    frozen_prototype_epochs: float = Field(default=1.0, ge=0)
    """Epochs in which prototypes are not trained."""
    queue_size: int = Field(default=3840, ge=0)
    """Features of earlier batches that take part in the assignment, for each full-size view; 0 for none."""
    queue_start_epoch: float = Field(default=15.0, ge=0)
    """Epoch from which the queue is filled and used."""
    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the hidden layer of the projection head."""
    out_dim: int = Field(default=128, ge=1)
    """Width of the projections."""


class SwAV(Method):
    """A backbone with a projection head and prototypes.

    Args:
        backbone: From [B, C, H, W] to features [B, embed_dim], with the attribute ``embed_dim``.
        options: Settings; the defaults are the paper's for batches of 256.
    """

    Options: ClassVar[type[StageConfig]] = SwAVOptions
    name = "swav"
    summary = "views predict each other's prototypes; Caron et al. 2020, https://arxiv.org/abs/2006.09882"
    views_name = "swav"
    num_local_views = 6

    def __init__(self, backbone: nn.Module, options: SwAVOptions | None = None) -> None:
        super().__init__()
        self.options = options = options or SwAVOptions()
        width = int(backbone.embed_dim)  # type: ignore[arg-type]
        self.backbone = backbone
        self.projection_head = ProjectionHead(width, options.hidden_dim, options.out_dim, out_norm="none")
        self.prototypes = Prototypes(options.out_dim, options.num_prototypes)
        self.queues = nn.ModuleList(
            FeatureQueue(options.queue_size, options.out_dim)
            for _ in range(self.num_views if options.queue_size else 0)
        )
        self.uses_queue = False

    def before_step(self, progress: Progress) -> None:
        """Decide whether the queue takes part."""
        self.uses_queue = progress.epoch >= self.options.queue_start_epoch

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of two full-size views, each [B, C, H, W], and of smaller ones that follow."""
        check_views(views, self.name, least=2)
        z = encode_by_size(lambda view: self.projection_head(self.backbone(view)), views)
        scores = [self.prototypes(each) for each in z]
        codes = [self._assign(number, scores[number], z[number]) for number in range(self.num_views)]
        return swapped_prediction(scores, codes, temperature=self.options.temperature)

    @torch.no_grad()
    def _assign(self, number: int, scores: Tensor, z: Tensor) -> Tensor:
        """Return the assignments [B, K] of a full-size view, and put its features into its queue."""
        scores = scores.float()
        count = len(scores)
        if self.uses_queue and len(self.queues):
            queue = self.queues[number]
            assert isinstance(queue, FeatureQueue)
            if queue.is_full:
                share = queue.features.tensor_split(world_size())[rank()]
                scores = torch.cat((scores, self.prototypes(share).float()))
            if self.training:
                queue.push(functional.normalize(z.float(), dim=1))
        return sinkhorn(
            scores,
            temperature=self.options.sinkhorn_temperature,
            num_iterations=self.options.sinkhorn_iterations,
        )[:count]

    def after_backward(self, progress: Progress) -> None:
        """Leave the prototypes as they are at first."""
        if progress.epoch < self.options.frozen_prototype_epochs:
            self.prototypes.weight.grad = None

    def after_step(self, progress: Progress) -> None:
        """Bring the prototypes back to unit length."""
        self.prototypes.renormalize()

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size; the paper's is LARS 0.6 at 256 samples."""
        return scaled_lr(optimizer, batch_size, sgd=0.12, lars=0.6)
