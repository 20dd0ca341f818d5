"""Sources, decoding, the Arrow store, and the datasets over it.

Names are imported when they are first used: the workers that decode import neither torch nor pyarrow.
"""

from typing import TYPE_CHECKING

from sslcore.lazy import names_from

if TYPE_CHECKING:
    from sslcore.data.collate import ViewsCollate
    from sslcore.data.dataset import SampleDataset
    from sslcore.data.dataset_source import ingest_dataset
    from sslcore.data.decode import decode_image, decode_resized
    from sslcore.data.ingest import IngestReport
    from sslcore.data.loader import ImageLoader, image_loader
    from sslcore.data.manifest import DatasetInfo, read_dataset_info, read_manifest
    from sslcore.data.media_dataset import MediaDataset
    from sslcore.data.samplers import BalancedSampler, EpochSampler, PositionedSampler

__all__ = [
    "BalancedSampler",
    "DatasetInfo",
    "EpochSampler",
    "ImageLoader",
    "IngestReport",
    "MediaDataset",
    "PositionedSampler",
    "SampleDataset",
    "ViewsCollate",
    "decode_image",
    "decode_resized",
    "image_loader",
    "ingest_dataset",
    "read_dataset_info",
    "read_manifest",
]

_MODULES = {
    "BalancedSampler": "samplers",
    "DatasetInfo": "manifest",
    "EpochSampler": "samplers",
    "ImageLoader": "loader",
    "IngestReport": "ingest",
    "MediaDataset": "media_dataset",
    "PositionedSampler": "samplers",
    "SampleDataset": "dataset",
    "ViewsCollate": "collate",
    "decode_image": "decode",
    "decode_resized": "decode",
    "image_loader": "loader",
    "ingest_dataset": "dataset_source",
    "read_dataset_info": "manifest",
    "read_manifest": "manifest",
}

__getattr__ = names_from(__name__, _MODULES)
