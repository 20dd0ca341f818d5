"""Config of the pretrain stage."""

from typing import Any, Literal

from pydantic import Field

from sslcore.config.base import StageConfig

__all__ = ["PretrainConfig"]


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
    backbone, or torchvision:DEFAULT; null for none."""
    views: str = "simclr"
    """Name of the set of augmentations; `sslflow list views` shows them."""
    view_options: dict[str, Any] = Field(default_factory=dict)
    """Settings of the augmentations, for example {min_scale: 0.2}."""
    image_size: int = Field(default=224, ge=8)
    """Side in pixels of the views and of the images the backbone sees later."""
    epochs: int = Field(default=100, ge=1)
    """Passes over the training split."""
    batch_size: int = Field(default=256, ge=2)
    """Samples per optimizer step."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    """Which optimizer."""
    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate; null takes the method's own rule for this batch size."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Weight decay; biases and norms have none."""
    warmup_epochs: float = Field(default=10, ge=0)
    """Epochs of linear warm-up before the cosine decay; at most a tenth of the run."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU when there is one."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic; auto is bf16 where the device is fast at it, else fp32."""
    eval_every_epochs: int = Field(default=5, ge=1)
    """How often kNN accuracy and the collapse measures are taken on the validation split."""
    num_workers: int = Field(default=2, ge=0)
    """Processes that decode images; 0 decodes in the training process."""
    cache_megabytes: float = Field(default=512, ge=0)
    """Decoded training images that fit into this many megabytes are kept in memory and decoded once."""
    seed: int = Field(default=0, ge=0)
    """Seed of the weights, the order of samples and the views."""
