"""The select step: which samples are the pool, what is given, and what the file says."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sslcore.config import SelectConfig
from sslcore.errors import ConfigError
from sslcore.selection.select_step import select_samples

# Directions on the unit circle in a quarter turn; lengths differ and must not matter.
LINE = [[1.0, 0.0], [9.0, 1.0], [4.0, 4.0], [1.0, 9.0], [0.0, 3.0]]


def run(folders: Any, **config: Any) -> tuple[pd.DataFrame, str]:
    report = select_samples(SelectConfig(**config), **folders.without_output(), output=folders.output)
    return pd.read_parquet(folders.output / "selection.parquet"), report.summary


def test_labelled_samples_are_given_and_lengths_do_not_matter(make_folders: Callable[..., Any]) -> None:
    table, summary = run(make_folders(LINE, labels={0: "cat"}), strategy="kcenter", budget=2)
    assert table["filename"].tolist() == ["4.png", "2.png"]
    assert table["distance"].round(3).tolist() == [1.414, 0.765]
    assert table["reason"][0] == "farthest (1.41) from everything chosen or labelled before; nearest is 0.png"
    assert (
        summary
        == "2 of 4 unlabelled samples in the train split picked by kcenter, with 1 labelled samples given"
    )


def test_added_labels_count(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    (folders.labels / "ann.csv").write_text("filename,label\n0.png,cat\n4.png,dog\n")
    table, _ = run(folders, strategy="kcenter", budget=1)
    assert table["sample_id"].tolist() == ["id2"]


def test_the_round_is_one_more_than_the_rounds_of_labels(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE, labels={1: "cat"})  # the data set's own label was no round
    assert run(folders, budget=1)[0]["round"].tolist() == [1]
    (folders.labels / "ann.csv").write_text("filename,label,round\n0.png,cat,1\n4.png,dog,2\n")
    assert run(folders, budget=2)[0]["round"].tolist() == [3, 3]


def test_other_splits_are_neither_picked_nor_given(make_folders: Callable[..., Any]) -> None:
    table, _ = run(make_folders(LINE, splits="tvxtt", labels={1: "cat"}), strategy="random", budget=3)
    assert sorted(table["sample_id"]) == ["id0", "id3", "id4"]
    assert not (set(table["reason"]) - {"drawn at random from 3 samples"})


def test_heldout_labels_are_no_labels(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    heldout = pd.DataFrame({"sample_id": ["id0", "id1"], "label": ["cat", "dog"]})
    heldout.to_parquet(folders.dataset / "heldout.parquet")
    table, _ = run(folders, strategy="random", budget=5)
    assert len(table) == 5


def test_constraints_find_the_metadata_that_was_ingested(
    make_folders: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    folders = make_folders(LINE)
    names = [f"id{number}" for number in range(5)]
    table = pd.DataFrame({"sample_id": names, "lux": [1.0, 5.0, 9.0, 50.0, 60.0], "split": "mine"})
    table.to_parquet(folders.dataset / "metadata.parquet")
    bright = {"rule": "threshold", "column": "lux", "at_least": 10}
    picked, _ = run(folders, budget=2, constraints=[bright])
    assert sorted(picked["sample_id"]) == ["id3", "id4"]
    assert "metadata columns split are the manifest's own" in caplog.text


def test_pool_all_does_not_look_at_labels(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE, labels={0: "cat", 4: "dog"})
    table, summary = run(folders, strategy="kcenter", budget=3, pool="all")
    assert set(table["sample_id"]) == {"id0", "id2", "id4"}
    assert summary == "3 of 5 samples in the train split picked by kcenter"


def test_a_budget_above_the_pool_takes_it_whole_and_says_so(make_folders: Callable[..., Any]) -> None:
    table, summary = run(make_folders(LINE, labels={0: "cat"}), budget=100)
    assert sorted(table["sample_id"]) == ["id1", "id2", "id3", "id4"]
    assert summary.endswith("the budget of 100 is more than there are")


def test_nothing_to_pick_is_an_empty_table(make_folders: Callable[..., Any]) -> None:
    table, summary = run(make_folders(LINE, splits="vvxxx"))
    assert len(table) == 0
    assert list(table.columns) == ["rank", "sample_id", "filename", "round", "reason"]
    assert summary.startswith("nothing to pick: there are no unlabelled samples in the train split; set ")


def test_the_file_says_where_it_comes_from(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    table, _ = run(folders, strategy="kcenter", budget=2, seed=7)
    assert (table["rank"].tolist(), table["round"].tolist()) == ([1, 2], [1, 1])
    assert pd.isna(table["distance"][0])  # the first pick has nothing to be far from
    metadata = pq.read_schema(folders.output / "selection.parquet").metadata
    assert metadata[b"sslflow.strategy"] == b"kcenter"
    assert metadata[b"sslflow.seed"] == b"7"
    assert metadata[b"sslflow.model_id"] == b"m1"
    assert metadata[b"sslflow.dataset_fingerprint"] == b"f1"


def test_the_same_input_is_the_same_bytes(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    path = folders.output / "selection.parquet"
    run(folders, budget=3)
    first = path.read_bytes()
    run(folders, budget=3)
    assert path.read_bytes() == first


def test_samples_without_an_embedding_are_counted(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    part = folders.embeddings / "part-00000.parquet"
    pq.write_table(pq.read_table(part).slice(0, 3), part)
    table, summary = run(folders, strategy="random", budget=5)
    assert len(table) == 3
    assert "2 samples have no embedding yet; run: sslflow embed" in summary


def test_an_unknown_strategy_is_refused(make_folders: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"select\.strategy must be one of .*did you mean 'kmeans'"):
        run(make_folders(LINE), strategy="kmean")


@pytest.mark.parametrize(
    ("name", "plan"), [("coral", "weights, input: scores"), ("stratified", "balance"), ("objectives", "auto")]
)
def test_what_the_stage_cannot_give_names_the_plan(
    name: str, plan: str, make_folders: Callable[..., Any]
) -> None:
    with pytest.raises(ConfigError, match=f"select.strategy: {name} .*leave strategy: auto.*{plan}|auto$"):
        run(make_folders(LINE, labels={0: "cat"}), strategy=name)


def test_the_budget_is_reported_as_it_was_asked(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(LINE)
    for given, budget in (({}, 100.0), ({"budget": 2}, 2.0), ({"budget_share": 0.4}, 0.4)):
        config = SelectConfig(**given)
        report = select_samples(config, **folders.without_output(), output=folders.output)
        assert report.figures["budget"] == budget
