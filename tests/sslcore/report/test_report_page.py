"""The page holds what the stages wrote, whatever is missing, and nothing from outside becomes markup."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sslcore.errors import UserError

HOSTILE = "</script><img src=x onerror=alert(1)>"


def content_of(page: Path) -> dict[str, Any]:
    (data,) = re.findall(
        r'<script type="application/json" id="content">(.*?)</script>', page.read_text("utf-8")
    )
    content: dict[str, Any] = json.loads(data)
    return content


def test_all_that_was_selected_is_on_the_map_with_its_reason(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    page, made = write_page(make_inputs(), max_points=6)
    content = content_of(page)
    ranks = [point["rank"] for point in content["map"]["points"] if "rank" in point]
    assert (sorted(ranks), len(content["map"]["points"])) == ([1, 2, 3, 4], 6)
    assert [pick["name"] for pick in content["selection"]] == ["08.png", "09.png", "10.png", "11.png"]
    assert made.figures["num_selected"] == 4


def test_selected_samples_are_there_even_beyond_the_limit(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    page, _ = write_page(make_inputs(), max_points=2)
    assert len(content_of(page)["map"]["points"]) == 4


def test_text_from_outside_cannot_end_the_script(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    page, _ = write_page(make_inputs(label=HOSTILE), title=HOSTILE)
    assert HOSTILE not in page.read_text("utf-8")
    content = content_of(page)
    assert content["title"] == HOSTILE
    assert HOSTILE in content["confusion"]["classes"]


def test_the_same_inputs_give_the_same_bytes(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    inputs = make_inputs()
    assert (
        write_page(inputs, "a", map="tsne")[0].read_bytes()
        == write_page(inputs, "b", map="tsne")[0].read_bytes()
    )


def test_counts_of_the_confusion_are_by_hand(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    page, _ = write_page(make_inputs())
    assert content_of(page)["confusion"] == {"classes": ["cat", "dog"], "counts": [[1, 1], [0, 0]]}


def test_the_history_leaves_out_what_was_not_measured(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    page, _ = write_page(make_inputs())
    first, second = content_of(page)["history"]
    assert first == {"epoch": 1, "loss": 2.5, "lr": 0.1}
    assert second["knn_accuracy"] == 0.5


def test_one_sample_nothing_selected_nothing_measured(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    inputs = make_inputs(num_images=2, num_selected=0)
    (inputs["plots"] / "confusion.csv").write_text("actual,predicted\n")
    inputs["metrics"].write_text('{"note": "no labels"}')
    page, made = write_page(inputs)
    content = content_of(page)
    assert (content["confusion"], content["selection"], made.figures["num_selected"]) == (None, [], 0)


def test_a_sample_without_embedding_says_what_to_run(
    make_inputs: Callable[..., Any], write_page: Callable[..., Any]
) -> None:
    inputs = make_inputs()
    import pyarrow.parquet as pq

    path = inputs["embeddings"] / "part-00000.parquet"
    pq.write_table(pq.read_table(path).slice(0, 5), path)
    with pytest.raises(UserError, match="7 samples have no embedding: run 'sslflow embed' first"):
        write_page(inputs)
