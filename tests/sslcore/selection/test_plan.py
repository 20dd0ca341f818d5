"""A plan in params.yaml: columns of the manifest and of files, budgets, and one line for each mistake."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sslcore.config import parse_params
from sslcore.data.manifest import write_manifest
from sslcore.errors import ConfigError, UserError
from sslcore.selection.select_step import SelectReport, select_samples

# Directions in a quarter turn, one every 10 degrees.
ARC = [[float(np.cos(a)), float(np.sin(a))] for a in np.radians(range(0, 100, 10))]


def run(folders: Any, **config: Any) -> tuple[pd.DataFrame, SelectReport]:
    params = parse_params({"ingest": {"source": "x"}, "select": config}, where="params.yaml")
    report = select_samples(params.select, **folders.without_output(), output=folders.output)
    return pd.read_parquet(folders.output / "selection.parquet"), report


def add(folders: Any, name: str, text: str) -> None:
    path = folders.labels / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def with_videos(folders: Any, videos: list[str | None]) -> None:
    path = folders.dataset / "manifest.parquet"
    rows = pq.read_table(path).to_pylist()
    for row in rows:
        number = int(row["sample_id"][2:])
        row["video"] = videos[number]
        row["frame_index"] = None if videos[number] is None else number
        row["width"] = 100 + number
    write_manifest(rows, path)


def test_a_plan_names_its_objectives_in_columns_and_reasons(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC, labels={0: "cat"})
    add(folders, "scores/sharp.csv", "filename,sharp\n" + "".join(f"{n}.png,{n + 1}\n" for n in range(10)))
    table, report = run(
        folders,
        budget=2,
        objectives=[
            {"strategy": "diversity"},
            {"strategy": "weights", "input": "scores", "column": "sharp", "file": "scores/sharp.csv"},
        ],
    )
    assert table["filename"].tolist() == ["9.png", "5.png"]  # 45 degrees away is 4.5: 5 x 40 beats 4 x 40
    assert list(table.columns[4:-1]) == ["diversity", "sharp"]
    assert table["sharp"].tolist() == [10.0, 6.0]
    assert table["reason"][0] == (
        "diversity: 1.41 from the nearest chosen or labelled, 0.png; sharp: sharp 10"
    )
    assert report.summary.startswith("2 of 9 unlabelled samples in the train split picked by objectives")


def test_columns_of_the_manifest_and_videos_bind(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC)
    with_videos(folders, ["v"] * 5 + ["w"] * 3 + [None] * 2)
    table, report = run(
        folders,
        budget=10,
        objectives=[{"strategy": "diversity"}],
        constraints=[
            {"rule": "threshold", "column": "width", "at_least": 101},
            {"rule": "per_video", "at_most": 2},
        ],
    )
    numbers = [int(each[2:]) for each in table["sample_id"]]
    assert 0 not in numbers
    assert [sum(n < 5 for n in numbers), sum(5 <= n < 8 for n in numbers)] == [2, 2]
    assert report.figures["num_selected"] == 6.0
    assert report.summary.endswith("it ended there: 'per_video' allows no further pick")


def test_whole_sequences_of_a_video(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC, labels={9: "cat"})
    with_videos(folders, ["v"] * 10)
    table, _ = run(
        folders,
        budget=5,
        objectives=[{"strategy": "diversity"}],
        constraints=[{"rule": "sequences", "length": 5}],
    )
    assert table["sample_id"].tolist() == [f"id{n}" for n in range(5)]


def test_predictions_of_a_file_and_balance(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC)
    rows = "".join(f"id{n},{0.05 * n + 0.5},{0.5 - 0.05 * n}\n" for n in range(10))
    add(folders, "predictions/p.csv", "sample_id,cat,dog\n" + rows)
    plan = {"file": "predictions/p.csv"}
    table, _ = run(folders, budget=3, objectives=[{"strategy": "uncertainty", **plan}])
    assert table["sample_id"].tolist() == ["id0", "id1", "id2"]
    table, _ = run(
        folders,
        budget=3,
        objectives=[{"strategy": "balance", "input": "predictions", "target": {"cat": 1, "dog": 3}, **plan}],
    )
    assert table["sample_id"][0] == "id0"


def test_parquet_similarity_and_random(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC, splits="ttttttttvv")
    (folders.labels / "scores").mkdir()
    pd.DataFrame({"sample_id": [f"id{n}" for n in range(10)], "s": range(10)}).to_parquet(
        folders.labels / "scores" / "s.parquet"
    )
    similar = {"strategy": "similarity", "samples": ["9.png"]}
    assert run(folders, budget=1, objectives=[similar])[0]["sample_id"].tolist() == ["id7"]
    away = {**similar, "away": True}
    assert run(folders, budget=1, objectives=[away])[0]["sample_id"].tolist() == ["id0"]
    column = {"strategy": "weights", "input": "scores", "column": "s", "file": "scores/s.parquet"}
    assert run(folders, budget=1, objectives=[column])[0]["sample_id"].tolist() == ["id7"]
    drawn = {"strategy": "random"}
    both = [{**each, "strength": 2.0} for each in (drawn, {"strategy": "typicality", "neighbours": 2})]
    assert len(run(folders, budget=3, objectives=[*both, {"strategy": "coverage"}])[0]) == 3


def test_budgets_are_a_share_or_a_cost(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC, labels={0: "cat"})
    table, report = run(folders, budget_share=0.3)
    assert len(table) == 3  # of 9: 2.7, rounded up
    assert "more than there are" not in report.summary
    add(folders, "costs/minutes.csv", "sample_id,minutes\n" + "".join(f"id{n},{n}\n" for n in range(10)))
    cost = {"input": "scores", "column": "minutes", "file": "costs/minutes.csv"}
    table, report = run(folders, budget_cost=10, cost=cost)
    picked = [int(each[2:]) for each in table["sample_id"]]
    assert sum(picked) <= 10
    assert all(sum(picked) + n > 10 for n in range(1, 10) if n not in picked)
    assert report.summary.endswith("'minutes' allows no further pick")


SCORES = {"strategy": "weights", "input": "scores", "column": "s"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"objectives": [{**SCORES, "file": "no.csv"}]},
            r"objectives\.0: .*no\.csv: no such file; put it there",
        ),
        ({"objectives": [{**SCORES, "file": "f/a.csv"}]}, r"f/a\.csv has no column 's'; did you mean 'ss'"),
        ({"objectives": [{**SCORES, "file": "f/b.csv"}]}, "8 of 10 samples have no 's' in f/b.csv; add them"),
        ({"objectives": [{**SCORES, "file": "f/c.csv"}]}, r"c\.csv needs a column sample_id or filename"),
        ({"objectives": [{**SCORES, "file": "f/d.csv"}]}, "names sample id1 twice; delete one"),
        ({"objectives": [{**SCORES, "file": "f/e.parquet"}]}, r"e\.parquet cannot be read"),
        ({"objectives": [{**SCORES, "file": "f/f.csv"}]}, "'s' in f/f.csv must hold numbers"),
        ({"objectives": [{"strategy": "weights", "column": "wide"}]}, "the manifest has no column 'wide'"),
        ({"objectives": [{"strategy": "similarity", "samples": ["x.png"]}]}, "embedding is called 'x.png'"),
        ({"objectives": [{"strategy": "balance", "input": "predictions"}]}, "needs a file of class prob"),
        ({"objectives": [{"strategy": "uncertainty", "file": "f/f.csv"}]}, "has no column of probabilities"),
    ],
)
def test_a_mistake_is_one_line(
    config: dict[str, Any], message: str, make_folders: Callable[..., Any]
) -> None:
    folders = make_folders(ARC)
    ids = [f"id{n}" for n in range(10)]
    add(folders, "f/a.csv", "sample_id,ss\nid1,2\n")
    add(folders, "f/b.csv", "sample_id,s\nid1,2\nid2,3\nother,4\n")
    add(folders, "f/c.csv", "name,s\nid1,2\n")
    add(folders, "f/d.csv", "filename,s\n1.png,2\n1.png,3\n")
    add(folders, "f/e.parquet", "no parquet")
    add(folders, "f/f.csv", "sample_id,s\n" + "".join(f"{each},high\n" for each in ids))
    with pytest.raises(UserError, match=message) as caught:
        run(folders, **config)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"objectives": [{"strategy": "diversity", "strenght": 1}]}, "did you mean 'strength'"),
        ({"objectives": [{"strategy": "diverse"}]}, "does not match any of the expected tags: 'diversity'"),
        ({"constraints": [{"rule": "quota", "column": "label", "at_mots": 1}]}, "did you mean 'at_most'"),
        ({"budget_cost": 3.0}, "budget_cost and cost belong together"),
        ({"budget_share": 0.1, "budget_cost": 1, "cost": {"column": "c"}}, "set budget_share or budget_cost"),
        ({"strategy": "margin", "objectives": [{"strategy": "diversity"}]}, "need strategy: auto"),
    ],
)
def test_a_wrong_plan_is_refused_when_it_is_read(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_params({"ingest": {"source": "x"}, "select": config}, where="params.yaml")


def test_labelled_samples_need_no_numbers_but_balance_counts_them(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC, labels={0: "cat", 1: "dog"})
    add(folders, "f/s.csv", "sample_id,s\n" + "".join(f"id{n},{n}\n" for n in range(2, 10)))
    rows = "".join(f"id{n},{0.05 * n + 0.5},{0.5 - 0.05 * n}\n" for n in range(2, 10))
    add(folders, "f/p.csv", "sample_id,cat,dog\n" + rows)
    weights = {"strategy": "weights", "column": "s", "file": "f/s.csv"}
    threshold = {"rule": "threshold", "column": "s", "file": "f/s.csv", "at_most": 5}
    unsure = {"strategy": "uncertainty", "file": "f/p.csv"}
    table, _ = run(folders, budget=1, objectives=[weights], constraints=[threshold])
    assert table["sample_id"].tolist() == ["id5"]
    assert run(folders, budget=1, objectives=[unsure])[0]["sample_id"].tolist() == ["id2"]
    cost = {"column": "s", "file": "f/s.csv"}
    assert run(folders, budget_cost=4, cost=cost)[1].figures["budget"] == 4.0
    balance = {"strategy": "balance", "input": "predictions", "file": "f/p.csv"}
    with pytest.raises(UserError, match="2 of 10 samples have no 'cat' in f/p.csv"):
        run(folders, budget=1, objectives=[balance])
    add(folders, "f/t.csv", "sample_id,s\nid0,1\nid2,1\n")
    with pytest.raises(UserError, match="7 of 8 samples that can be picked have no 's' in f/t.csv"):
        run(folders, budget=1, objectives=[{**weights, "file": "f/t.csv"}])


def test_whole_numbers_with_a_gap_keep_their_names(make_folders: Callable[..., Any]) -> None:
    folders = make_folders(ARC)
    add(folders, "f/c.csv", "sample_id,camera\nid9,\n" + "".join(f"id{n},{n % 2}\n" for n in range(9)))
    add(folders, "f/d.csv", "sample_id,camera\n" + "".join(f"id{n},{n % 2}\n" for n in range(9)))
    for file in ("f/c.csv", "f/d.csv"):
        quota = {"rule": "quota", "column": "camera", "file": file, "at_most": {"0": 1, "1": 0}}
        table, _ = run(folders, budget=10, objectives=[{"strategy": "diversity"}], constraints=[quota])
        assert sorted(int(each[2:]) % 2 for each in table["sample_id"] if each != "id9") == [0]
