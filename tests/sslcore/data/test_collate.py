"""Views by transforms of one's own, reproducible whatever the workers."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.transforms import v2

from sslcore.data import MediaDataset, SampleDataset, ViewsCollate

Write = Callable[..., Path]


@pytest.fixture
def samples(tmp_path: Path, write_image: Write, run_ingest: Callable[..., object]) -> SampleDataset:
    for seed in range(7):
        write_image(tmp_path / f"source/{seed:02d}.png", seed)
    run_ingest("source", tmp_path / "out")
    return SampleDataset(tmp_path / "out", image_size=16)


CROP = v2.Compose([v2.RandomResizedCrop(8, antialias=True), v2.ToDtype(torch.float32, scale=True)])


def noisy(image: Tensor) -> Tensor:
    """Chance from three sources."""
    return image + torch.rand(()) + float(np.random.rand()) + random.random()


def loaded(samples: Any, collate: ViewsCollate, **options: Any) -> list[Any]:
    return list(DataLoader(samples, collate_fn=collate, **options))


def test_views_are_stacked_and_differ(samples: SampleDataset) -> None:
    batches = loaded(samples, ViewsCollate(CROP, num_views=3), batch_size=4)
    views, indices = batches[0]
    assert [tuple(view.shape) for view in views] == [(4, 3, 8, 8)] * 3
    assert views[0].dtype == torch.float32
    assert not torch.equal(views[0], views[1])
    assert torch.cat([numbers for _, numbers in batches]).tolist() == list(range(7))


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # Python 3.12
def test_views_depend_on_seed_epoch_and_image_only(samples: SampleDataset) -> None:
    collate = ViewsCollate(noisy, seed=5)
    workers: DataLoader[Any] = DataLoader(
        samples, batch_size=2, collate_fn=collate, num_workers=2, persistent_workers=True
    )
    seen = []
    for epoch in (0, 1):
        collate.set_epoch(epoch)
        here = ViewsCollate(noisy, seed=5)
        here.set_epoch(epoch)
        by_index: dict[int, list[Tensor]] = {}
        for views, indices in loaded(samples, here, batch_size=3, sampler=[6, 2, 0, 4, 1, 3, 5]):
            by_index |= {int(n): [view[i] for view in views] for i, n in enumerate(indices)}
        for views, indices in workers:
            for i, number in enumerate(indices.tolist()):
                assert all(torch.equal(view[i], by_index[number][v]) for v, view in enumerate(views))
        seen.append(by_index)
    assert not torch.equal(seen[0][0][0], seen[1][0][0])
    assert not torch.equal(seen[0][0][0], seen[0][0][1])


def test_global_states_are_left_alone(samples: SampleDataset) -> None:
    def states() -> list[Any]:
        return [torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()]  # type: ignore[index]

    before = states()
    ViewsCollate(noisy)([samples[0], samples[1]])
    assert states() == before


def test_a_transform_for_each_view_and_one_that_gives_several(samples: SampleDataset) -> None:
    views, _ = ViewsCollate([lambda x: x, lambda x: 255 - x])([samples[0]])
    assert torch.equal(views[0], 255 - views[1])
    views, _ = ViewsCollate(lambda x: [x, x, x], num_views=1)([samples[0]])
    assert len(views) == 3


@pytest.mark.parametrize(("given", "kind"), [("pil", "Image"), ("numpy", "ndarray"), ("tensor", "Tensor")])
def test_transforms_get_what_they_are_made_for(given: Any, kind: str, samples: SampleDataset) -> None:
    names = []

    def spy(image: Any) -> Any:
        names.append(type(image).__name__)
        return image

    views, _ = ViewsCollate(spy, num_views=1, given=given)([samples[3]])
    assert names == [kind]
    assert torch.equal(views[0][0], samples[3][0])


def test_names_and_labels_come_along(tmp_path: Path, write_image: Write) -> None:
    for seed, name in enumerate(["a/x.png", "b/y.png"]):
        write_image(tmp_path / "m" / name, seed)
    views, labels, names = ViewsCollate(CROP)(
        [MediaDataset(tmp_path / "m", image_size=16)[i] for i in (0, 1)]
    )
    assert (labels.tolist(), list(names), len(views)) == ([0, 1], ["a/x.png", "b/y.png"], 2)


def test_albumentations(samples: SampleDataset) -> None:
    albumentations = pytest.importorskip("albumentations")
    crop = albumentations.Compose([albumentations.RandomCrop(8, 8)])
    (first, second), _ = ViewsCollate(crop, seed=1)([samples[0], samples[1]])
    assert first.shape == (2, 3, 8, 8)
    assert not torch.equal(first, second)
    again, _ = ViewsCollate(crop, seed=1)([samples[1]])
    assert torch.equal(again[0][0], first[1])


def test_what_cannot_be_is_refused(samples: SampleDataset) -> None:
    with pytest.raises(ValueError, match="at least one view"):
        ViewsCollate([])
    uneven = iter([[1], [1, 2]])
    with pytest.raises(ValueError, match="gave 1 views of one image and 2 of another"):
        ViewsCollate(lambda x: [x for _ in next(uneven)], num_views=1)([samples[0], samples[1]])
