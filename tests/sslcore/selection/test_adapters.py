"""Those who come from scikit-activeml or from lightly's agent find what they know."""

import numpy as np
import pytest

from sslcore.errors import UserError
from sslcore.selection import select
from sslcore.selection.adapters import ActiveLearningAgent, Query

X = np.random.default_rng(0).normal(size=(12, 3))
NAMES = [f"{row}.png" for row in range(12)]


def test_query_leaves_out_what_has_a_class() -> None:
    y = np.full(12, np.nan)
    y[[2, 5]] = [0.0, 1.0]
    got = Query("kcenter", seed=1).query(X, y, batch_size=4)
    assert got.tolist() == select(X, 4, strategy="kcenter", labelled=[2, 5], seed=1).indices.tolist()
    assert Query("kcenter").query(X).tolist() == select(X, 1, strategy="kcenter").indices.tolist()
    strings = [None] * 6 + ["cat"] * 6
    assert set(Query("random").query(X, strings, batch_size=6).tolist()) == set(range(6))


def test_query_passes_on_what_belongs_to_it() -> None:
    got = Query("coral", dedup=0.01).query(X, batch_size=1, scores={"score": np.arange(12)})
    assert got.tolist() == [11]


def test_n_samples_is_the_size_of_the_labelled_set() -> None:
    agent = ActiveLearningAgent(X, NAMES, preselected=["3.png", "1.png"])
    assert agent.labelled_set == ["1.png", "3.png"]
    selection = agent.query(5)
    assert selection is not None
    assert agent.added_set == [NAMES[row] for row in selection.indices]
    assert len(agent.added_set) == 3
    assert len(agent.labelled_set) == 5
    assert agent.unlabelled_set == [name for name in NAMES if name not in agent.labelled_set]
    agent.query(6)
    assert len(agent.added_set) == 1
    assert agent.query(6) is None
    assert agent.added_set == []


def test_only_the_query_set_is_picked_and_scores_are_in_the_order_of_the_unlabelled_set() -> None:
    agent = ActiveLearningAgent(X, NAMES, query=["9.png", "4.png", "1.png"], preselected=["1.png"])
    assert agent.query_set == ["1.png", "4.png", "9.png"]
    assert agent.unlabelled_set == ["4.png", "9.png"]
    agent.query(2, strategy="coral", scores={"score": [0.0, 1.0]})
    assert agent.added_set == ["9.png"]
    with pytest.raises(UserError, match=r"scores\['score'\] must be one for each of 1 in unlabelled_set"):
        agent.query(3, strategy="coral", scores={"score": [0.0, 1.0]})
    with pytest.raises(UserError, match="size of the labelled set after the round: at most 3, got 4"):
        agent.query(4)


def test_names_are_checked() -> None:
    with pytest.raises(UserError, match="1 filenames are there twice"):
        ActiveLearningAgent(X, [*NAMES[:11], "0.png"])
    with pytest.raises(UserError, match="1 names are not among the filenames, first 'x.png'"):
        ActiveLearningAgent(X, NAMES, preselected=["x.png"])


def test_an_agent_reads_chunks_once_for_all_rounds() -> None:
    agent = ActiveLearningAgent(iter([X[:5], X[5:]]), NAMES)
    whole = ActiveLearningAgent(X, NAMES)
    for total in (3, 6):
        agent.query(total)
        whole.query(total)
        assert agent.added_set == whole.added_set
