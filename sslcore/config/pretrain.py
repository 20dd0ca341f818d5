"""Config of the pretrain stage."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from sslcore.config.base import StageConfig

__all__ = ["PretrainConfig"]


def _number_or_find(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:
        raise ValueError("must be a whole number >= 2, or find") from None


BatchSize = Annotated[Annotated[int, Field(ge=2)] | Literal["find"], WrapValidator(_number_or_find)]

NOT_OF_THE_RESULT = frozenset(
    {
        "cache_megabytes",
        "checkpoint_every_minutes",
        "checkpoint_every_steps",
        "keep_checkpoints",
        "max_restarts",
        "num_processes",
        "num_workers",
        "profile",
    }
)
"""Settings of how a run is carried out: it may go on from its checkpoint when they change."""


class PretrainConfig(StageConfig):
    """What is trained, on what, and for how long."""

    method: str = "simclr"
    """Name of the self-supervised method; `sslflow list methods` shows them."""
    method_options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the method itself, for example {temperature: 0.2}; its file documents them."""
    backbone: str = "resnet18"
    """Name of the network that is kept; `sslflow list backbones` shows them."""
    weights: str | None = None
    """Weights to start from instead of random ones: a .safetensors or .pt file, a folder with a saved
    backbone, registry:VERSION (continued pre-training), or torchvision:DEFAULT; null for none."""
    views: str = "auto"
    """Name of the set of augmentations (`sslflow list views` shows them); auto takes the method's own."""
    view_options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the augmentations, for example {min_scale: 0.2}."""
    image_size: int = Field(default=224, ge=8)
    """Side in pixels of the views and of the images the backbone sees later."""
    epochs: int = Field(default=100, ge=1)
    """Passes over the training split."""
    max_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps; when given, it takes the place of epochs."""
    max_minutes: float | None = Field(default=None, gt=0)
    """Minutes of training; the schedule is shortened to what fits, so a run is not repeatable to the bit."""
    batch_size: BatchSize = 256
    """Samples per optimizer step, of all processes together; find tries what fits (on a CPU: is fastest)."""
    accumulate: int = Field(default=1, ge=1)
    """Parts in which a batch goes through the network; contrastive losses then see fewer negatives."""
    optimizer: str = "auto"
    """Any of PyTorch's by its name in lower case, or lars; auto takes the method's own."""
    optimizer_options: dict[str, Any] = Field(default_factory=dict)
    """Further settings of the optimizer, for example {momentum: 0.95}."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; null takes the method's own rule for this batch size."""
    weight_decay: float | None = Field(default=None, ge=0)
    """Weight decay, which biases, norms and tokens have none of; null takes the method's own."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Each block of the backbone learns this much slower than the one above it; 1 for all alike."""
    clip_grad_norm: float | None = Field(default=None, gt=0)
    """Gradients are scaled down to this norm; null never."""
    warmup_epochs: float = Field(default=10, ge=0)
    """Epochs of linear warm-up before the cosine decay; at most a tenth of the run."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Keep a moving average of the backbone with this decay instead of the backbone itself; 0 for none."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU when there is one."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Arithmetic; auto is bf16 where the device is fast at it, else fp32. fp16 scales the loss."""
    compile: Literal["none", "default", "reduce-overhead"] = "none"
    """Compile the backbone with torch.compile; reduce-overhead uses CUDA graphs."""
    num_processes: int = Field(default=1, ge=1)
    """Processes that train together on this machine, one per GPU; they share each batch."""
    sharding: Literal["none", "fsdp"] = "none"
    """fsdp splits weights, gradients and optimizer state of a vision transformer over the processes."""
    max_restarts: int = Field(default=3, ge=0)
    """With several processes: how often all are started again, from the checkpoint, when one dies."""
    eval_every_epochs: int = Field(default=5, ge=1)
    """How often accuracies and collapse measures are taken on the validation split."""
    eval_share: float = Field(default=0.05, gt=0, le=1)
    """Most of the arithmetic that may go into that; fewer samples are taken where it would be more."""
    keep: Literal["auto", "best", "last"] = "auto"
    """Which backbone is kept: the last, or the best by keep_metric; auto is best where labels are."""
    keep_metric: Literal["knn_accuracy", "probe_accuracy", "effective_rank"] = "knn_accuracy"
    """What the best is chosen by, on the validation split."""
    keep_checkpoints: int = Field(default=2, ge=1)
    """How many of the last checkpoints are kept while training, besides the one of the best backbone."""
    checkpoint_every_minutes: float = Field(default=10, gt=0)
    """A checkpoint is written after this many minutes, and on SIGTERM."""
    checkpoint_every_steps: int | None = Field(default=None, ge=1)
    """A checkpoint is also written every so many steps."""
    profile: bool = False
    """Write a trace of a few steps (open it in ui.perfetto.dev), under .state/traces."""
    num_workers: int = Field(default=2, ge=0)
    """Processes that decode images; 0 decodes in the training process."""
    cache_megabytes: float = Field(default=512, ge=0)
    """Decoded training images that fit into this many megabytes are kept in memory and decoded once."""
    seed: int = Field(default=0, ge=0)
    """Seed of the weights, the order of samples and the views."""

    def identity(self) -> dict[str, Any]:
        """Return the settings that the result depends on: a checkpoint is only gone on from with the same."""
        return self.model_dump(mode="json", exclude=set(NOT_OF_THE_RESULT))
