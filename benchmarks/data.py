"""Images a second from files to batches, beside lightly's dataset, SimCLR transform and plain DataLoader.

    python benchmarks/data.py --setup --work /tmp/bench
    python benchmarks/data.py --work /tmp/bench --cifar cifar10/train --photos photos --json data.json

``--cifar`` is a folder of 32 x 32 JPEG files; ``--photos`` a folder of photographs of any size, of which
500 x 375 JPEG copies (quality 90, each also mirrored and cut, so that there are four times as many) are made
under ``--work``. Both sides have two workers, or, where ours needs none, two threads in one process. The
rounds alternate between the two sides and the best of each counts, so that a passing load hurts neither.
lightly cuts its views out of the whole photograph, ours out of its central square of 256 x 256, as `pretrain`
does. Rates are told in images a second, and in images a second of processor time (of all processes), which
other work on the machine hardly changes.
"""

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps
from processor_time import processor_seconds

HERE = Path(__file__).resolve().parent
BATCH = {"small": 256, "photos": 64}
STORES = {"jpeg": {"format": "original"}, "uint8": {"format": "uint8", "short_side": 256}}
WAYS = {"2 workers": (2, 1), "2 threads": (0, 2), "views in 2 workers": (2, 1)}
ROWS = {
    "small": "32 px JPEG files, two views on the CPU",
    "photos": "photographs, two views at 224 on the CPU",
    "decode": "photographs, uint8 batches for a GPU",
}


def setup(work: Path) -> None:
    """Install lightly into an environment of its own."""
    folder = work / "lightly-env"
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "lightly", "psutil", "torch", "torchvision"], check=True)


