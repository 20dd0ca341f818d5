"""Scores of segmentations and keypoints, and that the list of scorers says what there is."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from sslcore.errors import UserError
from sslcore.selection.scorers import (
    SCORERS,
    Detections,
    classification_scores,
    keypoint_scores,
    object_detection_scores,
    semantic_segmentation_scores,
)


def test_pixels_are_scored_one_by_one_and_averaged() -> None:
    draw = np.random.default_rng(0)
    images = [draw.dirichlet(np.ones(5), size=size) for size in ((3, 4), (2, 2))]
    got = semantic_segmentation_scores(images)
    for name, scores in got.items():
        expected = []
        for image in images:
            pixels = [classification_scores([p])[name][0] for row in image for p in row]
            expected.append(sum(pixels) / len(pixels))
        np.testing.assert_allclose(scores, expected)


def test_a_generator_is_read_one_image_at_a_time() -> None:
    alive: list[int] = []

    def predictions() -> Iterator[NDArray[np.float64]]:
        for number in range(3):
            alive.append(number)
            yield np.full((2, 2, 4), 0.25)

    assert semantic_segmentation_scores(predictions())["uncertainty_margin"].tolist() == [1.0, 1.0, 1.0]
    assert alive == [0, 1, 2]
    assert semantic_segmentation_scores([])["uncertainty_margin"].shape == (0,)


def test_bad_pixels_name_their_image() -> None:
    fine = np.full((1, 1, 2), 0.5)
    with pytest.raises(UserError, match=re.escape("1 of 1 rows of the prediction of image 1, first row 0")):
        semantic_segmentation_scores([fine, fine * np.nan])
    with pytest.raises(UserError, match=re.escape("the prediction of image 0 has no pixels: [0, 2, 2]")):
        semantic_segmentation_scores([np.empty((0, 2, 2))])


def test_keypoints_worked_by_hand() -> None:
    person = [[10.0, 20.0, 0.9], [11.0, 21.0, 0.5]]  # mean .7
    flat = [1.0, 2.0, 0.1, 3.0, 4.0, 0.5]  # mean .3
    got = keypoint_scores([[person, flat], [flat, []], [], [[]]])["mean_uncertainty"]
    np.testing.assert_allclose(got, [1 - 0.5, 1 - 0.3, 0.0, 0.0])


def test_keypoints_that_cannot_be_are_refused() -> None:
    with pytest.raises(UserError, match="keypoints of image 1 must be x, y, confidence each"):
        keypoint_scores([[], [[1.0, 2.0]]])
    with pytest.raises(UserError, match=re.escape("confidences of image 0 must be in [0, 1], got [nan]")):
        keypoint_scores([[[1.0, 2.0, np.nan]]])


def test_the_list_names_every_score() -> None:
    box = Detections.from_scores([0.5], [0], num_classes=2)
    made = {
        "classification": classification_scores([[1.0]]),
        "keypoints": keypoint_scores([]),
        "object_detection": object_detection_scores([box]),
        "semantic_segmentation": semantic_segmentation_scores([]),
    }
    assert set(made) == set(SCORERS)
    assert all(name in SCORERS[task] for task, scores in made.items() for name in scores)
