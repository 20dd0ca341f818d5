"""Images a second from files to batches, beside lightly's dataset, SimCLR transform and plain DataLoader.

    python benchmarks/data.py --setup --work /tmp/bench
    python benchmarks/data.py --work /tmp/bench --cifar cifar10/train --photos photos --json data.json

``--cifar`` is a folder of 32 x 32 JPEG files; ``--photos`` a folder of photographs of any size, of which
500 x 375 JPEG copies (quality 90, each also mirrored and cut, so that there are four times as many) are made
under ``--work``. Both sides have two workers, or, where ours needs none, two threads in one process. Each
measure runs in a process of its own; the rounds alternate between the two sides and the best of each counts,
so that a passing load hurts neither. lightly cuts its views out of the whole photograph, ours out of its
central square of 256 x 256 (as `pretrain` does).
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

HERE = Path(__file__).resolve().parent
BATCH = {"small": 256, "photos": 64}
STORES = {"jpeg": {"format": "original"}, "uint8": {"format": "uint8", "short_side": 256}}
ROWS = {
    "small": "32 px JPEG files, two views on the CPU",
    "photos": "photographs, two views at 224 on the CPU",
    "decode": "photographs, uint8 batches for a GPU",
}


def setup(work: Path) -> None:
    """Install lightly into an environment of its own."""
    folder = work / "lightly-env"
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "lightly", "torch", "torchvision"], check=True)


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


def ours(row: str, dataset: Path, num_workers: int, num_threads: int, seconds: float) -> float:
    """Return images a second of one of the rows."""
    import torch

    from sslcore.augment import build_views
    from sslcore.data import SampleDataset, image_loader

    torch.set_num_threads(2 if row != "decode" else 1)
    small = row == "small"
    samples = SampleDataset(dataset, image_size=32 if small else 256, fast=True, num_threads=num_threads)
    loader = image_loader(
        samples,
        batch_size=BATCH["small" if small else "photos"],
        shuffle=True,
        drop_last=True,
        num_workers=num_workers,
    )
    make: Callable[..., Any] = (
        (lambda images, generator: None)
        if row == "decode"
        else build_views("simclr-small" if small else "simclr", image_size=32 if small else 224)
    )
    generator = torch.Generator().manual_seed(0)
    seen, started = 0, 0.0
    for images in _epochs(loader):
        make(images, generator)
        if not started:
            started = time.perf_counter()
            continue
        seen += len(images)
        if time.perf_counter() - started > seconds:
            break
    return seen / (time.perf_counter() - started)


def _epochs(loader: Any) -> Iterator[Any]:
    epoch = 0
    while True:
        loader.sampler.set_epoch(epoch)
        for images, _ in loader:
            yield images
        epoch += 1


def _measured(command: list[Any]) -> float:
    output = subprocess.run(
        [str(each) for each in command], check=True, capture_output=True, text=True
    ).stdout
    return float(json.loads(output.splitlines()[-1])["images_per_second"])


def compare(arguments: argparse.Namespace, folders: dict[str, Path], work: Path) -> list[dict[str, Any]]:
    """Measure all rows in alternating rounds."""
    seconds = arguments.seconds
    peers, best = {}, {}
    for row in folders:
        size = 32 if row == "small" else 224
        command = [arguments.peer_python, HERE / "data_lightly.py", folders[row], "--image-size", size]
        command += ["--batch-size", BATCH[row], "--seconds", seconds]
        peers[row] = [*command, "--small"] if row == "small" else command
    ways = [
        (row, store, num_workers, num_threads)
        for row in arguments.rows.split(",")
        for store in STORES
        for num_workers, num_threads in ((2, 1), (0, 2))
    ]
    for _ in range(arguments.rounds):
        for row in {"small" if way[0] == "small" else "photos" for way in ways}:
            best[row] = max(best.get(row, 0.0), _measured(peers[row]))
        for way in ways:
            dataset = work / f"{'small' if way[0] == 'small' else 'photos'}-{way[1]}"
            flags = ["--measure", way[0], "--dataset", dataset, "--workers", way[2], "--threads", way[3]]
            rate = _measured([sys.executable, __file__, *flags, "--seconds", seconds])
            best[way] = max(best.get(way, 0.0), rate)
    return [_line(best, *way) for way in ways]


def _line(best: dict[Any, float], row: str, store: str, num_workers: int, num_threads: int) -> dict[str, Any]:
    peer = best["small" if row == "small" else "photos"]
    mine = best[row, store, num_workers, num_threads]
    return {
        "name": f"{ROWS[row]}, {'JPEG' if store == 'jpeg' else 'uint8'} store",
        "ours": round(mine, 1),
        "peer": round(peer, 1),
        "peer_name": "lightly",
        "ratio": round(mine / peer, 2),
        "unit": "images/s",
        "note": f"{num_workers} workers" if num_workers else f"{num_threads} threads, no workers",
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
    for name in ("--measure", "--dataset", "--workers", "--threads"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        how = int(arguments.workers), int(arguments.threads), arguments.seconds
        rate = ours(arguments.measure, Path(arguments.dataset), *how)
        print(json.dumps({"images_per_second": rate}))
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
    lines = compare(arguments, folders, arguments.work)
    print(f"{'':58} {'ours':>9} {'lightly':>9} {'ratio':>7}  images/s")
    for each in lines:
        row = f"{each['name']} ({each['note']})"
        print(f"{row:70} {each['ours']:>9,.0f} {each['peer']:>9,.0f} {each['ratio']:>6.1f}x")
    if arguments.json:
        arguments.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
