"""SimCLR with ResNet-18 at 32 pixels: ours beside lightly's example, from class folders of files.

    python benchmarks/training.py --setup --work /tmp/bench
    python benchmarks/training.py --work /tmp/bench --cifar cifar10 --json training.json
    python benchmarks/training.py --work /tmp/bench --cifar cifar10 --to-accuracy --images 10000
    python benchmarks/training.py --device cuda --store data/dataset       (on a GPU; no peer)

``--cifar`` has ``train/CLASS/*`` and ``test/CLASS/*``; the first ``--images`` of train are used, equally many
of each class. Both sides train the same network at the same batch size on two cores, each in a process of its
own, in turns; the epoch that counts is the best after the first (ours decodes the images into memory once,
before the first epoch; lightly decodes them in each). ``--to-accuracy`` gives the time until kNN accuracy on
held-out images first reaches ``--target``, measuring not counted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
BACKBONES = {"documented": "resnet18", "small stem": "resnet18-small"}


def setup(work: Path) -> None:
    """Install lightly into an environment of its own."""
    folder = work / "lightly-env"
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "lightly", "torch", "torchvision"], check=True)


def make_part(cifar: Path, work: Path, num_images: int, num_held_out: int) -> Path:
    """Link the first images of each class into folders of their own: train and val."""
    part = work / f"cifar-{num_images}"
    if part.exists():
        return part
    for split, source, count in (("train", "train", num_images), ("val", "test", num_held_out)):
        classes = sorted(path for path in (cifar / source).iterdir() if path.is_dir())
        for folder in classes:
            target = part / split / folder.name
            target.mkdir(parents=True)
            for file in sorted(folder.iterdir())[: count // len(classes)]:
                shutil.copyfile(file, target / file.name)
    return part


def make_dataset(part: Path, work: Path) -> Path:
    """Ingest the part; its folders say the split (the held-out images are test images of CIFAR-10)."""
    import pandas as pd

    from sslcore.config import IngestConfig
    from sslcore.data.ingest import ingest

    output = work / f"{part.name}-dataset"
    if output.exists():
        return output
    output.mkdir()
    config = IngestConfig(source=str(part), labels="*/{label}/*", val_fraction=0, test_fraction=0)
    print(ingest(config, output=output, root=part).summary.splitlines()[0])
    path = output / "manifest.parquet"
    manifest = pd.read_parquet(path)
    manifest["split"] = manifest["filename"].str.partition("/")[0]
    manifest.to_parquet(path)
    return output


class Clock:
    """A monitor that keeps when each epoch ended, and the time that training alone took."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []
        self.spent = 0.0

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Ignore steps."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Keep an epoch."""
        seconds = values["seconds"]
        self.spent += seconds
        knn = values.get("knn_accuracy")
        self.rows.append({"epoch": step, "seconds": self.spent, "loss": values["loss"], "knn": knn or 0.0})
        print(json.dumps({**self.rows[-1], "mfu": values.get("model_flops_share")}), flush=True)


def ours(given: argparse.Namespace, dataset: Path, backbone: str, work: Path) -> None:
    """Train with the stage's own function, printing a line of JSON per epoch."""
    import torch

    from sslcore.config import PretrainConfig
    from sslcore.training import pretrain

    if given.device == "cpu":
        torch.set_num_threads(2)
    output = work / f"output-{os.getpid()}"
    output.mkdir()
    config = PretrainConfig(
        backbone=backbone,
        image_size=32,
        epochs=given.epochs,
        batch_size=given.batch_size,
        method_options={"hidden_dim": 512},
        lr=given.lr,
        optimizer=given.optimizer,
        warmup_epochs=0 if not given.to_accuracy else 2,
        device=given.device,
        eval_every_epochs=1 if given.to_accuracy else 10**6,
        eval_share=1.0,
        precision=given.precision,
    )
    pretrain(config, dataset=dataset, output=output, monitor=Clock())
    shutil.rmtree(output)


def epochs_of(command: list[Any]) -> list[dict[str, Any]]:
    """Run one side and return what it says of each epoch."""
    lines = []
    with subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("{"):
                lines.append(json.loads(line))
                print(f"{Path(str(command[1])).name}: {line}", end="", file=sys.stderr, flush=True)
    if process.returncode or not lines:
        raise SystemExit(f"{command} failed")
    return lines


