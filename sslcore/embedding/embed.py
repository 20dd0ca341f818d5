"""The embed step: a vector for every sample, written in parts, and only new samples computed."""

import shutil
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sslcore.config import EmbedConfig
from sslcore.embedding.in_processes import write_in_processes
from sslcore.embedding.other_formats import write_csv, write_npy
from sslcore.embedding.parts import PartWriter, Task
from sslcore.monitor import SILENT, Monitor

__all__ = ["EmbedReport", "embed"]


@dataclass(frozen=True)
class EmbedReport:
    """What was embedded."""

    summary: str
    """A line for a person."""
    figures: dict[str, float]
    """num_samples, num_new, num_reused, embed_dim, and images_per_second when there were new ones."""
    model_id: str
    """Version of the model."""


def embed(
    config: EmbedConfig,
    *,
    dataset: Path,
    backbone: Path,
    output: Path,
    previous: Path | None = None,
    work: Path | None = None,
    monitor: Monitor = SILENT,
) -> EmbedReport:
    """Write a vector for every sample of a data set to ``output/part-*.parquet``.

    Vectors of the same model, type and normalization are taken over from ``previous``, with names and
    labels as the data set has them now. Memory does not grow with the data set, but for its ids.

    Args:
        config: How.
        dataset: The data set's folder.
        backbone: The folder of the trained network.
        output: An empty folder.
        previous: Embeddings of an earlier run.
        work: Folder for all files until they are there, on the same disk as ``output``; what killed runs
            left in it is taken over. None keeps nothing of a killed run.
        monitor: Told after each batch of samples.

    Raises:
        ConfigError: If the network has no such features as are asked for.
        UserError: If the network's features are not finite, ``embed.dtype`` cannot hold them, or a folder
            is not what it should be.
    """
    started = time.perf_counter()
    left = [] if work is None else _left_in(work)
    place = output if work is None else _make_place(work, left)
    writer = PartWriter(Task(config, dataset, backbone, place, (previous, *left)))
    for path in writer.earlier.superseded(left):
        path.unlink()
    num_new = _write_all(writer, monitor)
    for name in config.formats:
        {"csv": write_csv, "npy": write_npy}[name](place)
    if work is not None:
        _move_all(place, output)
        shutil.rmtree(work)
    return _report(writer, num_new, time.perf_counter() - started)


def _write_all(writer: PartWriter, monitor: Monitor) -> int:
    """Write all parts, here or in several processes; return how many vectors were computed."""
    config = writer.task.config
    if config.num_processes == 1 or writer.num_parts == 1:
        return sum(writer.write(part, monitor) for part in range(writer.num_parts))
    num_new = 0
    parts = range(writer.num_parts)
    with closing(write_in_processes(writer.task, parts, num_processes=config.num_processes)) as done:
        for count, (_, computed) in enumerate(done, 1):
            num_new += computed
            monitor.progress(min(count * config.rows_per_file, writer.total), writer.total, "samples")
    return num_new


def _left_in(work: Path) -> list[Path]:
    """Return the folders of killed runs, the last one last."""
    return sorted(work.glob("run-*"))


def _make_place(work: Path, left: Sequence[Path]) -> Path:
    """Make the folder of this run: no process that an earlier one left behind writes to it."""
    number = int(left[-1].name.removeprefix("run-")) + 1 if left else 0
    place = work / f"run-{number:05d}"
    place.mkdir(parents=True)
    return place


def _move_all(place: Path, output: Path) -> None:
    for path in sorted(place.iterdir()):  # parts last
        path.rename(output / path.name)


def _report(writer: PartWriter, num_new: int, seconds: float) -> EmbedReport:
    info, dim, total = writer.info, writer.dim, writer.total
    figures = {
        "num_samples": float(total),
        "num_new": float(num_new),
        "num_reused": float(total - num_new),
        "embed_dim": float(dim),
    }
    summary = f"nothing new for model {info.model_id}"
    if num_new:
        figures["images_per_second"] = round(num_new / max(seconds, 1e-9), 1)
        summary = f"{num_new} samples embedded in {dim} dimensions by model {info.model_id}"
    if num_new < total:
        summary += f"; {total - num_new} vectors taken over from before"
    return EmbedReport(summary=summary, figures=figures, model_id=info.model_id)
