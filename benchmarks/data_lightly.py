"""Images a second of lightly's dataset, SimCLR transform and a plain DataLoader; data.py runs it."""

import argparse
import json
import time
import warnings
from pathlib import Path

import torch
from lightly.data import LightlyDataset
from lightly.transforms import SimCLRTransform
from torch.utils.data import DataLoader

warnings.filterwarnings("ignore")


def main() -> None:
    """Print {"images_per_second": x} for a folder of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--image-size", type=int, required=True)
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--small", action="store_true", help="CIFAR's settings: jitter 0.5, no blur")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    options = {"cj_strength": 0.5, "gaussian_blur": 0.0} if arguments.small else {}
    transform = SimCLRTransform(input_size=arguments.image_size, **options)
    dataset = LightlyDataset(str(arguments.folder), transform=transform)
    loader = DataLoader(
        dataset,
        batch_size=arguments.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
    )
    seen, started = 0, 0.0
    while True:
        for views, _, _ in loader:
            if not started:  # the first batch waits for the workers to start
                started = time.perf_counter()
                continue
            seen += len(views[0])
            if time.perf_counter() - started > arguments.seconds:
                print(json.dumps({"images_per_second": seen / (time.perf_counter() - started)}))
                return


if __name__ == "__main__":
    main()
