"""What grows with the number of samples, at 10^4, 10^5 and 10^6: time, memory, file sizes, DVC's own cost.

    python benchmarks/scale.py --work /tmp/scale --sizes 10000,100000 --json scale.json

A dataset of N samples is written through the library's own writer and manifest (tiny PNG files, all of the
same length, each with its own content), since making a million files first would measure the file system. Up
to ``--files`` samples, real files are ingested too: the first time, again unchanged, and with 100 more. Each
measure runs in a process of its own; memory is how much its peak (RSS) grew after the imports.
"""

import argparse
import hashlib
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

MEASURES = ("write", "open", "epoch", "order", "manifest", "ingest", "again", "add")


def png_of(number: int) -> bytes:
    """Return an 8 x 8 PNG whose pixels say the number."""
    from PIL import Image

    from sslcore.data.examine import encode_png

    digest = hashlib.sha256(str(number).encode()).digest()
    pixels = np.frombuffer(digest * 6, dtype=np.uint8).reshape(8, 8, 3)
    return encode_png(Image.fromarray(pixels))


def write(folder: Path, size: int) -> None:
    """Write a dataset of raw 8 x 8 pixels through the library."""
    from sslcore.data.encoding import StoreFormat
    from sslcore.data.manifest import (
        SCHEMA_VERSION,
        DatasetInfo,
        fingerprint,
        write_dataset_info,
        write_manifest,
    )
    from sslcore.data.splits import split_of
    from sslcore.data.store import ShardWriter

    store = StoreFormat("uint8", 256)
    (folder / "shards").mkdir(parents=True)
    writer = ShardWriter(folder / "shards", shard_bytes=64 << 20, store=store)
    places = []
    for number in range(size):
        digest = hashlib.sha256(str(number).encode()).digest()
        shard, row = writer.add(digest.hex()[:20], digest * 6, (8, 8))
        places.append((digest.hex(), shard, row))
    writer.close()
    rows = [
        _row(number, digest, str(shard.name), row, split_of(digest, val_fraction=0.1, test_fraction=0.1))
        for number, (digest, shard, row) in enumerate(places)
    ]
    write_manifest(rows, folder / "manifest.parquet")
    info = DatasetInfo(
        schema_version=SCHEMA_VERSION,
        fingerprint=fingerprint(rows),
        num_samples=size,
        num_images=size,
        num_frames=0,
        num_labelled=0,
        num_classes=0,
        classes=(),
        num_quarantined=0,
        num_ignored=0,
        num_duplicates=0,
        num_removed=0,
        splits={},
        labels_from="none",
        source="synthetic",
        store=store.described(),
    )
    write_dataset_info(info, folder / "dataset.json")


def _row(number: int, digest: str, shard: str, row: int, split: str) -> dict[str, Any]:
    from sslcore.data.manifest import MANIFEST_SCHEMA

    known: dict[str, Any] = {
        "sample_id": digest[:20],
        "filename": f"{number // 1000:05d}/{number:08d}.png",
        "source": "synthetic",
        "kind": "image",
        "sha256": digest,
        "width": 8,
        "height": 8,
        "split": split,
        "shard": shard,
        "row": row,
        "duplicates": [],
    }
    return {name: known.get(name) for name in MANIFEST_SCHEMA.names}


def imports() -> None:
    """Import what is measured, so that it is not measured."""
    import sslcore.data.ingest
    import sslcore.data.loader  # noqa: F401


def measure(name: str, work: Path, size: int) -> None:
    """Do one thing to the dataset of a size."""
    from sslcore.data import EpochSampler, SampleDataset, image_loader

    folder = work / f"{size}" / "dataset"
    if name == "write":
        write(folder, size)
    elif name == "open":
        SampleDataset(folder, image_size=8)
    elif name == "manifest":
        len(SampleDataset(folder).manifest)
    elif name == "epoch":
        loader = image_loader(SampleDataset(folder, image_size=8), batch_size=256, shuffle=True)
        assert sum(len(images) for images, _ in loader) == size
    elif name == "order":
        assert sum(1 for _ in EpochSampler(size, shuffle=True)) == size
    else:
        _ingest(name, work / f"{size}", size)


