"""Typed settings: one class per stage, one section of params.yaml each. Imports no torch."""

from sslcore.config.base import StageConfig
from sslcore.config.embed import EmbedConfig
from sslcore.config.evaluate import EvaluateConfig
from sslcore.config.ingest import IngestConfig
from sslcore.config.params import Params, parse_params, read_params, with_overrides
from sslcore.config.pretrain import PretrainConfig
from sslcore.config.report import ReportConfig
from sslcore.config.select import SelectConfig

__all__ = [
    "EmbedConfig",
    "EvaluateConfig",
    "IngestConfig",
    "Params",
    "PretrainConfig",
    "ReportConfig",
    "SelectConfig",
    "StageConfig",
    "parse_params",
    "read_params",
    "with_overrides",
]
