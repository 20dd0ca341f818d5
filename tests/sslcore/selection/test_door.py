"""What can be given at the door, and what a selection can say about itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sslcore.embedding.store import write_part
from sslcore.errors import ConfigError, UserError
from sslcore.selection import select
from sslcore.selection.memory import parse_memory


def draw(n: int, d: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_arrays_maps_tensors_chunks_and_files_are_the_same(tmp_path: Path) -> None:
    vectors = draw(30, 4).astype(np.float16)
    expected = select(vectors, 6, strategy="kcenter").indices.tolist()
    np.save(tmp_path / "vectors.npy", vectors)
    write_part(
        tmp_path / "part-00000.parquet",
        sample_ids=[f"{row:02d}" for row in range(30)],
        filenames=[f"{row}.png" for row in range(30)],
        labels=[None] * 30,
        vectors=vectors,
        model_id="m1",
        dataset_fingerprint="f1",
        normalized=False,
    )
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    chunks = (vectors[start : start + 7] for start in range(0, 30, 7))
    for given in (mapped, torch.from_numpy(vectors), chunks, tmp_path / "vectors.npy", tmp_path):
        assert select(given, 6, strategy="kcenter").indices.tolist() == expected
    got = select(tmp_path, 2, strategy="kcenter")
    assert got.sample_ids == tuple(f"{row:02d}" for row in got.indices)
    assert got.reasons[1].endswith(f"nearest is {got.indices[0]}.png")
    assert got.provenance["model_version"] == "m1"
    assert got.provenance["dataset_fingerprint"] == "f1"


def test_provenance_names_what_decides_and_the_hash_does_not_see_the_order_of_rows() -> None:
    vectors = draw(9, 2)
    one = select(vectors, 2, strategy="random", seed=3, round=4, ids=list("abcdefghi")).provenance
    two = select(vectors[::-1], 2, strategy="random", seed=3, round=4, ids=list("ihgfedcba")).provenance
    assert one == two
    assert (one["strategy"], one["seed"], one["round"], one["plan"]["k"]) == ("random", 3, 4, 2)
    assert select(vectors + 1, 2, strategy="random").provenance["embedding_hash"] != one["embedding_hash"]


def test_nearest_distance_and_radius_worked_by_hand() -> None:
    line = np.array([[0.0], [1.0], [4.0], [9.0], [16.0]])
    got = select(line, 2, strategy="kcenter", labelled=[0])
    assert got.indices.tolist() == [4, 3]
    assert got.nearest.tolist() == [3, 3, 3, 3, 4]
    assert got.distances.tolist() == [9.0, 8.0, 5.0, 0.0, 0.0]
    assert got.covering_radius == 4.0  # row 2, to row 0, which is labelled


def test_rows_with_a_known_class_are_labelled_unless_said_otherwise() -> None:
    vectors, labels = draw(5, 2), ["cat", None, "dog", "", float("nan")]
    assert sorted(select(vectors, 3, strategy="random", labels=labels).indices.tolist()) == [1, 3, 4]
    assert len(select(vectors, 5, strategy="random", labels=labels, labelled=[]).indices) == 5
    assert sorted(select(vectors, 3, strategy="random", labels=[0, -1, 1, -1, -1]).indices) == [1, 3, 4]


def test_wrong_extras_are_named() -> None:
    vectors, flat = draw(4, 2), np.full((4, 2), 0.5)
    with pytest.raises(UserError, match=r"ids must be one for each of 4 embeddings, got 1"):
        select(vectors, 1, ids=["a"])
    with pytest.raises(UserError, match="1 ids are there twice, among them b"):
        select(vectors, 1, ids=list("abbc"))
    with pytest.raises(UserError, match="labels must be one for each of 4"):
        select(vectors, 1, labels=["a"])
    with pytest.raises(UserError, match=r"probs must be \[N, C\] or \[M, N, C\] with N = 4"):
        select(vectors, 1, probs=flat[:3])
    with pytest.raises(UserError, match="give softmax, not logits"):
        select(vectors, 1, probs=flat * 3)
    with pytest.raises(UserError, match=r"scores\['s'\] must be finite; 1 are not"):
        select(vectors, 1, scores={"s": [0, 1, np.nan, 2]})
    with pytest.raises(UserError, match="strategy 'kcenter' heeds no objectives"):
        select(vectors, 1, strategy="kcenter", objectives=[])
    with pytest.raises(UserError, match="each chunk of embeddings must be"):
        select(iter([vectors, vectors[:, :1]]), 1)
    with pytest.raises(UserError, match="longer than 1e"):
        select(vectors.astype(np.float64) * 1e17, 1)


def test_memory_is_read_and_kept_to(tmp_path: Path) -> None:
    assert [parse_memory(given) for given in (7, "2GB", "1.5 GiB", "10k")] == [
        7,
        2 * 10**9,
        1610612736,
        10_000,
    ]
    assert parse_memory(None) > 10**6
    for wrong in ("lots", "0", -1, "1.2.3GB"):
        with pytest.raises(ConfigError, match="memory must be bytes"):
            parse_memory(wrong)
    with pytest.raises(
        UserError, match=r"the chunks of embeddings in memory needs about 0.0008 MB, but memory"
    ):
        select(iter([draw(50, 4)]), 1, memory=100)
