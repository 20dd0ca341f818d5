"""Time our vision transformer beside timm's with the same weights, and what hiding patches saves.

    python benchmarks/vit.py [--json FILE] [--threads 2] [--seconds 5]

Forward and backward in fp32 on the CPU (or in bf16 on a GPU where there is one). Both must give equal
features first. The second row of each encodes a quarter of the patches, as MAE does, beside encoding all and
choosing later. timm comes with the extra of that name.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslcore.backbones import build_backbone
from sslcore.backbones.vit import VisionTransformer
from sslcore.masks import random_masks

NETWORKS = (("vit-tiny-4", 32, 32), ("vit-small-16", 224, 8))
"""Name, side of an image, images in a batch."""


def rate(step: Callable[[], Tensor], batch: int, seconds: float, device: torch.device) -> float:
    """Return images per second: the best of three rounds after one that does not count."""
    rounds = []
    for _ in range(4):
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < seconds / 3 or done < 2:
            step().sum().backward()  # type: ignore[no-untyped-call]
            done += 1
            if device.type == "cuda":
                torch.cuda.synchronize()
        rounds.append(done * batch / (time.perf_counter() - started))
    return max(rounds[1:])


def measure(name: str, side: int, batch: int, seconds: float) -> list[dict[str, Any]]:
    """Return the rows of one network."""
    from timm.models.vision_transformer import VisionTransformer as Peer

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    ours = build_backbone(name, image_size=side, seed=0).to(device)
    assert isinstance(ours, VisionTransformer)
    peer = Peer(**ours.timm_kwargs()).to(device)
    peer.load_state_dict(ours.state_dict())
    images = torch.randn(batch, 3, side, side, device=device)
    torch.testing.assert_close(ours(images), peer(images), atol=1e-3, rtol=1e-3)
    keep = random_masks(batch, (side // ours.patch_size) ** 2, mask_ratio=0.75, device=device).keep
    places = (keep + 1)[..., None].expand(-1, -1, ours.embed_dim)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda"):
        pairs = {
            "features": (lambda: ours(images), lambda: peer(images)),
            "a quarter of the patches": (
                lambda: ours.forward_tokens(images, keep=keep),
                lambda: peer.forward_features(images).gather(1, places),
            ),
        }
        rows = []
        for what, (mine, theirs) in pairs.items():
            found = [rate(each, batch, seconds, device) for each in (mine, theirs)]
            rows.append(
                {
                    "name": f"{name} at {side}, {what}",
                    "ours": round(found[0], 1),
                    "peer": round(found[1], 1),
                    "peer_name": "timm",
                    "ratio": round(found[0] / found[1], 3),
                    "unit": "images/s, forward and backward",
                    "note": f"{device.type}, {torch.get_num_threads()} threads, batch {batch}",
                }
            )
    return rows


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    rows = [row for network in NETWORKS for row in measure(*network, seconds=given.seconds)]
    for row in rows:
        print(f"{row['name']:50} {row['ours']:10} {row['peer']:10} {row['ratio']:7}")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
