"""Which places of two maps match, against loops over all pairs and boxes worked by hand."""

import math

import torch

from sslcore.losses.matching import best_matches, most_similar, position_centres, take_positions


def test_most_similar_is_the_greatest_cosine() -> None:
    generator = torch.Generator().manual_seed(0)
    mine, theirs = torch.randn(2, 3, 4, generator=generator), torch.randn(2, 5, 4, generator=generator)

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    expected = [
        [max(range(5), key=lambda q: cosine(place, other[q])) for place in sample]
        for sample, other in zip(mine.tolist(), theirs.tolist(), strict=True)
    ]
    assert most_similar(mine, theirs).tolist() == expected


def test_the_nearest_pairs_are_kept() -> None:
    generator = torch.Generator().manual_seed(0)
    mine, theirs = torch.rand(3, 6, 2, generator=generator), torch.rand(3, 4, 2, generator=generator)
    found_mine, found_theirs = best_matches(mine, theirs, 3)
    for sample in range(3):
        pairs = []
        for p in range(6):
            distances = [math.dist(mine[sample, p].tolist(), theirs[sample, q].tolist()) for q in range(4)]
            nearest = min(range(4), key=distances.__getitem__)
            pairs.append((distances[nearest], p, nearest))
        expected = [(p, q) for _, p, q in sorted(pairs)[:3]]
        found = zip(found_mine[sample].tolist(), found_theirs[sample].tolist(), strict=True)
        assert list(found) == expected


def test_more_matches_than_places_are_all_places() -> None:
    assert best_matches(torch.rand(2, 3, 2), torch.rand(2, 4, 2), 20)[0].shape == (2, 3)


def test_centres_of_a_plain_a_mirrored_and_an_upside_down_crop() -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.6, 0.2, 0.2, 0.4], [0.0, 1.0, 1.0, 0.0]])
    plain, mirrored, upside_down = position_centres(boxes, 1, 2).tolist()
    assert plain == [[0.25, 0.5], [0.75, 0.5]]
    torch.testing.assert_close(torch.tensor(mirrored), torch.tensor([[0.5, 0.3], [0.3, 0.3]]))
    assert upside_down == plain
    rows = position_centres(boxes, 2, 1)
    torch.testing.assert_close(rows[2], torch.tensor([[0.5, 0.75], [0.5, 0.25]]))


def test_positions_run_row_by_row_like_a_flattened_map() -> None:
    centres = position_centres(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), 2, 3)[0]
    columns = torch.arange(6).reshape(2, 3) % 3
    assert (centres[:, 0] * 3 - 0.5).round().tolist() == columns.flatten().tolist()
    features = torch.arange(12.0).reshape(1, 6, 2)
    assert take_positions(features, torch.tensor([[5, 0]])).tolist() == [[[10.0, 11.0], [0.0, 1.0]]]
