"""Networks that are kept: built by name, saved with what rebuilds them, exported as graphs."""

from sslcore.backbones.build import BACKBONES, Architecture, build_backbone
from sslcore.backbones.export import export_graph
from sslcore.backbones.feature_map import feature_map
from sslcore.backbones.files import ModelInfo, load_backbone, read_model_info, save_backbone

__all__ = [
    "BACKBONES",
    "Architecture",
    "ModelInfo",
    "build_backbone",
    "export_graph",
    "feature_map",
    "load_backbone",
    "read_model_info",
    "save_backbone",
]
