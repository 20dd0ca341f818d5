"""Views a second on the CPU, beside lightly's SimCLRTransform and torchvision's v2, one image at a time.

    python benchmarks/views.py --setup --work /tmp/bench
    python benchmarks/views.py --work /tmp/bench --json views.json

All have the same images in memory, decoded (uint8; PIL for lightly, which takes that), and make two views of
each with the same settings. Each measure runs in a process of its own with one thread and counts images per
second of processor time, so that other load on the machine counts for little; the rounds alternate and the
best counts. The last figure is ours with ``--threads`` threads, per second on the clock.
"""

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {32: (36, 512), 224: (256, 32)}
"""For each size of a view: the side of the images, and how many."""
JITTER = {32: 0.5, 224: 1.0}
BLUR = {32: 0.0, 224: 0.5}
PEERS = ("torchvision", "lightly")


def setup(work: Path) -> None:
    """Install lightly into an environment of its own."""
    folder = work / "views-env"
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin/pip", "install", "lightly", "torch", "torchvision"], check=True)


def pictures(size: int) -> Any:
    """Return the images, uint8 [N, 3, side, side]: smooth, since noise is no picture."""
    import torch
    from torch.nn.functional import interpolate

    side, number = SIZES[size]
    coarse = torch.rand(number, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return (interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)


def make_ours(size: int) -> Callable[[], Any]:
    """Return a function that makes all views of all images."""
    import torch

    from sslcore.augment import build_views

    name = "simclr-small" if size == 32 else "simclr"
    views, images = build_views(name, image_size=size), pictures(size)
    generator = torch.Generator().manual_seed(0)
    return lambda: views(images, generator)


def make_torchvision(size: int) -> Callable[[], Any]:
    """Return the same with torchvision's v2 on uint8 tensors."""
    import torch
    from torchvision.transforms import v2

    strength = JITTER[size]
    jitter = v2.ColorJitter(0.8 * strength, 0.8 * strength, 0.8 * strength, 0.2 * strength)
    steps = [
        v2.RandomResizedCrop(size, scale=(0.08, 1.0), antialias=True),
        v2.RandomHorizontalFlip(),
        v2.RandomApply([jitter], p=0.8),
        v2.RandomGrayscale(0.2),
    ]
    if BLUR[size]:
        steps.append(v2.RandomApply([v2.GaussianBlur(23, (0.1, 2.0))], p=BLUR[size]))
    steps += [
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
    transform, images = v2.Compose(steps), pictures(size)
    return lambda: [[transform(image), transform(image)] for image in images]


def make_lightly(size: int) -> Callable[[], Any]:
    """Return the same with lightly's transform on PIL images."""
    from lightly.transforms import SimCLRTransform
    from PIL import Image

    transform = SimCLRTransform(input_size=size, cj_strength=JITTER[size], gaussian_blur=BLUR[size])
    images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in pictures(size)]
    return lambda: [transform(image) for image in images]


def measure(side: str, size: int, threads: int, seconds: float) -> tuple[float, float]:
    """Return images per second of processor time, and per second on the clock."""
    import torch

    torch.set_num_threads(threads)
    make = {"ours": make_ours, "torchvision": make_torchvision, "lightly": make_lightly}[side](size)
    make()
    best_cpu = best_clock = 0.0
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop or best_cpu == 0:
        cpu, clock = time.process_time(), time.perf_counter()
        make()
        best_cpu = max(best_cpu, SIZES[size][1] / (time.process_time() - cpu))
        best_clock = max(best_clock, SIZES[size][1] / (time.perf_counter() - clock))
    return best_cpu, best_clock


def in_process(python: Path, side: str, size: int, threads: int, seconds: float) -> tuple[float, float]:
    """Measure in a process of its own, perhaps of another environment."""
    command = [str(python), __file__, "--measure", side, "--size", str(size), "--threads", str(threads)]
    done = subprocess.run([*command, "--seconds", str(seconds)], capture_output=True, text=True, check=True)
    cpu, clock = json.loads(done.stdout.splitlines()[-1])
    return float(cpu), float(clock)


def compare(arguments: argparse.Namespace) -> list[dict[str, object]]:
    """Measure all sides in turn, and print a table."""
    pythons = {"ours": Path(sys.executable), "torchvision": Path(sys.executable)}
    peer = arguments.peer_python or arguments.work / "views-env" / "bin" / "python"
    if peer.exists():
        pythons["lightly"] = peer
    rows: list[dict[str, object]] = []
    for size in SIZES:
        best = dict.fromkeys(pythons, 0.0)
        clock = 0.0
        for _ in range(arguments.rounds):
            for side, python in pythons.items():
                best[side] = max(best[side], in_process(python, side, size, 1, arguments.seconds)[0])
            here = Path(sys.executable)
            clock = max(clock, in_process(here, "ours", size, arguments.threads, arguments.seconds)[1])
        print(
            f"two SimCLR views at {size}: ours {best['ours']:.0f} images/s a core, "
            f"{clock:.0f} with {arguments.threads} threads"
        )
        for name in [each for each in PEERS if each in best]:
            ratio = best["ours"] / best[name]
            print(f"    {name:12} {best[name]:8.0f} images/s a core; ours is {ratio:.1f} times as fast")
            rows.append(
                {
                    "name": f"views-simclr-{size}",
                    "ours": best["ours"],
                    "peer": best[name],
                    "peer_name": name,
                    "ratio": ratio,
                    "unit": "images/s per core",
                    "note": f"{clock:.0f} with {arguments.threads} threads",
                }
            )
    return rows


def main() -> None:
    """Parse the command line and do it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setup", action="store_true", help="install the peer")
    parser.add_argument("--work", type=Path, default=Path("views-bench"), help="folder for the peer")
    parser.add_argument("--peer-python", type=Path, help="an environment that has lightly already")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measure")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path, help="also write the rows here")
    parser.add_argument("--measure", choices=("ours", *PEERS), help=argparse.SUPPRESS)
    parser.add_argument("--size", type=int, choices=tuple(SIZES), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.setup:
        setup(arguments.work)
    elif arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.size, arguments.threads, arguments.seconds)))
    else:
        rows = compare(arguments)
        if arguments.json:
            arguments.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
