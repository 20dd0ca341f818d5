"""Every method for the same short run on a part of CIFAR-10; or the ready-made configs in full, on a GPU.

    python benchmarks/methods_cifar10.py --cifar cifar10 --json methods.json --docs docs/methods.md
    python benchmarks/methods_cifar10.py --cifar cifar10 --methods simclr,byol --json methods.json
    python benchmarks/methods_cifar10.py --cifar cifar10 --published --device cuda --epochs 200 --seeds 3 \
        --methods simclr,byol,dino,barlowtwins,vicreg --json published.json

``--cifar`` has ``train/CLASS/*`` and ``test/CLASS/*``. The short run trains on the first 5,000 training
images, equally many of each class, with one small backbone for all methods that take any (and one small
vision transformer for those that need patch tokens), AdamW and the same number of epochs, and asks kNN on
2,000 test images before and after. It compares no recipes: heads are narrow and six epochs are few; it
shows which methods learn, and how fast they begin to. ``--published`` takes all images, and backbone,
views, optimizer and options from configs/cifar10/NAME.yaml. Accuracy is that of the last epoch, never of
the best. Seconds are of processor time on a CPU (others may run beside it), else of the clock. ``--json``
is added to, so that methods can be run one at a time; ``--docs`` writes its rows into the page.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from sslcore.augment import IMAGENET, build_views, normalize
from sslcore.backbones import build_backbone
from sslcore.backbones.vit import VisionTransformer
from sslcore.config.params import read_params
from sslcore.data import MediaDataset
from sslcore.evaluation.knn import knn_accuracy
from sslcore.methods import METHODS, Method, Progress, method_class
from sslcore.training.optimizers import build_optimizer
from sslcore.training.schedules import cosine_with_warmup

IMAGE_SIZE = 32
WIDEST = 512
SMALLER: Mapping[str, Any] = {
    "momentum": 0.98,
    "queue_size": 1024,
    "num_prototypes": 128,
    "num_groups": 100,
    "regroup_steps": 100,
    "queue_start_epoch": 2,
    "frozen_prototype_epochs": 0.2,
    "freeze_last_layer_epochs": 0.2,
    "decoder_dim": 128,
    "decoder_depth": 2,
    "predictor_dim": 96,
    "predictor_depth": 2,
    "drop_path": 0.0,
}
"""Settings of any method that has them, in the short run, which would not reach what the defaults are for."""
MARKS = ("<!-- measured: start -->", "<!-- measured: end -->")
PUBLISHED = {
    "simclr": 0.847,
    "dcl": 0.844,
    "dclw": 0.833,
    "mocov2": 0.838,
    "nnclr": 0.834,
    "byol": 0.869,
    "simsiam": 0.819,
    "fastsiam": 0.906,
    "barlowtwins": 0.842,
    "swav": 0.812,
    "smog": 0.743,
    "dino": 0.840,
}
"""lightly's table: ResNet-18, batches of 128, 200 epochs, the best epoch on the test images, one seed."""


class SmallResNet(nn.Module):
    """Three residual blocks, 0.7 million weights: what two CPU cores train in a minute."""

    embed_dim = 128

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU())
        blocks = [BasicBlock(32, 32)]
        for before, after in ((32, 64), (64, 128)):
            shortcut = nn.Sequential(nn.Conv2d(before, after, 1, 2, bias=False), nn.BatchNorm2d(after))
            blocks.append(BasicBlock(before, after, 2, shortcut))
        self.blocks = nn.Sequential(*blocks)

    def feature_map(self, images: Tensor) -> Tensor:
        """Return features [B, 128, h, w]."""
        return cast(Tensor, self.blocks(self.stem(images)))

    def forward(self, images: Tensor) -> Tensor:
        """Return their mean over places, [B, 128]."""
        return self.feature_map(images).mean((2, 3))


