"""What grows with the number of samples, at 10^4, 10^5 and 10^6: time, memory, file sizes, DVC's own cost.

    python benchmarks/scale.py --work /tmp/scale --sizes 10000,100000 --json scale.json

A dataset of N samples is written as an ingestion does from what it finds in files (raw pixels, each with its
own content), since making a million files first would measure the file system; "known" is an ingestion after
it of as many files that only a made-up listing has. Up to ``--files`` samples, real files are ingested too:
the first time, again unchanged, and with 100 more. Each measure runs in a process of its own; memory is how
much its peak (RSS) grew after the imports.
"""

import argparse
import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

MEASURES = ("write", "open", "epoch", "order", "manifest", "remember", "known", "ingest", "again", "add")


def png_of(number: int) -> bytes:
    """Return an 8 x 8 PNG whose pixels say the number."""
    from PIL import Image

    from sslcore.data.examine import encode_png

    digest = hashlib.sha256(str(number).encode()).digest()
    pixels = np.frombuffer(digest * 6, dtype=np.uint8).reshape(8, 8, 3)
    return encode_png(Image.fromarray(pixels))


def write(folder: Path, size: int) -> None:
    """Write a dataset of raw 8 x 8 pixels as an ingestion does, from what it finds in a file on."""
    from sslcore.data.assemble import assemble
    from sslcore.data.known import Known
    from sslcore.data.labels import LabelSource
    from sslcore.data.manifest import write_dataset_info, write_manifest
    from sslcore.data.samples import Collection
    from sslcore.data.store import ShardWriter

    (folder / "shards").mkdir(parents=True)
    config = _config("synthetic")
    store = _store()
    writer = ShardWriter(folder / "shards", shard_bytes=64 << 20, store=store)
    known = Known(None, store)
    collection = Collection(known, writer)
    spool = folder / "no-spool"
    for number in range(size):
        collection.add(_finding(number), spool)
    writer.close()
    result = assemble(
        collection,
        known=known,
        config=config,
        labels=LabelSource("none"),
        heldout=None,
        problems=[],
        num_ignored=0,
    )
    write_manifest(result.rows, folder / "manifest.parquet")
    write_manifest(result.removed, folder / "removed.parquet")
    write_dataset_info(result.info, folder / "dataset.json")


def _finding(number: int) -> Any:
    from sslcore.data.examine import Finding
    from sslcore.data.measures import Measures

    digest = hashlib.sha256(str(number).encode()).digest()
    return Finding(
        name=_name(number),
        kind="image",
        sha256=digest.hex(),
        width=8,
        height=8,
        measures=Measures(digest[8] * 1.5, digest[9] / 256, digest[10] / 512, int.from_bytes(digest[:8])),
        num_bytes=len(digest) * 6,
        data=digest * 6,
    )


def _name(number: int) -> str:
    return f"{number // 1000:05d}/{number:08d}.png"


def _store() -> Any:
    from sslcore.data.encoding import StoreFormat

    return StoreFormat("uint8", 256)


def _config(source: str) -> Any:
    from sslcore.config import IngestConfig

    return IngestConfig(source=source, labels="none", store={"format": "uint8"})


def _synthetic_listing(size: int) -> Any:
    """Return what a folder of that many files lists as."""
    from sslcore.data.listing import Listing
    from sslcore.data.source_files import SourceFilesBuilder

    files = SourceFilesBuilder()
    for number in range(size):
        status: Any = SimpleNamespace(st_size=192, st_mtime_ns=1_600_000_000 * 10**9, st_ino=number)
        files.add(_name(number), f"/synthetic/source/{_name(number)}", is_video=False, status=status)
    return Listing(files.files().sorted(), [], 0, Path("/synthetic/source"))


def remember(work: Path, size: int) -> None:
    """Write the digests that an ingestion remembers of files, for files that are not there."""
    from sslcore.data.stat_cache import StatCache

    digests = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(size))
    told = np.frombuffer(digests, np.uint8).reshape(size, 32)
    cache = StatCache(work / "synthetic.arrow", _synthetic_listing(size).files)
    cache.save(told, np.ones(size, np.bool_))


def known(work: Path, size: int) -> None:
    """Ingest the dataset again from a listing that is made up: all but what the file system takes."""
    from sslcore.data import ingest as step

    step.list_source = lambda source, root: _synthetic_listing(size)  # type: ignore[assignment]
    (work / "known").mkdir()
    step.ingest(
        _config("synthetic"),
        output=work / "known",
        previous=work / "dataset",
        stat_cache=work / "synthetic.arrow",
    )
    assert (work / "known/manifest.parquet").read_bytes() == (work / "dataset/manifest.parquet").read_bytes()


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
    elif name == "remember":
        remember(folder.parent, size)
    elif name == "known":
        known(folder.parent, size)
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
        started, before = time.perf_counter(), _children_seconds()
        subprocess.run([*dvc, *command, "-q"], cwd=work, check=True, capture_output=True)
        seconds, used = time.perf_counter() - started, _children_seconds() - before
        yield {"size": size, "measure": name, "seconds": seconds, "cpu_seconds": used}


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
