"""The files of embeddings: what is written comes back, and what is not ours is refused."""

from pathlib import Path

import numpy as np
import pytest

from sslcore.embedding.store import read_embeddings, write_part
from sslcore.errors import UserError


def write(folder: Path, part: int, ids: list[str], *, dtype: str = "float32", model_id: str = "m1") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"part-{part:05d}.parquet"
    write_part(
        path,
        sample_ids=ids,
        filenames=[f"{name}.png" for name in ids],
        labels=["cat" if name == "a" else None for name in ids],
        vectors=np.array([[ord(name[0]), 0.5, -2.0] for name in ids], dtype).reshape(-1, 3),
        model_id=model_id,
        dataset_fingerprint="f1",
        normalized=False,
    )
    return path


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parts_come_back_as_one(tmp_path: Path, dtype: str) -> None:
    write(tmp_path, 0, ["a", "b"], dtype=dtype)
    write(tmp_path, 1, ["c"], dtype=dtype)
    got = read_embeddings(tmp_path)
    assert (got.sample_ids, got.filenames) == (["a", "b", "c"], ["a.png", "b.png", "c.png"])
    assert got.labels == ["cat", None, None]
    assert got.vectors.dtype == np.float32
    assert got.vectors.tolist() == [[97.0, 0.5, -2.0], [98.0, 0.5, -2.0], [99.0, 0.5, -2.0]]
    assert (got.model_id, got.dataset_fingerprint, got.normalized) == ("m1", "f1", False)


def test_an_empty_part_is_readable(tmp_path: Path) -> None:
    write(tmp_path, 0, [])
    assert read_embeddings(tmp_path).vectors.shape == (0, 3)


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    assert write(tmp_path / "1", 0, ["a"]).read_bytes() == write(tmp_path / "2", 0, ["a"]).read_bytes()


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no embeddings here; make them with: sslflow embed"):
        read_embeddings(tmp_path)
    write(tmp_path, 0, ["a"])
    write(tmp_path, 1, ["b"], model_id="m2")
    with pytest.raises(UserError, match=r"part-00001\.parquet does not belong with part-00000"):
        read_embeddings(tmp_path)


def test_an_id_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, 0, ["a", "a"])
    with pytest.raises(UserError, match="1 sample ids of the embeddings are there twice"):
        read_embeddings(tmp_path)


def test_another_file_by_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "part-00000.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserError, match=r"part-00000\.parquet holds no embeddings"):
        read_embeddings(tmp_path)
