"""What can be given at the door, and what a selection can say about itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from sslcore.embedding.store import write_part
from sslcore.errors import ConfigError, UserError
from sslcore.selection import select
from sslcore.selection.constraints import Quota, Threshold
from sslcore.selection.memory import parse_memory
from sslcore.selection.objectives import Diversity, Uncertainty, Weights


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


def test_series_and_iterators_are_read_by_row_not_by_label() -> None:
    vectors, names = draw(4, 2), ["a", "b", "c", "d"]
    index = [3, 2, 1, 0]
    expected = select(vectors, 4, strategy="kcenter", ids=names, names=names)
    for given in (pd.Series(names, index=index), pd.Series(names, index=list("wxyz")), iter(names)):
        other = pd.Series(names, index=index)
        got = select(vectors, 4, strategy="kcenter", ids=given, names=other)
        assert (got.sample_ids, got.reasons) == (expected.sample_ids, expected.reasons)


def test_provenance_tells_steps_and_labels_apart() -> None:
    vectors, labels = draw(40, 3), [0, 1] * 5 + [-1] * 30
    whole = select(vectors, 20, strategy="kmeans", labels=labels)
    half = select(vectors, 10, strategy="kmeans", labels=labels)
    assert half.extend(10).provenance["steps"] == [10, 10]
    assert half.extend(10).provenance != whole.provenance
    assert whole.provenance == select(vectors, 20, strategy="kmeans", labels=labels).provenance
    turned = [1, 0] * 5 + [-1] * 30
    assert whole.provenance != select(vectors, 20, strategy="kmeans", labels=turned).provenance
    for given in ({"excluded": [39]}, {"scores": {"s": np.arange(40.0)}}, {"probs": np.full((40, 2), 0.5)}):
        other = select(vectors, 20, strategy="kmeans", labels=labels, **given)
        assert whole.provenance != other.provenance
    plans = [select(vectors, 2, objectives=[Weights(np.arange(40.0) + shift)]) for shift in (0, 0, 1)]
    assert plans[0].provenance == plans[1].provenance != plans[2].provenance


def test_extending_one_way_does_not_change_another() -> None:
    vectors = draw(40, 3)
    first = select(vectors, 5, strategy="kmeans")
    first.extend(15)
    again = select(vectors, 5, strategy="kmeans")
    assert first.extend(7).indices.tolist() == again.extend(7).indices.tolist()


def test_nothing_selected_has_nothing_near() -> None:
    got = select(draw(4, 2), 2, objectives=[Weights([1.0] * 4)], constraints=[Threshold([0.0] * 4, above=1)])
    assert got.nearest.tolist() == [-1] * 4
    assert np.isinf(got.distances).all()
    assert got.covering_radius == np.inf
    labelled = select(np.array([[0.0], [3.0]]), 1, labelled=[0], constraints=[Threshold([0.0] * 2, above=1)])
    assert (labelled.nearest.tolist(), labelled.covering_radius) == ([-1, -1], 3.0)


def test_tensors_of_training_and_one_hot_numbers_are_taken() -> None:
    tensor = torch.from_numpy(draw(6, 2))
    expected = select(tensor, 3, strategy="kcenter").indices.tolist()
    grad = tensor.clone().requires_grad_()
    assert select(iter([grad[:4], grad[4:]]), 3, strategy="kcenter").indices.tolist() == expected
    assert len(select(iter([tensor.bfloat16()]), 3, strategy="kcenter").indices) == 3
    one_hot = [[1, 0]] * 5 + [[0, 1]]
    assert len(select(tensor, 2, strategy="margin", probs=one_hot).indices) == 2
    lost = torch.full((6, 2), 0.5, requires_grad=True)
    assert len(select(tensor, 2, objectives=[Uncertainty(lost)]).indices) == 2
    tuples = [("v", row) for row in range(6)]
    assert select(tensor, 1, strategy="kcenter", ids=tuples).sample_ids == (tuples[expected[0]],)
    labels = ["cat", pd.NA, None, pd.NA, "dog", None]
    assert sorted(select(tensor, 4, strategy="random", labels=labels).indices.tolist()) == [1, 2, 3, 5]


def test_files_that_are_no_array_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.npy").write_bytes(b"")
    with pytest.raises(UserError, match=r"empty\.npy: cannot be read as a NumPy array"):
        select(tmp_path / "empty.npy", 1)
    np.savez(tmp_path / "two.npz", a=np.ones(2), b=np.ones(2))
    (tmp_path / "two.npz").rename(tmp_path / "two.npy")
    with pytest.raises(UserError, match=r"two\.npy: holds several arrays \(\.npz\)"):
        select(tmp_path / "two.npy", 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"embeddings": [[1.0, 2.0], [3.0]]}, "embeddings must be one array of numbers; its rows differ"),
        ({"scores": np.ones(4)}, "scores must be a mapping of names to numbers"),
        ({"scores": {"s": list("abcd")}}, r"scores\['s'\] must be numbers"),
        ({"labels": [["a"]] * 4}, "labels must be one class for each row"),
        ({"labels": np.zeros((4, 1), int)}, r"labels must be one for each row \[N\], got \[4, 1\]"),
        ({"labels": "cats"}, "labels must be a list, one for each row, got 'cats'"),
        ({"labelled": [[0], [1, 2]]}, "labelled must be one array of numbers"),
        ({"labelled": 2}, r"labelled must be row numbers \[L\] or a mask \[4\]"),
        ({"ids": 3}, "ids must be a list, one for each row, got 3"),
        ({"ids": [1, 2, None, 4]}, "1 ids are missing"),
        ({"k": 2.0}, "k must be a whole number, got 2.0"),
        ({"k": "3"}, "k must be a whole number, got '3'"),
        ({"k": None}, "k must be a whole number, got None"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"seed": 1.5}, "seed must be a whole number, got 1.5"),
        ({"strategy": None}, "strategy must be a name, got None"),
        (
            {"objectives": [{"strategy": "diversity"}]},
            r"objectives\[0\] must be made of a class of .* got dict",
        ),
        ({"objectives": ["diversity"]}, r"objectives\[0\] must be made of a class of .* got str"),
        ({"objectives": Diversity()}, "objectives must be a list of what .* has, got Diversity"),
        ({"objectives": [Diversity]}, r"objectives\[0\] .* got the class Diversity"),
        ({"objectives": [Quota([1] * 4)]}, r"objectives\[0\] is Quota, which belongs into constraints="),
        ({"constraints": [Diversity()]}, r"constraints\[0\] is Diversity, which belongs into objectives="),
        ({"dedup": "x"}, "dedup must be a distance, or have one as min_distance, got 'x'"),
        ({"dedup": {"min_distance": "a"}}, "dedup must be a distance, or have one as min_distance, got 'a'"),
        ({"dedup": {"min_distance": 0.1, "num_groups": 1.5}}, "dedup: num_groups must be a whole number"),
        ({"probs": [[1.0], [0.5, 0.5]]}, "probs must be one array of numbers"),
    ],
)
def test_what_is_no_argument_is_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        select(**{"embeddings": draw(4, 2), "k": 1, **given})
    assert "\n" not in str(caught.value)
