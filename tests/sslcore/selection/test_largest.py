"""The largest of numbers that only fall, against sorting all of them each time."""

import numpy as np
import pytest

from sslcore.selection import largest
from sslcore.selection.largest import Largest


def test_the_largest_are_found_while_numbers_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "RESERVE", 1)
    rng = np.random.default_rng(0)
    bound = rng.random(200).astype(np.float32)
    search, looks = Largest(bound), 0
    for _ in range(100):
        before = search.reserve
        places, highest = search.find(5, int((bound > -np.inf).sum()))
        looks += search.reserve is not before
        order = np.argsort(-bound)
        assert places.tolist() == sorted(order[:5].tolist())
        assert highest == bound[order[5]]
        bound[places] *= rng.random(5).astype(np.float32)
        bound[places[0]] = -np.inf
    assert 10 < looks < 80  # all numbers were looked through now and then, not each time


def test_when_no_more_are_left_all_are_returned() -> None:
    bound = np.array([1.0, -np.inf, 3.0], np.float32)
    places, highest = Largest(bound).find(2, 2)
    assert places.tolist() == [0, 2]
    assert highest == -np.inf
