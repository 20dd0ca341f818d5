"""Marks that are carried over and mended equal marks that are made anew, and those of plain loops."""

import random

import numpy as np
import pyarrow as pa
import pytest

from sslcore.data import old_marks
from sslcore.data.near_duplicates import first_alike
from sslcore.data.old_marks import OldMarks, marks_after

Samples = dict[str, int]  # hash by name


def alike_in_loops(hashes: list[int], max_bits: int) -> list[int]:
    found: list[int] = []
    for place, value in enumerate(hashes):
        near = [
            before
            for before in range(place)
            if found[before] < 0 and (hashes[before] ^ value).bit_count() <= max_bits
        ]
        found.append(near[0] if near else -1)
    return found


def marks(samples: Samples) -> list[int]:
    return alike_in_loops([samples[name] for name in sorted(samples)], 4)


def manifest(samples: Samples, ids: dict[str, str]) -> pa.Table:
    names, alike = sorted(samples), marks(samples)
    return pa.table(
        {
            "filename": names,
            "sample_id": [ids[name] for name in names],
            "phash": pa.array([samples[name] for name in names], pa.uint64()),
            "near_duplicate_of": pa.array(
                [ids[names[place]] if place >= 0 else None for place in alike], pa.string()
            ),
        }
    )


def changed(samples: Samples, chance: random.Random) -> tuple[Samples, dict[str, str]]:
    """Return other samples, and the name that each had before."""
    after: Samples = {}
    was: dict[str, str] = {}
    for name, value in samples.items():
        if chance.random() < 0.15:
            continue
        renamed = f"{chance.randrange(1000):03d}" if chance.random() < 0.1 else name
        if renamed not in after and (renamed == name or renamed not in samples):
            after[renamed], was[renamed] = value, name
    for _ in range(chance.randrange(8)):
        after.setdefault(f"{chance.randrange(1000):03d}", some_hash(chance))
    return after, was


def some_hash(chance: random.Random) -> int:
    value = chance.choice([0, 0x0F0F0F0F0F0F0F0F])
    for _ in range(chance.randrange(7)):
        value ^= 1 << chance.randrange(12)
    return value


@pytest.mark.parametrize("seed", range(40))
def test_marks_after_a_change_are_those_made_anew(seed: int) -> None:
    chance = random.Random(seed)
    samples = {f"{chance.randrange(1000):03d}": some_hash(chance) for _ in range(60)}
    for _ in range(5):
        after, was = changed(samples, chance)
        before = sorted(samples)
        old = OldMarks.of(manifest(samples, {name: f"id of {name}" for name in samples}))
        names = sorted(after)
        rows = [before.index(was[name]) if name in was else 1000 + place for place, name in enumerate(names)]
        carried = old.carried(np.array(rows, np.int64), pa.array(names, pa.string()))
        hashes = np.array([after[name] for name in names], np.uint64)
        assert marks_after(hashes, carried).tolist() == marks(after) == first_alike(hashes).tolist()
        samples = after


def test_what_nothing_has_happened_to_is_not_compared() -> None:
    samples = {f"{number:02d}": number // 2 << 20 for number in range(20)}
    old = OldMarks.of(manifest(samples, {name: name for name in samples}))
    carried = old.carried(np.arange(20), pa.array(sorted(samples)))
    assert carried.tolist() == marks(samples)
    assert old.carried(np.arange(1, 20), pa.array(sorted(samples)[1:])).tolist().count(-2) >= 1


def test_many_doubts_are_settled_by_marking_all_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_marks, "MOST_IN_DOUBT", 5)
    hashes = np.array([0, 1, 1 << 40, 3, 1 << 41, 7, 0], np.uint64)
    carried = np.full(7, old_marks.IN_DOUBT, np.int64)
    assert marks_after(hashes, carried).tolist() == alike_in_loops(hashes.tolist(), 4)


def test_a_manifest_of_an_older_version_says_nothing() -> None:
    table = manifest({"a": 1, "b": 1}, {"a": "a", "b": "b"})
    unmeasured = table.set_column(2, "phash", pa.array([None, 1], pa.uint64()))
    assert len(OldMarks.of(unmeasured).leaders) == 0
    assert OldMarks.none().carried(np.array([5]), pa.array(["a"])).tolist() == [old_marks.IN_DOUBT]
