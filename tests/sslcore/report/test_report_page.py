"""The page holds what the stages wrote, whatever is missing, and nothing from outside becomes markup."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from sslcore.embedding import pca_2d, read_embeddings
from sslcore.errors import UserError

HOSTILE = "</script><img src=x onerror=alert(1)>"

Make = Callable[..., Any]


def test_all_that_was_selected_is_on_the_map_with_its_reason(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    page, made = write_page(make_inputs(), max_points=6)
    content = content_of(page)
    ranks = [point["rank"] for point in content["map"]["points"] if "rank" in point]
    assert (sorted(ranks), len(content["map"]["points"])) == ([1, 2, 3, 4], 6)
    assert [pick["name"] for pick in content["selection"]] == ["08.png", "09.png", "10.png", "11.png"]
    assert content["selection"][2]["reason"] == "far from all others, 2"
    assert made.figures["num_selected"] == 4


def test_selected_samples_are_there_even_beyond_the_limit(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    page, _ = write_page(make_inputs(), max_points=2)
    assert len(content_of(page)["map"]["points"]) == 4


def test_another_seed_draws_other_samples(make_inputs: Make, write_page: Make, content_of: Make) -> None:
    inputs = make_inputs()
    drawn: list[list[str]] = []
    for seed in (0, 1, 0):
        page, _ = write_page(inputs, f"page{len(drawn)}", max_points=7, seed=seed)
        drawn.append([point["name"] for point in content_of(page)["map"]["points"]])
    assert drawn[0] == drawn[2]
    assert drawn[0] != drawn[1]


def test_points_lie_where_the_map_puts_their_embedding(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs()
    page, _ = write_page(inputs)
    stored = read_embeddings(inputs["embeddings"])
    places = pca_2d(stored.vectors)
    shown = {point["name"]: (point["x"], point["y"]) for point in content_of(page)["map"]["points"]}
    scale = (shown["11.png"][0] - shown["00.png"][0]) / (places[11, 0] - places[0, 0])
    for name, place in zip(stored.filenames, places, strict=True):
        offset = (np.array(shown[name]) - shown["00.png"]) - scale * (place - places[0])
        assert np.abs(offset).max() < 3e-4
    assert max(max(map(abs, place)) for place in shown.values()) == 1


def test_labels_that_people_added_colour_the_map(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs()
    (inputs["labels"] / "added.csv").write_text("filename,label\n11.png,bird\n00.png,bird\n")
    content = content_of(write_page(inputs)[0])
    labels = {point["name"]: point["label"] for point in content["map"]["points"]}
    assert (labels["11.png"], labels["00.png"], labels["01.png"], labels["10.png"]) == (
        "bird",
        "bird",
        "cat",
        None,
    )
    assert content["numLabelled"] == 7


def test_text_from_outside_cannot_end_the_script(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs(label=HOSTILE, also=[f"<{HOSTILE[1:]}.png"], reason=HOSTILE)
    page, _ = write_page(inputs, title=HOSTILE)
    text = page.read_text("utf-8")
    assert HOSTILE not in text
    assert "<img" not in text
    assert text.count("</script>") == 2
    content = content_of(page)
    assert content["title"] == HOSTILE
    assert HOSTILE in content["confusion"]["classes"]
    assert HOSTILE + ".png" in [point["name"] for point in content["map"]["points"]]


def test_a_title_with_the_signs_of_the_template_stays_a_title(make_inputs: Make, write_page: Make) -> None:
    page, _ = write_page(make_inputs(), title="$data & ${style}")
    assert "<title>$data &amp; ${style}</title>" in page.read_text("utf-8")


def test_the_policy_allows_exactly_the_two_blocks_of_the_page(make_inputs: Make, write_page: Make) -> None:
    text = write_page(make_inputs())[0].read_text("utf-8")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (block,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy


def test_nothing_is_fetched_from_elsewhere(make_inputs: Make, write_page: Make) -> None:
    text = write_page(make_inputs())[0].read_text("utf-8")
    targets = re.findall(r'\b(?:src|href|srcset|action)="([^"]*)"', text)
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert set(re.findall(r"https?://[^\s\"')]*", text)) == {"http://www.w3.org/2000/svg"}


def test_the_same_inputs_give_the_same_bytes(make_inputs: Make, write_page: Make) -> None:
    inputs = make_inputs()
    pages = [write_page(inputs, name, map="tsne")[0] for name in "ab"]
    assert pages[0].read_bytes() == pages[1].read_bytes()


def test_counts_of_the_confusion_are_by_hand(make_inputs: Make, write_page: Make, content_of: Make) -> None:
    page, _ = write_page(make_inputs())
    assert content_of(page)["confusion"] == {"classes": ["cat", "dog"], "counts": [[1, 1], [0, 0]]}


def test_the_history_leaves_out_what_was_not_measured(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    page, _ = write_page(make_inputs())
    first, second = content_of(page)["history"]
    assert first == {"epoch": 1, "loss": 2.5, "lr": 0.1}
    assert second["knn_accuracy"] == 0.5


def test_what_is_quarantined_is_there_with_its_reason(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    (row,) = content_of(write_page(make_inputs())[0])["quarantine"]
    assert (row["path"], row["reason"]) == ("empty.jpg", "zero_bytes")


def test_one_sample_nothing_selected_nothing_measured(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs(num_images=1, num_selected=0)
    (inputs["plots"] / "confusion.csv").write_text("actual,predicted\n")
    inputs["metrics"].write_text('{"note": "no labels"}')
    (inputs["backbone"] / "history.csv").unlink()
    page, made = write_page(inputs, map="tsne")
    content = content_of(page)
    assert (content["confusion"], content["selection"], made.figures["num_selected"]) == (None, [], 0)
    assert (content["map"]["points"][0]["x"], content["map"]["points"][0]["y"]) == (0, 0)


def test_a_figure_that_is_no_number_becomes_null(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs()
    inputs["metrics"].write_text('{"effective_rank": NaN, "knn": {"backbone": Infinity}}')
    (inputs["backbone"] / "history.csv").write_text("epoch,loss\n1,nan\n")
    content = content_of(write_page(inputs)[0])
    assert content["metrics"] == {"effective_rank": None, "knn": {"backbone": None}}
    assert content["history"] == [{"epoch": 1, "loss": None}]


def test_a_selected_sample_that_left_the_data_set_keeps_its_row(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs()
    path = inputs["selection"] / "selection.parquet"
    table = pq.read_table(path)
    ids = ["gone", *table["sample_id"].to_pylist()[1:]]
    pq.write_table(table.set_column(1, "sample_id", [ids]), path)
    content = content_of(write_page(inputs)[0])
    assert [pick["large"] for pick in content["selection"]] == [None, 0, 1, 2]


def test_outputs_of_another_model_are_pointed_out(
    make_inputs: Make, write_page: Make, content_of: Make
) -> None:
    inputs = make_inputs()
    assert content_of(write_page(inputs, "fits")[0])["warnings"] == []
    inputs["metrics"].write_text(json.dumps({"model_id": "older"}))
    (warning,) = content_of(write_page(inputs, "older")[0])["warnings"]
    assert "evaluate: made with model older" in warning
    assert "run 'sslflow evaluate' again" in warning


def test_a_sample_without_embedding_says_what_to_run(make_inputs: Make, write_page: Make) -> None:
    inputs = make_inputs()
    path = inputs["embeddings"] / "part-00000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 5), path)
    with pytest.raises(UserError, match="7 samples have no embedding: run 'sslflow embed' first"):
        write_page(inputs)


@pytest.mark.parametrize(
    ("missing", "stage"),
    [
        ("metrics", "evaluate"),
        ("selection/selection.parquet", "select"),
        ("dataset/quarantine.parquet", "ingest"),
        ("dataset/dataset.json", "ingest"),
        ("backbone/model.json", "pretrain"),
        ("embeddings/part-00000.parquet", "embed"),
    ],
)
def test_a_missing_input_names_itself_and_its_stage(
    make_inputs: Make, write_page: Make, missing: str, stage: str
) -> None:
    inputs = make_inputs()
    folder, _, name = missing.partition("/")
    path: Path = inputs[folder] / name if name else inputs[folder]
    path.unlink()
    with pytest.raises(UserError, match=f"sslflow {stage}") as raised:
        write_page(inputs)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("broken", ["metrics", "selection/selection.parquet"])
def test_a_damaged_input_names_itself(make_inputs: Make, write_page: Make, broken: str) -> None:
    inputs = make_inputs()
    folder, _, name = broken.partition("/")
    path: Path = inputs[folder] / name if name else inputs[folder]
    path.write_bytes(b"no such thing")
    with pytest.raises(UserError, match=path.name) as raised:
        write_page(inputs)
    assert "\n" not in str(raised.value)