def make_photos(source: Path, folder: Path) -> None:
    """Write 500 x 375 copies: as they are, mirrored, and two cuts."""
    folder.mkdir(parents=True)
    files = sorted(path for path in source.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for number, path in enumerate(files):
        image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
        width, height = image.size
        cuts = (image.crop((0, 0, width, height * 9 // 10)), image.crop((width // 10, 0, width, height)))
        for part, each in enumerate((image, ImageOps.mirror(image), *cuts)):
            small = each.resize((500, 375), Image.Resampling.LANCZOS)
            small.save(folder / f"{number:05d}-{part}.jpg", quality=90)


def make_store(source: Path, output: Path, store: str) -> None:
    """Ingest a folder."""
    from sslcore.config import IngestConfig
    from sslcore.data.ingest import ingest

    output.mkdir(parents=True)
    config = IngestConfig(
        source=str(source.resolve()), labels="none", store=STORES[store], val_fraction=0, test_fraction=0
    )
    started = time.perf_counter()
    print(ingest(config, output=output).summary.splitlines()[0], end=", ")
    print(f"{time.perf_counter() - started:.1f} s for {output.name}")


def ours(row: str, dataset: Path, way: str, seconds: float) -> list[float]:
    """Return images a second, and a second of processor time, of one of the rows."""
    import torch

    from sslcore.augment import build_views
    from sslcore.data import SampleDataset, image_loader

    torch.set_num_threads(2)
    num_workers, num_threads = WAYS[way]
    small = row == "small"
    samples = SampleDataset(dataset, image_size=32 if small else 256, fast=True, num_threads=num_threads)
    size = BATCH["small" if small else "photos"]
    make: Callable[..., Any] = (
        (lambda images, generator: images)
        if row == "decode"
        else build_views("simclr-small" if small else "simclr", image_size=32 if small else 224)
    )
    generator = torch.Generator().manual_seed(0)
    if way == "views in 2 workers":
        batches = _views_of_workers(samples, size, make)
    else:
        loader = image_loader(samples, batch_size=size, shuffle=True, drop_last=True, num_workers=num_workers)
        batches = (make(images, generator) for images in _epochs(loader))
    seen, started, before = 0, 0.0, 0.0
    for _ in batches:
        if not started:
            started, before = time.perf_counter(), processor_seconds()
            continue
        seen += size
        passed = time.perf_counter() - started
        if passed > seconds:
            return [seen / passed, seen / (processor_seconds() - before)]
    raise AssertionError("epochs do not end")


def _views_of_workers(samples: Any, batch_size: int, make: Callable[..., Any]) -> Iterator[Any]:
    """Yield views that the workers of a plain DataLoader make of whole batches, each in one thread."""
    import torch
    from torch.utils.data import DataLoader

    loader: DataLoader[Any] = DataLoader(
        samples,
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        collate_fn=lambda items: list(make(torch.stack([image for image, _ in items]), None)),
    )
    while True:
        yield from loader


def _epochs(loader: Any) -> Iterator[Any]:
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        for images, _ in loader:
            yield images
        epoch += 1


def _run(command: list[Any]) -> Any:
    """Run a process and return the JSON that it prints last."""
    output = subprocess.run(
        [str(each) for each in command], check=True, capture_output=True, text=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def compare(arguments: argparse.Namespace, row: str, folder: Path, work: Path) -> list[dict[str, Any]]:
    """Measure a row in alternating rounds."""
    kind = "small" if row == "small" else "photos"
    peer = [arguments.peer_python, HERE / "data_lightly.py", folder, "--batch-size", BATCH[kind]]
    peer += ["--image-size", 32 if kind == "small" else 224, "--seconds", arguments.seconds]
    mine = [sys.executable, __file__, "--measure", row, "--work", work, "--seconds", arguments.seconds]
    best: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        found = _run([*peer, "--small"] if kind == "small" else peer)
        found |= _run(mine)
        for name, rates in found.items():
            best[name] = [max(pair) for pair in zip(rates, best.get(name, rates), strict=True)]
    theirs = best.pop("lightly")
    return [_line(row, name, rate, theirs) for name, rate in best.items()]


def _line(row: str, way: str, mine: list[float], peer: list[float]) -> dict[str, Any]:
    store, _, note = way.partition(", ")
    return {
        "name": f"{ROWS[row]}, {store} store",
        "ours": round(mine[0], 1),
        "peer": round(peer[0], 1),
        "peer_name": "lightly",
        "ratio": round(mine[0] / peer[0], 2),
        "unit": "images/s",
        "note": f"{note}; a second of processor time {mine[1]:.0f}, lightly {peer[1]:.0f}",
    }


def main() -> None:
    """Parse the command line; print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="install the peer, then end")
    parser.add_argument("--work", type=Path, help="folder for the peer, the photographs and the stores")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--rows", default="small,photos,decode")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measure")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--peer-python", type=Path, help="python that has lightly; by default that of --setup"
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind = "small" if arguments.measure == "small" else "photos"
        print(
            json.dumps(
                {
                    f"{store}, {way}": ours(
                        arguments.measure, arguments.work / f"{kind}-{store}", way, arguments.seconds
                    )
                    for store in STORES
                    for way in WAYS
                    if arguments.measure != "decode" or way != "views in 2 workers"
                }
            )
        )
        return
    if arguments.setup:
        setup(arguments.work)
        return
    arguments.peer_python = arguments.peer_python or arguments.work / "lightly-env/bin/python"
    folders = {"small": arguments.cifar, "photos": arguments.work / "photos-500x375"}
    if "small" not in arguments.rows:
        del folders["small"]
    if not folders["photos"].exists():
        make_photos(arguments.photos, folders["photos"])
    for name, folder in folders.items():
        for store in STORES:
            if not (arguments.work / f"{name}-{store}" / "dataset.json").exists():
                make_store(folder, arguments.work / f"{name}-{store}", store)
    lines: list[dict[str, Any]] = []
    for row in arguments.rows.split(","):
        folder = folders["small" if row == "small" else "photos"]
        lines += compare(arguments, row, folder, arguments.work)
        for each in (line for line in lines if line["name"].startswith(ROWS[row])):
            rates = f"{each['ours']:>9,.0f} {each['peer']:>9,.0f} {each['ratio']:>6.1f}x"
            print(f"{each['name']:60} {rates}  {each['note']}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
