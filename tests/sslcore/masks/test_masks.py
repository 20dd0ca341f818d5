"""Masks: their numbers, shapes and chances."""

import pytest
import torch

from sslcore.errors import ConfigError
from sslcore.masks import block_masks, context_and_targets, masked_counts, random_masks, square_masks


def test_random_masks_split_the_patches_of_each_image() -> None:
    torch.manual_seed(0)
    keep, masked = random_masks(500, 16, mask_ratio=0.75)
    assert keep.shape == (500, 4)
    for kept, hidden in zip(keep.tolist(), masked.tolist(), strict=True):
        assert sorted(kept + hidden) == list(range(16))
    shares = keep.flatten().bincount(minlength=16) / keep.numel()
    torch.testing.assert_close(shares, torch.full((16,), 1 / 16), atol=0.02, rtol=0)


@pytest.mark.parametrize(("ratio", "kept"), [(0.0, 10), (0.15, 8), (0.7, 3), (0.99, 1)])
def test_the_kept_number_is_rounded_down_but_never_none(ratio: float, kept: int) -> None:
    assert random_masks(2, 10, mask_ratio=ratio).keep.shape == (2, kept)


def test_square_masks_hide_whole_squares_and_say_where() -> None:
    torch.manual_seed(0)
    mask, masked = square_masks(50, (4, 6), side=2, mask_ratio=0.6)
    assert (mask.sum(dim=1) == 4 * 4).all()  # ceil(0.6 * 6) squares of 4 patches.
    squares = mask.reshape(50, 2, 2, 3, 2)
    assert (squares == squares[:, :, :1, :, :1]).all()
    for row, places in zip(mask, masked, strict=True):
        assert row.nonzero().flatten().tolist() == places.tolist()
    assert 0.4 < mask.float().mean(dim=0).min()
    assert len({tuple(row) for row in mask.tolist()}) > 5


def test_counts_are_spread_between_the_ratios() -> None:
    assert masked_counts(6, 100, ratio=(0.1, 0.5), probability=0.5) == [16, 30, 43, 0, 0, 0]
    assert masked_counts(2, 100, ratio=(0.1, 0.5), probability=0.0) == [0, 0]


def test_block_masks_hide_exactly_their_numbers() -> None:
    torch.manual_seed(0)
    counts = [0, 1, 5, 30, 64, 17]
    mask, indices, weights = block_masks(counts, (8, 8))
    assert sorted(mask.sum(dim=1).tolist()) == sorted(counts)
    assert indices.tolist() == mask.flatten().nonzero().flatten().tolist()
    expected = [1 / mask[index // 64].sum().item() for index in indices.tolist()]
    assert weights.tolist() == pytest.approx(expected)


def test_block_masks_are_blocks() -> None:
    """Hidden patches have hidden neighbours far more often than if each were drawn by itself."""
    torch.manual_seed(0)
    mask = block_masks([40] * 200, (14, 14)).mask.reshape(200, 14, 14)
    touching = (mask[:, 1:] & mask[:, :-1]).sum() / mask[:, 1:].sum()
    assert touching > 0.6  # By themselves: 40 / 196 = 0.2.
    shares = mask.float().mean(dim=0)
    assert shares.min() > 0
    assert shares.max() < 0.6


def test_context_and_targets_do_not_touch() -> None:
    torch.manual_seed(0)
    for _ in range(5):
        context, targets = context_and_targets(7, (14, 14))
        assert context.shape[0] == 7
        assert targets.shape[:2] == (7, 4)
        assert context.shape[1] >= 10
        for seen, asked in zip(context.tolist(), targets, strict=True):
            assert len(set(seen)) == len(seen)
            assert not set(seen) & set(asked.flatten().tolist())
            for target in asked:
                places = {divmod(each, 14) for each in target.tolist()}
                rows, columns = {row for row, _ in places}, {column for _, column in places}
                assert len(places) == len(rows) * len(columns) == target.numel()
                assert 0.75 / 1.3 < len(rows) / len(columns) < 1.5 * 1.3
                assert 0.12 < len(places) / 196 < 0.23


def test_a_generator_decides_the_context() -> None:
    first, again = (context_and_targets(3, (6, 6), generator=torch.Generator().manual_seed(5)) for _ in "ab")
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])


def test_wrong_settings_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"mask_ratio must be in 0..1 and below 1, got 1"):
        random_masks(1, 4, mask_ratio=1)
    with pytest.raises(ConfigError, match="squares of 3 patches do not tile a grid of 4 x 6"):
        square_masks(1, (4, 6), side=3, mask_ratio=0.5)
    with pytest.raises(ConfigError, match="two rising numbers between 0 and 1, got 0.5 and 0.1"):
        masked_counts(1, 4, ratio=(0.5, 0.1), probability=0.5)
    with pytest.raises(ConfigError, match="5 patches cannot be hidden in an image that has 4"):
        block_masks([5], (2, 2))
    with pytest.raises(ConfigError, match="30 targets leave no context on a grid of 1 x 2 patches"):
        context_and_targets(3, (1, 2), num_targets=30)