def load_images(folder: Path, count: int | None) -> tuple[Tensor, Tensor]:
    """Decode the first images of each class, ``count`` in all, into uint8 [N, 3, 32, 32] and labels [N]."""
    samples = MediaDataset(folder, image_size=IMAGE_SIZE)
    wanted, taken, rows = (count or len(samples)) // len(samples.classes), dict[int, int](), []
    for row, label in enumerate(samples.labels):
        if taken.get(label, 0) < wanted:
            taken[label] = taken.get(label, 0) + 1
            rows.append(row)
    read = [samples[row] for row in rows]
    return torch.stack([image for image, _, _ in read]), torch.tensor([label for _, label, _ in read])


@torch.no_grad()
def features_of(backbone: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """Return features of plain images by the backbone in evaluation mode."""
    training = backbone.training
    backbone.eval()
    parts = [backbone(normalize(part.to(device), IMAGENET)).float().cpu() for part in images.split(500)]
    backbone.train(training)
    return torch.cat(parts)


def short_settings(name: str) -> dict[str, Any]:
    """Return what a method is built and trained with in the short run."""
    fields = method_class(name).Options.model_fields
    wide = {
        key: WIDEST for key, each in fields.items() if type(each.default) is int and each.default > WIDEST
    }
    smaller = {key: value for key, value in SMALLER.items() if key in fields}
    return {
        "options": {**wide, **smaller},
        "views": method_class(name).default_views(IMAGE_SIZE),
        "view_options": {},
        "backbone": None,
        "batch_size": 128,
        "optimizer": "adamw",
        "lr": 1e-3,
        "weight_decay": 1e-4,
    }


def published_settings(name: str) -> dict[str, Any]:
    """Return what configs/cifar10/NAME.yaml says."""
    path = Path(__file__).resolve().parents[1] / "configs" / "cifar10" / f"{name}.yaml"
    config = read_params(path).pretrain
    cls = method_class(name)
    assert isinstance(config.batch_size, int)
    optimizer = cls.default_optimizer if config.optimizer == "auto" else config.optimizer
    decay = cls.default_weight_decay if config.weight_decay is None else config.weight_decay
    return {
        "options": config.method_options,
        "views": cls.default_views(config.image_size) if config.views == "auto" else config.views,
        "view_options": config.view_options,
        "backbone": config.backbone,
        "batch_size": config.batch_size,
        "optimizer": optimizer,
        "lr": config.lr or cls.default_lr(optimizer, config.batch_size),
        "weight_decay": decay,
    }


def build(name: str, settings: Mapping[str, Any], seed: int) -> Method:
    """Build a method with its backbone, all chance from the seed."""
    torch.manual_seed(seed)
    cls = method_class(name)
    if settings["backbone"] is not None:
        backbone: nn.Module = build_backbone(settings["backbone"], image_size=IMAGE_SIZE, seed=seed)
    elif cls.needs_tokens:
        backbone = VisionTransformer(image_size=IMAGE_SIZE, patch_size=4, embed_dim=96, depth=4, num_heads=3)
    else:
        backbone = SmallResNet()
    return cast(Any, cls)(backbone, cls.Options(**settings["options"]))


def train(
    method: Method,
    images: Tensor,
    settings: Mapping[str, Any],
    *,
    epochs: int,
    seed: int,
    device: torch.device,
) -> float:
    """Train with all hooks; return the mean loss of the last epoch."""
    views = build_views(settings["views"], image_size=IMAGE_SIZE, **settings["view_options"])
    optimizer = build_optimizer(
        settings["optimizer"], method, lr=settings["lr"], weight_decay=settings["weight_decay"]
    )
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    generator = torch.Generator(device).manual_seed(seed)
    size = settings["batch_size"]
    per_epoch = len(images) // size
    total = epochs * per_epoch
    for step in range(total):
        if step % per_epoch == 0:
            order, losses = torch.randperm(len(images), generator=generator, device=device), []
        progress = Progress(step, total, per_epoch)
        share = cosine_with_warmup(step, total_steps=total, warmup_steps=total // 20)
        for group, decay in zip(optimizer.param_groups, decays, strict=True):
            group["lr"] = settings["lr"] * share
            group["weight_decay"] = decay * method.weight_decay_factor(progress)
        method.before_step(progress)
        start = step % per_epoch * size
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
            loss = method(views(images[order[start : start + size]], generator))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        method.after_backward(progress)
        optimizer.step()
        method.after_step(progress)
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def measure(name: str, data: Sequence[Tensor], arguments: argparse.Namespace) -> dict[str, Any]:
    """Train one method with each seed; return a row."""
    device = torch.device(arguments.device)
    settings = published_settings(name) if arguments.published else short_settings(name)
    images, labels, held_out, held_out_labels = data
    before, after, seconds, losses = [], [], [], []
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    for seed in range(arguments.seeds):
        method = build(name, settings, seed).to(device)

        def knn(backbone: nn.Module) -> float:
            bank, queries = (features_of(backbone, each, device) for each in (images, held_out))
            k = 200 if arguments.published else 20
            return knn_accuracy(bank, labels, queries, held_out_labels, num_classes=10, k=k)

        before.append(knn(method.kept_backbone))
        started = clock()
        losses.append(
            train(method, images.to(device), settings, epochs=arguments.epochs, seed=seed, device=device)
        )
        seconds.append(clock() - started)
        after.append(knn(method.kept_backbone))
        print(
            f"{name} seed {seed}: kNN {before[-1]:.3f} -> {after[-1]:.3f} in {seconds[-1]:.0f} s", flush=True
        )
    row = {
        "name": name,
        "ours": round(statistics.mean(after), 4),
        "peer": PUBLISHED.get(name) if arguments.published else round(statistics.mean(before), 4),
        "peer_name": "lightly, published" if arguments.published else "random weights",
        "unit": "kNN accuracy",
        "note": f"{arguments.epochs} epochs of {len(images)} images, loss {statistics.mean(losses):.4g}",
        "seconds": round(statistics.mean(seconds), 1),
        "backbone": settings["backbone"] or ("ViT 4/96" if method_class(name).needs_tokens else "ResNet"),
        "spread": round(max(after) - min(after), 4),
    }
    return {**row, "ratio": round(row["ours"] / row["peer"], 4) if row["peer"] else None}


def write_docs(rows: Sequence[Mapping[str, Any]], page: Path) -> None:
    """Put the table between the marks of the page."""
    lines = ["| method | backbone | kNN before | kNN after | gain | seconds |", "|---|---|---|---|---|---|"]
    for row in sorted(rows, key=lambda row: list(METHODS).index(row["name"])):
        gain = row["ours"] - row["peer"]
        lines.append(
            f"| `{row['name']}` | {row['backbone']} | {row['peer']:.3f} | {row['ours']:.3f} | "
            f"{gain:+.3f} | {row['seconds']:.0f} |"
        )
    text = page.read_text(encoding="utf-8")
    head, _, rest = text.partition(MARKS[0])
    _, _, tail = rest.partition(MARKS[1])
    page.write_text(f"{head}{MARKS[0]}\n" + "\n".join(lines) + f"\n{MARKS[1]}{tail}", encoding="utf-8")


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--published", action="store_true", help="run configs/cifar10 on all images")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--docs", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows: dict[str, Any] = {}
    if arguments.json and arguments.json.exists():
        rows = {row["name"]: row for row in json.loads(arguments.json.read_text())}
    if arguments.cifar:
        sizes = (None, None) if arguments.published else (5000, 2000)
        data = (
            *load_images(arguments.cifar / "train", sizes[0]),
            *load_images(arguments.cifar / "test", sizes[1]),
        )
        for name in arguments.methods.split(","):
            rows[name] = measure(name, data, arguments)
            if arguments.json:
                part = arguments.json.with_suffix(".part")
                part.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
                os.replace(part, arguments.json)
    if arguments.docs:
        write_docs(list(rows.values()), arguments.docs)


if __name__ == "__main__":
    main()
