"""The loop, optimizers, schedules, and what is measured on the way."""

from sslcore.training.pretrain import PretrainReport, pretrain

__all__ = ["PretrainReport", "pretrain"]
