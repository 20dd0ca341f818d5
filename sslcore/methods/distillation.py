"""What DINO and methods that follow it share: a slow teacher of its own temperature, held by the hooks."""

from collections.abc import Iterable

from pydantic import Field
from torch import nn

from sslcore.config import StageConfig
from sslcore.methods.method import Method, Progress
from sslcore.methods.momentum import cosine_momentum, update_momentum
from sslcore.methods.schedules import clip_each, cosine_between, frozen_at_first, linear_lr, warmed_up

__all__ = ["SelfDistillation", "SelfDistillationOptions"]


class SelfDistillationOptions(StageConfig):
    """Settings of DINO and of those that follow it."""

    hidden_dim: int = Field(default=2048, ge=1)
    """Width of the head's hidden layers."""
    bottleneck_dim: int = Field(default=256, ge=1)
    """Width of the head before its last layer."""
    student_temperature: float = Field(default=0.1, gt=0)
    """Divides the student's logits."""
    warmup_teacher_temperature: float = Field(default=0.04, gt=0)
    """Divides the teacher's logits at the first step."""
    teacher_temperature: float = Field(default=0.07, gt=0)
    """Divides the teacher's logits after the warm-up; lower it when the loss does not fall."""
    warmup_teacher_epochs: float = Field(default=30, ge=0)
    """Epochs in which the teacher's temperature rises."""
    centre_momentum: float = Field(default=0.9, ge=0, le=1)
    """Of the moving average that is taken off the teacher's logits."""
    momentum: float = Field(default=0.996, ge=0, le=1)
    """Of the teacher at the first step; it rises to 1 by half a cosine."""
    final_weight_decay_factor: float = Field(default=10.0, ge=0)
    """What the weight decay is multiplied by at the last step (0.04 to 0.4); half a cosine leads there."""
    freeze_last_layer_epochs: float = Field(default=1, ge=0)
    """Epochs in which the heads' last layers stay as they were drawn."""
    clip_grad: float = Field(default=3.0, ge=0)
    """Greatest length of each parameter's gradient; 0 clips none."""
    drop_path: float = Field(default=0.1, ge=0, lt=1)
    """Chance that the student's last block is skipped for an image; less in the blocks before."""


class SelfDistillation(Method):
    """The hooks of such a method.

    Attributes:
        options: Settings.
        teacher_backbone: Moving average of the backbone; it is kept.
        teacher_temperature: Of the coming step.
    """

    default_optimizer = "adamw"
    default_weight_decay = 0.04
    options: SelfDistillationOptions
    teacher_backbone: nn.Module
    teacher_temperature: float

    def heads_and_teachers(self) -> Iterable[tuple[nn.Module, nn.Module]]:
        """Return each head, which has a ``last_layer``, and its moving average."""
        raise NotImplementedError

    @staticmethod
    def default_lr(optimizer: str, batch_size: int) -> float:
        """Return the peak learning rate for a batch size."""
        return linear_lr(optimizer, batch_size, adamw=5e-4)

    @property
    def kept_backbone(self) -> nn.Module:
        """The teacher."""
        return self.teacher_backbone

    def before_step(self, progress: Progress) -> None:
        """Set the teacher's temperature."""
        self.teacher_temperature = warmed_up(
            progress,
            self.options.warmup_teacher_temperature,
            self.options.teacher_temperature,
            self.options.warmup_teacher_epochs,
        )

    def after_backward(self, progress: Progress) -> None:
        """Clip gradients, and hold the last layers in the first epochs."""
        clip_each(self.parameters(), self.options.clip_grad)
        for head, _ in self.heads_and_teachers():
            frozen_at_first(head.last_layer, progress, self.options.freeze_last_layer_epochs)  # type: ignore[arg-type]

    def after_step(self, progress: Progress) -> None:
        """Move the teacher."""
        momentum = cosine_momentum(progress, self.options.momentum)
        update_momentum(self.teacher_backbone, self.backbone, momentum)
        for head, teacher in self.heads_and_teachers():
            update_momentum(teacher, head, momentum)

    def weight_decay_factor(self, progress: Progress) -> float:
        """Return what the weight decay is multiplied by: from 1 to the option's."""
        return cosine_between(progress, 1.0, self.options.final_weight_decay_factor)
