"""Two-dimensional maps against a closed form, and for very few samples."""

import numpy as np
import pytest

from sslcore.embedding.maps import pca_2d, tsne_2d


def test_pca_of_a_rotated_ellipse_finds_its_axes() -> None:
    plane = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    points = pca_2d(plane @ rotation[:2] + 7.0)
    assert np.allclose(np.abs(points), np.abs(plane), atol=1e-5)
    assert points[0, 0] == pytest.approx(3.0, abs=1e-5)  # the largest coordinate is positive
    assert points[2, 1] == pytest.approx(1.0, abs=1e-5)


def test_wide_and_tall_matrices_give_the_same_map() -> None:
    tall = np.random.default_rng(1).normal(size=(30, 6)) * np.array([5, 4, 1, 1, 1, 1])
    wide = np.concatenate([tall, np.zeros((30, 100))], axis=1)
    assert np.allclose(pca_2d(tall), pca_2d(wide), atol=1e-4)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 40])
def test_maps_of_few_samples_are_finite(n: int) -> None:
    vectors = np.random.default_rng(n).normal(size=(n, 8)).astype(np.float32)
    for points in (pca_2d(vectors), tsne_2d(vectors)):
        assert points.shape == (n, 2)
        assert points.dtype == np.float32
        assert np.isfinite(points).all()


def test_equal_samples_are_one_point() -> None:
    assert not pca_2d(np.ones((9, 4))).any()
    assert not tsne_2d(np.ones((9, 4))).any()


def test_tsne_keeps_groups_together_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    vectors = np.repeat(10 * np.eye(3), 20, axis=0) + 0.1 * rng.normal(size=(60, 3))
    points = tsne_2d(vectors, seed=3)
    nearest = [np.argsort(((points - p) ** 2).sum(axis=1))[1] for p in points]
    assert all(i // 20 == int(j) // 20 for i, j in enumerate(nearest))
    assert np.array_equal(points, tsne_2d(vectors, seed=3))


def test_tsne_without_scikit_learn_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from sslcore.errors import UserError

    monkeypatch.setitem(__import__("sys").modules, "sklearn.manifold", None)
    with pytest.raises(UserError, match="needs scikit-learn.*map: pca"):
        tsne_2d(np.random.default_rng(0).normal(size=(9, 4)))