def main() -> None:
    """Measure both and print a table."""
    given = arguments()
    if given.setup:
        setup(given.work)
        return
    if given.ours is not None:
        ours(given, given.store, given.ours, given.work)
        return
    if given.device == "cuda":
        on_gpu(given)
        return
    part = make_part(given.cifar, given.work, given.images, given.held_out)
    dataset = make_dataset(part, given.work)
    python = given.peer_python or given.work / "lightly-env/bin/python"
    rows = []
    for kind in given.kinds:
        mine, theirs = [], []
        for _ in range(given.rounds):
            mine.append(epochs_of(_own_command(given, dataset, BACKBONES[kind])))
            theirs.append(epochs_of(_peer_command(given, part, kind, python)))
        rows.append(_row(given, kind, mine, theirs))
        print(f"{rows[-1]['name']:60} ours {rows[-1]['ours']:9.2f}  {rows[-1]['peer_name']}", end=" ")
        print(
            f"{rows[-1]['peer']:9.2f} {rows[-1]['unit']}  ratio {rows[-1]['ratio']:.2f}  {rows[-1]['note']}"
        )
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _own_command(given: argparse.Namespace, dataset: Path, backbone: str) -> list[Any]:
    passed = ["--store", dataset, "--ours", backbone, "--epochs", given.epochs, "--work", given.work]
    passed += [
        "--batch-size",
        given.batch_size,
        "--precision",
        given.precision,
        "--optimizer",
        given.optimizer,
    ]
    passed += ["--lr", given.lr] if given.lr else []
    return [sys.executable, __file__, *passed, *(["--to-accuracy"] if given.to_accuracy else [])]


def _peer_command(given: argparse.Namespace, part: Path, kind: str, python: Path) -> list[Any]:
    passed = ["--epochs", given.epochs, "--batch-size", given.batch_size]
    passed += ["--small-stem"] if kind == "small stem" else []
    passed += ["--held-out", part / "val"] if given.to_accuracy else []
    return [python, HERE / "training_lightly.py", part / "train", *passed]


def _row(given: argparse.Namespace, kind: str, mine: Any, theirs: Any) -> dict[str, Any]:
    """Make a row: ratio above 1 means ours is better."""
    if given.to_accuracy:
        target = given.target or min(max(e["knn"] for e in run) for run in (*mine, *theirs))
        a, b = (min(_reached(run, target) for run in runs) for runs in (mine, theirs))
        name, note = f"time to kNN accuracy {target:.3f}, ResNet-18 ({kind})", f"{given.images} images"
    else:
        a, b = (min(_second_epoch(run) for run in runs) for runs in (mine, theirs))
        name = f"time for an epoch of {given.images} images, ResNet-18 ({kind})"
        note = f"batch {given.batch_size}, best of {given.rounds}"
    return {
        "name": f"SimCLR: {name}",
        "ours": a,
        "peer": b,
        "peer_name": "lightly",
        "ratio": b / a,
        "unit": "s",
        "note": note,
    }


def _second_epoch(run: list[dict[str, Any]]) -> float:
    return min(float(b["seconds"] - a["seconds"]) for a, b in zip(run, run[1:], strict=False))


def _reached(run: list[dict[str, Any]], target: float) -> float:
    return next((float(each["seconds"]) for each in run if each["knn"] >= target), float("inf"))


def on_gpu(given: argparse.Namespace) -> None:
    """Measure images a second of the whole stage, and of the same step fed from the GPU's own memory."""
    results = {}
    for name, megabytes in (("store", 0.0), ("already on the GPU", 1e9)):
        results[name] = _gpu_rate(given, megabytes)
        print(f"{given.gpu_backbone} at {given.gpu_size}, from {name}: {results[name]:.0f} images/s")
    print(f"ratio {results['store'] / results['already on the GPU']:.3f} (goal: 0.95)")


def _gpu_rate(given: argparse.Namespace, cache_megabytes: float) -> float:
    from sslcore.config import PretrainConfig
    from sslcore.training import pretrain

    output = given.work / f"output-{time.time_ns()}"
    output.mkdir(parents=True)
    config = PretrainConfig(
        backbone=given.gpu_backbone,
        image_size=given.gpu_size,
        max_steps=given.gpu_steps,
        batch_size=given.batch_size,
        device="cuda",
        cache_megabytes=cache_megabytes,
        num_workers=given.num_workers,
        eval_every_epochs=10**6,
        keep="last",
    )
    report = pretrain(config, dataset=given.store, output=output)
    shutil.rmtree(output)
    print({name: round(value, 4) for name, value in report.figures.items()})
    return float(report.figures["images_per_second"])


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setup", action="store_true", help="install the peer, and nothing else")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is made on the way")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument(
        "--peer-python", type=Path, help="a Python that has lightly; default: the one of --setup"
    )
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", choices=sorted(BACKBONES), default=sorted(BACKBONES))
    parser.add_argument("--to-accuracy", action="store_true")
    parser.add_argument("--target", type=float, help="default: the best that both reach")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--lr", type=float, default=None)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--store", type=Path, help="an ingested data set")
    parser.add_argument("--gpu-backbone", default="resnet50")
    parser.add_argument("--gpu-size", type=int, default=224)
    parser.add_argument("--gpu-steps", type=int, default=200)
    parser.add_argument("--num-workers", type=int, default=14)
    parser.add_argument("--ours", help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
