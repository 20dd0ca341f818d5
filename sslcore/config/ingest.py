"""Config of the ingest stage."""

from typing import Any, Literal

from pydantic import Field, field_validator

from sslcore.config.base import StageConfig

__all__ = ["FRAMES_PATTERN", "IngestConfig", "StoreConfig"]

FRAMES_PATTERN = r"^(all|every [1-9]\d*|fps (\d*[1-9]\d*(\.\d+)?|\d*\.\d*[1-9]\d*)|keyframes|scenes)$"


class StoreConfig(StageConfig):
    """In which form samples are stored."""

    format: Literal["original", "jpeg", "uint8"] = "original"
    """original, jpeg or uint8."""
    short_side: int = Field(default=256, ge=1)
    """Pixels that jpeg and uint8 shrink the shorter side to."""
    quality: int = Field(default=90, ge=1, le=100)
    """Of jpeg."""


class IngestConfig(StageConfig):
    """Where images come from and what becomes of them."""

    source: str = Field(min_length=1)
    """A folder, a video, a text file of paths (.txt), a remote folder (s3://bucket/prefix and what else
    fsspec knows), or torchvision:NAME?arg=value&arg=value (which downloads to .state/torchvision unless root
    says otherwise)."""
    storage_options: dict[str, Any] = {}
    """Options of a remote source's file system, such as {endpoint_url: "https://minio.lan"}. Credentials
    belong into the environment (AWS_ACCESS_KEY_ID and so on), not here."""
    labels: str = "auto"
    """Where labels come from: auto (labels.csv or labels.parquet in the source, else class folders one
    level deep, else none), none, a .csv or .parquet file inside the source with filename,label, a .json file
    of COCO, or a pattern of the path with *, **, ? and {label}, such as train/{label}/*. Labels in
    heldout.csv are hidden: only evaluate sees them."""
    metadata: str = "auto"
    """A .csv or .parquet file inside the source with filename and further columns, which are kept in
    metadata.parquet; auto takes metadata.csv or metadata.parquet if one is there, none takes none."""
    frames: str = Field(default="fps 1", pattern=FRAMES_PATTERN)
    """Which frames of a video become samples: all, every N, fps X (X frames per second), keyframes (those
    stored whole), or scenes (the first frame of each)."""
    min_side: int = Field(default=8, ge=1)
    """Images with a side shorter than this many pixels go to quarantine."""
    max_megapixels: float = Field(default=100.0, gt=0)
    """Images with more million pixels than this go to quarantine (decompression bombs)."""
    max_seconds_per_file: float = Field(default=120.0, gt=0)
    """Seconds in which a file must be read and decoded, else it goes to quarantine (decoders that hang). A
    video may take longer, as long as it goes on."""
    max_bad_fraction: float = Field(default=0.2, ge=0, le=1)
    """Stop when more than this share of the files cannot be read."""
    val_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of the samples (by hash of their content; of whole videos) in the validation split."""
    test_fraction: float = Field(default=0.1, ge=0, lt=1)
    """Share of the samples (by hash of their content; of whole videos) in the test split."""
    shard_megabytes: int = Field(default=64, ge=1)
    """A shard is closed when it has this many megabytes of encoded images."""
    store: StoreConfig = StoreConfig()
    """How samples are stored. format original: image files byte for byte, frames as PNG. For training
    speed: jpeg (encoded again at this quality) or uint8 (raw pixels, not decoded at all), both with the
    shorter side shrunk to short_side pixels. Another setting writes the dataset anew."""
    num_workers: int = Field(default=0, ge=0)
    """Processes that read and decode; 0 means one per core."""

    @field_validator("test_fraction")
    @classmethod
    def _room_for_training(cls, value: float, info: object) -> float:
        val = getattr(info, "data", {}).get("val_fraction", 0.0)
        if val + value >= 1:
            raise ValueError(f"val_fraction + test_fraction must be < 1, got {val + value:g}")
        return value
