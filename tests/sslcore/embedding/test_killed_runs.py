"""What killed runs left is taken over, whatever they were killed at."""

import logging
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sslcore.backbones import build_backbone
from sslcore.config import EmbedConfig
from sslcore.embedding import EmbedReport, read_embeddings
from sslcore.embedding.embed import embed
from sslcore.embedding.reuse import EarlierVectors
from sslcore.embedding.store import write_part
from sslcore.monitor import SilentMonitor


class Killed(BaseException):
    """Stands for the signal."""


class KillingMonitor(SilentMonitor):
    """Kills the run when a number of samples is done."""

    def __init__(self, at: int) -> None:
        self.at = at

    def progress(self, done: int, total: int | None, unit: str, **figures: float) -> None:
        """Raise if more are done."""
        if done > self.at:
            raise Killed


def run(folder: Path, dataset: Path, backbone: Path, *, killed_at: int = 100, **config: Any) -> EmbedReport:
    """Embed into folder/out by way of folder/work, two rows to a part."""
    (folder / "out").mkdir(exist_ok=True)
    settings = EmbedConfig(**{"num_workers": 0, "device": "cpu", "rows_per_file": 2, **config})
    given = {"dataset": dataset, "backbone": backbone, "output": folder / "out", "work": folder / "work"}
    return embed(settings, **given, monitor=KillingMonitor(killed_at))


@pytest.fixture
def killed(tmp_path: Path, source: Any, backbone: Path) -> Path:
    """Return the data set of a run that was killed when four of five samples were done."""
    dataset: Path = source.ingest()
    with pytest.raises(Killed):
        run(tmp_path, dataset, backbone, killed_at=4)
    return dataset


def test_a_kill_while_other_formats_are_written_costs_nothing(
    tmp_path: Path, source: Any, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(folder: Path) -> None:
        (folder / "embeddings.csv").write_text("half")
        raise Killed

    dataset = source.ingest()
    with monkeypatch.context() as patched:
        patched.setattr("sslcore.embedding.embed.write_csv", killed)
        with pytest.raises(Killed):
            run(tmp_path, dataset, backbone, formats=("csv",))
    assert list((tmp_path / "out").iterdir()) == []
    assert run(tmp_path, dataset, backbone, formats=("csv",)).figures["num_new"] == 0
    assert len((tmp_path / "out" / "embeddings.csv").read_text().splitlines()) == 6
    assert not (tmp_path / "work").exists()


def test_a_step_that_is_stopped_leaves_no_process(tmp_path: Path, source: Any, backbone: Path) -> None:
    with pytest.raises(Killed) as stopped:
        run(tmp_path, source.ingest(), backbone, killed_at=1, rows_per_file=1, num_processes=2)
    assert multiprocessing.active_children() == []
    assert stopped.tb is not None  # which holds all that the step had


def test_runs_killed_before_and_after_samples_were_added_are_both_taken_over(
    tmp_path: Path, source: Any, backbone: Path
) -> None:
    with pytest.raises(Killed):  # has a, b, c, d
        run(tmp_path, source.ingest(), backbone, killed_at=4)
    source.add("aa")
    dataset = source.ingest()
    with pytest.raises(Killed):  # has a, aa; every later row has moved
        run(tmp_path, dataset, backbone, killed_at=2)
    assert run(tmp_path, dataset, backbone).figures["num_new"] == 1
    (tmp_path / "whole").mkdir()
    run(tmp_path / "whole", dataset, backbone)
    got, whole = (read_embeddings(folder / "out") for folder in (tmp_path, tmp_path / "whole"))
    assert got.filenames == whole.filenames
    assert np.allclose(got.vectors, whole.vectors, atol=1e-5)


def test_what_runs_killed_again_and_again_leave_does_not_grow(
    tmp_path: Path, source: Any, backbone: Path
) -> None:
    dataset = source.ingest()
    for _ in range(4):
        with pytest.raises(Killed):
            run(tmp_path, dataset, backbone, killed_at=4)
    assert len(list((tmp_path / "work").rglob("part-*.parquet"))) <= 4
    assert run(tmp_path, dataset, backbone).figures["num_new"] == 1


def test_another_model_in_between_costs_only_its_own_parts(
    tmp_path: Path, source: Any, backbone: Path, save: Any
) -> None:
    dataset = source.ingest()
    other = save(tmp_path / "other", build_backbone("resnet10-small", image_size=32, seed=1))
    for model in (backbone, other):
        with pytest.raises(Killed):
            run(tmp_path, dataset, model, killed_at=4)
    assert run(tmp_path, dataset, backbone).figures["num_new"] == 1


def test_what_a_process_of_a_killed_run_writes_later_is_not_mixed_in(
    tmp_path: Path, killed: Path, backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (orphaned,) = (tmp_path / "work").iterdir()

    def written_late(folder: Path) -> None:
        (orphaned / "part-00009.parquet").write_bytes(b"late")

    monkeypatch.setattr("sslcore.embedding.embed.write_npy", written_late)
    run(tmp_path, killed, backbone, formats=("npy",))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"part-{number:05d}.parquet" for number in range(3)
    ]


def test_a_part_that_cannot_be_read_costs_only_itself(
    tmp_path: Path, killed: Path, backbone: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "work" / "run-00000" / "part-00000.parquet").write_bytes(b"half written")
    with caplog.at_level(logging.WARNING):
        assert run(tmp_path, killed, backbone).figures["num_new"] == 3
    (message,) = caplog.messages
    assert message.endswith("part-00000.parquet cannot be read: the vectors it held are computed again")


def test_stored_vectors_that_are_not_finite_are_not_taken_over(tmp_path: Path) -> None:
    vectors = np.array([[1, 2], [np.inf, 0]], np.float16)
    write_part(
        tmp_path / "part-00000.parquet",
        sample_ids=["a", "b"],
        filenames=["a", "b"],
        labels=[None, None],
        vectors=vectors,
        model_id="m",
        dataset_fingerprint="f",
        normalized=False,
    )
    earlier = EarlierVectors([tmp_path], model_id="m", dtype="float16", normalized=False, embed_dim=2)
    out = np.zeros((3, 2), np.float16)
    assert earlier.fill(["b", "a", "c"], out) == [0, 2]
    assert out.tolist() == [[0, 0], [1, 2], [0, 0]]
