"""What a training step needs of a device at least: FLOP and bytes of memory traffic per image.

    python benchmarks/roofline.py

Operations are counted by torch on shapes alone (the meta device), forward and backward, for SimCLR with two
views of each image. Bytes are those of activations in 16 bit, every layer by itself: a forward pass reads
its input and writes its output; a backward pass reads the gradient of its output and its saved input and
writes the gradient of its input. A compiler that fuses layers moves less. Weights and optimizer state are
per step and not per image: they are left out. The table of devices holds published peaks; nothing here is
measured.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sslcore.backbones import build_backbone
from sslcore.training.flops import PUBLISHED, count_flops

VIEWS = 2
BANDWIDTH = {"H100": 3.35e12, "H200": 4.8e12}
"""Of HBM, bytes/s: https://www.nvidia.com/en-us/data-center/h100/ (SXM) and .../h200/."""
NETWORKS = (("resnet18", 32), ("resnet18-small", 32), ("resnet50", 224), ("vit_b_16", 224))


@dataclass(frozen=True)
class Need:
    """Of one image: two views, forward and backward."""

    flops: float
    bytes: float


def need(name: str, image_size: int) -> Need:
    """Count what a network needs."""
    with torch.device("meta"):
        network = build_backbone(name, image_size=image_size)
        images = torch.zeros(2, 3, image_size, image_size)
    moved = [0.0]
    hooks = [
        each.register_forward_hook(
            lambda _, inputs, output: moved.__setitem__(0, moved[0] + _bytes(inputs, output))
        )
        for each in network.modules()
        if not list(each.children()) and not isinstance(each, nn.Identity)
    ]

    def step() -> None:
        network.train()(images).sum().backward()

    _, flops = count_flops(step)
    for hook in hooks:
        hook.remove()
    return Need(flops / 2 * VIEWS, moved[0] / 2 * VIEWS)


def _bytes(inputs: tuple[object, ...], output: object) -> float:
    into = sum(each.numel() for each in inputs if isinstance(each, Tensor))
    out = output.numel() if isinstance(output, Tensor) else 0
    forward, backward = into + out, out + into + into
    return 2.0 * (forward + backward)


def main() -> None:
    """Print the table, as Markdown."""
    heads = [f"{device}: images/s, bound" for device in BANDWIDTH]
    print("| network | GFLOP per image | MB per image | FLOP per byte |", *(f"{head} |" for head in heads))
    print("|---|---|---|---|" + "---|" * len(heads))
    for name, size in NETWORKS:
        each = need(name, size)
        cells = []
        for device, bandwidth in BANDWIDTH.items():
            compute, memory = PUBLISHED[device][0] / each.flops, bandwidth / each.bytes
            bound = "arithmetic" if compute < memory else "memory"
            cells.append(f"{min(compute, memory):,.0f}, {bound}")
        figures = f"{each.flops / 1e9:.2f} | {each.bytes / 1e6:.1f} | {each.flops / each.bytes:.0f}"
        print(f"| {name} at {size} | {figures} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
