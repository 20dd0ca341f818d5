"""Where the time of a step goes, and what pays: memory format, bf16, fused optimizer, compiling.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --device cuda --backbone resnet50 --image-size 224 --compile

A SimCLR step on images that are there already, in its parts: views, forward and backward, optimizer. Each
variant is timed in turns with the others, and the best round of each counts.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sslcore.augment import build_views
from sslcore.backbones import build_backbone
from sslcore.methods import Progress, SimCLR
from sslcore.training.finite import FiniteSteps
from sslcore.training.flops import count_flops, peak_flops
from sslcore.training.loop import Parts, train_step
from sslcore.training.optimizers import build_optimizer
from sslcore.training.precision import Precision
from sslcore.training.schedules import Schedule

VARIANTS: dict[str, dict[str, Any]] = {
    "channels_last": {},
    "contiguous": {"memory_format": torch.contiguous_format},
    "bf16": {"dtype": torch.bfloat16},
    "optimizer not fused": {"fused": False},
}


def make(given: argparse.Namespace, device: torch.device, **variant: Any) -> Callable[[list[Any]], Any]:
    """Return a function that takes a step with the views it is given."""
    torch.manual_seed(0)
    memory_format = variant.get("memory_format", torch.channels_last)
    method = SimCLR(build_backbone(given.backbone, image_size=given.image_size)).train()
    method.to(device, memory_format=memory_format)  # type: ignore[call-overload]
    if variant.get("compile"):
        method.backbone.compile()
    optimizer = build_optimizer("sgd", method, lr=0.01, weight_decay=1e-4)
    for group in optimizer.param_groups:
        group["fused"] = variant.get("fused", True)
    precision = Precision(variant.get("dtype", torch.float32), device)
    parts = Parts(method, lambda *_: [], optimizer, Schedule(optimizer), precision)
    finite = FiniteSteps(precision)

    def step(views: list[Any]) -> Any:
        moved = [view.contiguous(memory_format=memory_format) for view in views]
        return train_step(parts, [moved], Progress(0, 10, 10), finite)

    return step


def seconds(work: Callable[[], Any], device: torch.device) -> float:
    """Return how long some work takes."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    started = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    """Print a table."""
    given = arguments()
    device = torch.device(given.device)
    variants = {**VARIANTS, **({"compiled": {"compile": True}} if given.compile else {})}
    shape = (given.batch_size, 3, given.image_size * 8 // 7, given.image_size * 8 // 7)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    make_views = build_views(
        "simclr-small" if given.image_size <= 64 else "simclr", image_size=given.image_size
    )
    views = make_views(images)
    steps = {variant: make(given, device, **settings) for variant, settings in variants.items()}
    _, flops = count_flops(lambda: steps["channels_last"](views))
    for step in steps.values():
        step(views)
    best = dict.fromkeys(["views", *steps], float("inf"))
    for _ in range(given.rounds):
        best["views"] = min(best["views"], seconds(lambda: make_views(images), device))
        for variant, step in steps.items():
            best[variant] = min(best[variant], seconds(lambda step=step: step(views), device))
    peak, source = peak_flops(device, torch.float32)
    for variant, spent in best.items():
        share = "" if variant == "views" else f"  {flops / spent / peak:.2f} of the fp32 peak ({source})"
        print(
            f"{given.backbone} at {given.image_size} x {given.batch_size}: {variant:20} {spent:8.3f} s{share}"
        )
    if given.json:
        given.json.write_text(json.dumps({"flops": flops, "peak": peak, "seconds": best}, indent=2) + "\n")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="also compiled; takes minutes on a CPU")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
