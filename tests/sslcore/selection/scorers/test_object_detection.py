"""Scores of detections: numbers worked by hand, and the degenerate cases."""

import math
import re

import numpy as np
import pytest

from sslcore.errors import ConfigError, UserError
from sslcore.selection.scorers import Detections, object_detection_scores

NOTHING = Detections.from_probabilities([], [])


def labelled(*labels: int) -> Detections:
    return Detections.from_scores([0.5] * len(labels), labels, num_classes=4)


def test_object_frequency_worked_by_hand() -> None:
    # Counts: 0; 1; 1 + .25 + 1 = 2.25; 1 + 3 * .25 = 1.75. Stretched from [0, 2.25] to [.9, 1].
    images = [NOTHING, labelled(2), labelled(1, 1, 3), labelled(0, 0, 0, 0)]
    got = object_detection_scores(images)["object_frequency"]
    np.testing.assert_allclose(got, [0.9, 0.9 + 0.1 / 2.25, 1.0, 0.9 + 0.1 * 1.75 / 2.25])


def test_frequency_penalty_and_least_score_are_used() -> None:
    images = [labelled(1), labelled(1, 1), labelled(1, 2, 3)]
    got = object_detection_scores(images, frequency_penalty=1.0, min_score=0.5)["object_frequency"]
    np.testing.assert_allclose(got, [0.5, 0.75, 1.0])
    got = object_detection_scores(images, frequency_penalty=0.0, min_score=0.0)["object_frequency"]
    np.testing.assert_allclose(got, [0.0, 0.0, 1.0])


def test_equal_counts_give_no_preference() -> None:
    got = object_detection_scores([labelled(1), labelled(2)])["object_frequency"]
    assert got.tolist() == [1.0, 1.0]
    assert object_detection_scores([NOTHING])["object_frequency"].tolist() == [1.0]


def test_objectness_and_class_scores_worked_by_hand() -> None:
    image = Detections.from_probabilities([0.8, 0.5], [[0.5, 0.3, 0.2], [0.0, 1.0, 0.0]])
    got = object_detection_scores([image, NOTHING])
    assert image.labels.tolist() == [0, 1]
    # 1 - (0.8 * 0.5 + 0.5 * 1) / 2 = 0.55; the largest over boxes is the first box's; no box: 0.
    np.testing.assert_allclose(got["objectness_least_confidence"], [0.55, 0.0])
    np.testing.assert_allclose(got["uncertainty_least_confidence"], [0.75, 0.0])
    np.testing.assert_allclose(got["uncertainty_margin"], [0.8, 0.0])
    np.testing.assert_allclose(got["uncertainty_entropy"], [0.937227, 0.0], rtol=1e-5)


def test_scores_alone_share_the_rest_among_the_other_classes() -> None:
    image = Detections.from_scores([0.7], [2], num_classes=4)
    np.testing.assert_allclose(image.class_probs, [[0.1, 0.1, 0.7, 0.1]])
    got = object_detection_scores([image])
    assert got["objectness_least_confidence"][0] == pytest.approx(0.3)
    assert got["uncertainty_margin"][0] == pytest.approx(0.4)
    bits = -(0.7 * math.log2(0.7) + 0.3 * math.log2(0.1))
    assert got["uncertainty_entropy"][0] == pytest.approx(bits / 2)


def test_one_class_is_never_uncertain() -> None:
    got = object_detection_scores([Detections.from_scores([0.4, 0.2], [0, 0], num_classes=1)])
    assert got["uncertainty_entropy"].tolist() == [0.0]
    assert got["objectness_least_confidence"][0] == pytest.approx(0.7)


def test_no_image_is_no_score() -> None:
    assert all(scores.shape == (0,) for scores in object_detection_scores([]).values())


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match=re.escape("scores must be in [0, 1], got [1.5]")):
        Detections.from_scores([1.5], [0], num_classes=2)
    with pytest.raises(UserError, match=re.escape("objectness must be in [0, 1], got [nan]")):
        Detections.from_probabilities([np.nan], [[1.0]])
    with pytest.raises(UserError, match="labels must be whole numbers from 0 to 1, got"):
        Detections.from_scores([0.5], [2], num_classes=2)
    with pytest.raises(UserError, match="labels must be one for each of 2 boxes, got 1"):
        Detections.from_scores([0.5, 0.5], [0], num_classes=2)
    with pytest.raises(UserError, match="class_probs must have a row for each of 2 boxes, got 1"):
        Detections.from_probabilities([0.5, 0.5], [[1.0, 0.0]])
    with pytest.raises(ConfigError, match=re.escape("min_score must be in [0, 1], got 2")):
        object_detection_scores([NOTHING], min_score=2)
