"""lightly's SimCLR example as its documentation shows it, on a folder of images; training.py runs it.

https://docs.lightly.ai/self-supervised-learning/examples/simclr.html: LightlyDataset, SimCLRTransform,
DataLoader, SimCLRProjectionHead, NTXentLoss, SGD with lr 0.06, in a plain loop. ``--small-stem`` puts the
3x3 stem for small images into the same ResNet-18.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import torch
import torchvision
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform
from torch import Tensor, nn
from torch.utils.data import DataLoader

warnings.filterwarnings("ignore")


class SimCLR(nn.Module):
    """As in the example."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.projection_head = SimCLRProjectionHead(512, 512, 128)

    def forward(self, x: Tensor) -> Tensor:
        """Project a batch."""
        return self.projection_head(self.backbone(x).flatten(start_dim=1))


def resnet18(small_stem: bool) -> nn.Module:
    """Build the example's backbone."""
    resnet = torchvision.models.resnet18()
    if small_stem:
        resnet.conv1 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
        resnet.maxpool = nn.Identity()
    return nn.Sequential(*list(resnet.children())[:-1])


def main() -> None:
    """Print a line of JSON per epoch: {"epoch", "seconds", "knn"}; seconds are of training alone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="class folders: images to train on")
    parser.add_argument("--held-out", type=Path, help="class folders: images whose kNN accuracy is taken")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--small-stem", action="store_true")
    parser.add_argument("--limit-seconds", type=float, default=float("inf"))
    given = parser.parse_args()
    torch.manual_seed(0)
    model = SimCLR(resnet18(given.small_stem)).to(given.device)
    dataset = LightlyDataset(str(given.folder), transform=SimCLRTransform(input_size=32, gaussian_blur=0.0))
    loader = DataLoader(dataset, batch_size=given.batch_size, shuffle=True, drop_last=True, num_workers=2)
    criterion = NTXentLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.06)
    spent = 0.0
    for epoch in range(1, given.epochs + 1):
        started = time.perf_counter()
        total = 0.0
        for views, _, _ in loader:
            x0, x1 = (view.to(given.device) for view in views[:2])
            loss = criterion(model(x0), model(x1))
            total += float(loss.detach())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        spent += time.perf_counter() - started
        knn = accuracy(model.backbone, given) if given.held_out else None
        line = {"epoch": epoch, "seconds": spent, "loss": total / len(loader), "knn": knn}
        print(json.dumps(line), flush=True)
        if spent > given.limit_seconds:
            break


@torch.no_grad()
def accuracy(backbone: nn.Module, given: argparse.Namespace) -> float:
    """Return the share of held-out images whose 20 nearest training images vote for their class."""
    backbone.eval()
    found = []
    for folder in (given.folder, given.held_out):
        scale = torchvision.transforms.Compose(
            [
                torchvision.transforms.ToTensor(),
                torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            ]
        )
        loader = DataLoader(LightlyDataset(str(folder), transform=scale), batch_size=256)
        parts = [(backbone(images.to(given.device)).flatten(1).cpu(), labels) for images, labels, _ in loader]
        features = torch.cat([part for part, _ in parts])
        found.append((nn.functional.normalize(features, dim=1), torch.cat([labels for _, labels in parts])))
    backbone.train()
    (bank, bank_labels), (queries, labels) = found
    similarity, nearest = (queries @ bank.T).topk(20, dim=1)
    votes = torch.zeros(len(queries), 10)
    votes.scatter_add_(1, bank_labels[nearest], (similarity / 0.1).exp())
    return float((votes.argmax(1) == labels).float().mean())


if __name__ == "__main__":
    main()