def _ingest(name: str, work: Path, size: int) -> None:
    from sslcore.config import IngestConfig
    from sslcore.data.ingest import ingest

    source = work / "source"
    config = IngestConfig(source=str(source), labels="none")
    before = {"ingest": None, "again": "ingest", "add": "again"}[name]
    (work / name).mkdir()
    ingest(
        config,
        output=work / name,
        previous=work / before if before else None,
        stat_cache=work / "digests.arrow",
    )


def make_files(source: Path, numbers: range) -> None:
    """Write PNG files, a thousand in a folder, that look an hour old."""
    import os

    then = time.time() - 3600
    for number in numbers:
        path = source / f"{number // 1000:05d}" / f"{number:08d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_of(number))
        os.utime(path, (then, then))


def measures_of(arguments: argparse.Namespace, size: int) -> Iterator[dict[str, Any]]:
    """Yield the measures of one size."""
    work = arguments.work / f"{size}"
    shutil.rmtree(work, ignore_errors=True)
    for name in MEASURES:
        if name in ("ingest", "again", "add"):
            if size > arguments.files:
                continue
            make_files(work / "source", range(size) if name == "ingest" else range(0))
            if name == "add":
                make_files(work / "source", range(size, size + 100))
        command = [sys.executable, __file__, "--work", arguments.work, "--measure", name, "--size", size]
        output = subprocess.run([str(each) for each in command], check=True, capture_output=True, text=True)
        yield {"size": size, "measure": name, **json.loads(output.stdout.splitlines()[-1])}
    for file in ("manifest.parquet", "shards"):
        path = work / "dataset" / file
        files = list(path.rglob("*")) if path.is_dir() else [path]
        num_bytes = sum(each.stat().st_size for each in files)
        yield {"size": size, "measure": f"size of {file}", "megabytes": num_bytes / 1e6, "files": len(files)}
    yield from _dvc(work, size)


def _dvc(work: Path, size: int) -> Iterator[dict[str, Any]]:
    """Time DVC on the dataset: added the first time, looked at, and with one more shard."""
    dvc = [sys.executable, "-m", "dvc"]
    for command in (["git", "init", "-q"], [*dvc, "init", "-q"]):
        subprocess.run(command, cwd=work, check=True, capture_output=True)
    steps = {
        "dvc add": ["add", "dataset"],
        "dvc status": ["status"],
        "dvc add again": ["add", "dataset"],
    }
    for name, command in steps.items():
        started = time.perf_counter()
        subprocess.run([*dvc, *command, "-q"], cwd=work, check=True, capture_output=True)
        yield {"size": size, "measure": name, "seconds": time.perf_counter() - started}


def main() -> None:
    """Parse the command line; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder; what is in it is overwritten")
    parser.add_argument("--sizes", default="10000,100000,1000000")
    parser.add_argument(
        "--files", type=int, default=100_000, help="most samples that are ingested from files"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        imports()
        used = resource.getrusage(resource.RUSAGE_SELF)
        before, peak, started = used.ru_utime + used.ru_stime, used.ru_maxrss, time.perf_counter()
        measure(arguments.measure, arguments.work, arguments.size)
        seconds = time.perf_counter() - started
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime - before
        grown = (used.ru_maxrss - peak) / 1024
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "memory_mib": grown}))
        return
    found = []
    for size in (int(each) for each in arguments.sizes.split(",")):
        for each in measures_of(arguments, size):
            found.append(each)
            shown = "  ".join(
                f"{key} {value:,.2f}" for key, value in each.items() if isinstance(value, float)
            )
            print(f"{size:>10,}  {each['measure']:22}  {shown}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
