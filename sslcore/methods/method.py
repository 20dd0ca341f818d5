"""What the training loop asks of a method, and what it may leave out.

A method is a backbone, what is put on it to train it, and a loss: ``method(views) -> loss``. Whatever else it
does as training goes on (schedules, moving averages, queues) happens in the hooks below; everything it must
remember is a parameter or a buffer, so that ``state_dict`` holds it.

The loop calls, at each step::

    method.before_step(progress)
    loss = method(views)
    loss.backward()
    method.after_backward(progress)
    optimizer.step()
    method.after_step(progress)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from sslcore.config import StageConfig

__all__ = ["SMALL_IMAGE", "Method", "Progress"]

SMALL_IMAGE = 64
"""Images up to this side in pixels get the small-image variant of a method's views."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        step: Optimizer steps done, 0 at the first.
        total_steps: Of the whole run.
        steps_per_epoch: In an epoch.
    """

    step: int
    total_steps: int
    steps_per_epoch: int

    @property
    def fraction(self) -> float:
        """Share of the run that is done: 0 at the first step, 1 at the last."""
        return self.step / max(1, self.total_steps - 1)

    @property
    def epoch(self) -> float:
        """Epochs done, with their fraction."""
        return self.step / self.steps_per_epoch


class Method(nn.Module):
    """A self-supervised method; one per file of this package.

    Attributes:
        name: As in ``pretrain.method``.
        summary: A line for ``sslflow list methods``, with the source.
        views_name: The set of views it was published with (`sslcore.augment.VIEWS`).
        default_optimizer: What ``pretrain.optimizer: auto`` is.
        default_weight_decay: What ``pretrain.weight_decay: null`` is.
        needs_tokens: Whether the backbone must be one that returns patch tokens (a vision transformer of
            `sslcore.backbones`).
        num_views: Full-size views that the loss takes.
        num_local_views: Smaller views that it takes beside them, in the set it was published with.
        backbone: The network that is trained.
    """

    Options: ClassVar[type[StageConfig]]
    name: ClassVar[str]
    summary: ClassVar[str]
    views_name: ClassVar[str]
    default_optimizer: ClassVar[str] = "sgd"
    default_weight_decay: ClassVar[float] = 1e-4
    needs_tokens: ClassVar[bool] = False
    num_views: ClassVar[int] = 2
    num_local_views: ClassVar[int] = 0
    backbone: nn.Module

    def forward(self, views: Sequence[Tensor]) -> Tensor:
        """Return the loss of the views of a batch, each [B, C, h, w]; a scalar in fp32."""
        raise NotImplementedError

    @classmethod
    def default_views(cls, image_size: int) -> str:
        """Return the name of the views that the method trains on at an image size."""
        return f"{cls.views_name}-small" if image_size <= SMALL_IMAGE else cls.views_name

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for an optimizer and a batch size (of all processes together)."""
        raise NotImplementedError

    @property
    def kept_backbone(self) -> nn.Module:
        """The network that is saved and evaluated: the trained one, or its moving average."""
        return self.backbone

    def before_step(self, progress: Progress) -> None:
        """Set what is scheduled (temperatures, momenta) for the coming step."""

    def after_backward(self, progress: Progress) -> None:
        """Change gradients before the optimizer steps, for example freeze a layer."""

    def after_step(self, progress: Progress) -> None:
        """Do what follows the optimizer's step, for example move a teacher."""

    def weight_decay_factor(self, progress: Progress) -> float:
        """Return what the weight decay is multiplied by at this step."""
        return 1.0
