"""Any method as a LightningModule, for those who have a Trainer already. Needs the extra ``lightning``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from sslcore.distributed import rank
from sslcore.errors import NotLearningError, UserError
from sslcore.methods import Method, Progress
from sslcore.training.finite import REMEDY
from sslcore.training.optimizers import build_optimizer
from sslcore.training.schedules import Schedule
from sslcore.training.small_maps import small_map_convolutions
from sslcore.training.view_stream import Views, seeded

if TYPE_CHECKING:
    from lightning import LightningModule
else:
    try:
        from lightning import LightningModule
    except ImportError:
        raise UserError("this needs Lightning: pip install 'sslflow[lightning]'") from None

__all__ = ["LightningMethod"]


class LightningMethod(LightningModule):
    """A method with its views, optimizer and schedule; train it with ``Trainer.fit(module, loader)``.

    The loader gives uint8 or float 0..1 batches [B, C, H, W], or tuples that begin with one; views are made
    on the device. At the same seed, batches and length the losses are those of `sslcore.training.loop`. The
    Trainer has its own arithmetic, clipping, accumulation (say ``accumulate_grad_batches`` there) and
    checkpoints; kNN and moving averages of weights are not in here.

    Args:
        method: From `sslcore.methods`, or your own.
        views: Makes the views of a batch.
        batch_size: Samples per optimizer step, of all processes; only for the method's own learning rate.
        optimizer: One of `sslcore.training.optimizers.OPTIMIZERS`; auto takes the method's own.
        optimizer_options: Further arguments of the optimizer's class.
        lr: Peak learning rate; None takes the method's own rule.
        weight_decay: None takes the method's own.
        layer_decay: See `sslcore.training.parameter_groups`.
        warmup_epochs: Of linear warm-up; at most a tenth of the run.
        seed: Of the views.
    """

    def __init__(
        self,
        method: Method,
        views: Views,
        *,
        batch_size: int,
        optimizer: str = "auto",
        optimizer_options: Mapping[str, Any] | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        layer_decay: float = 1.0,
        warmup_epochs: float = 10,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.method = method
        self.views = views
        self.seed = seed
        self.warmup_epochs = warmup_epochs
        name = method.default_optimizer if optimizer == "auto" else optimizer
        self._build = {
            "name": name,
            "lr": lr if lr is not None else method.default_lr(name, batch_size),
            "weight_decay": method.default_weight_decay if weight_decay is None else weight_decay,
            "layer_decay": layer_decay,
            "options": dict(optimizer_options or {}),
        }
        self._schedule: Schedule | None = None
        self._stepping: Progress | None = None

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimizer; `on_train_batch_start` sets its learning rate at each step."""
        settings: dict[str, Any] = self._build
        optimizer = build_optimizer(settings["name"], self.method, **_without(settings, "name"))
        self._schedule = Schedule(optimizer, warmup_epochs=self.warmup_epochs)
        return optimizer

    def progress(self) -> Progress:
        """Return how far the Trainer is, in optimizer steps."""
        total = int(self.trainer.estimated_stepping_batches)
        per_epoch = -(-int(self.trainer.num_training_batches) // self.trainer.accumulate_grad_batches)
        return Progress(self.trainer.global_step, total, max(1, per_epoch))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set what is scheduled."""
        progress = self.progress()
        assert self._schedule is not None
        optimizer = self.trainer.optimizers[0]
        self._schedule.apply(optimizer, progress, self.method.weight_decay_factor(progress))
        self.method.before_step(progress)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Make the views and return their loss.

        Raises:
            NotLearningError: If it is not finite.
        """
        images = batch if isinstance(batch, Tensor) else batch[0]
        parts = self.trainer.accumulate_grad_batches
        generator = torch.Generator(images.device)
        part = (batch_idx % parts,) if parts > 1 else ()
        seeded(generator, self.seed, self.trainer.global_step, rank(), *part)
        with torch.autocast(images.device.type, enabled=False):
            views = self.views(images, generator)
        with small_map_convolutions(images.device):
            loss: Tensor = self.method(views)
        if not bool(torch.isfinite(loss.detach())):
            raise NotLearningError(
                f"the loss is {float(loss.detach())} at step {self.trainer.global_step + 1}; {REMEDY}"
            )
        self.log("loss", loss.detach(), prog_bar=True, sync_dist=True)
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the method change its gradients."""
        self._stepping = self.progress()
        self.method.after_backward(self._stepping)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Do what follows the optimizer's step, if there was one."""
        if self._stepping is not None:
            self.method.after_step(self._stepping)
            self._stepping = None


def _without(settings: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != name}
