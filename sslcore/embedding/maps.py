"""Two-dimensional maps of embeddings: PCA, and t-SNE for the eye.

Shapes: N samples, D dimensions.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from sslcore.errors import UserError

__all__ = ["pca_2d", "tsne_2d"]


def pca_2d(vectors: NDArray[np.floating], seed: int = 0) -> NDArray[np.float32]:
    """Project on the two directions of the largest variance.

    Source: Pearson 1901; here the eigenvectors of the smaller Gram matrix of the centred vectors. Their
    sign is arbitrary: it is chosen so that the largest coordinate of each axis (the first of several)
    is positive.

    Args:
        vectors: Any float type, [N, D].
        seed: Not used; there is no chance in it. It is here so that maps can be exchanged.

    Returns:
        Coordinates, float32 [N, 2]; an axis along which nothing varies is 0.
    """
    del seed
    matrix = torch.from_numpy(np.asarray(vectors, dtype=np.float64))
    if matrix.shape[0] < 2 or matrix.shape[1] == 0:
        return np.zeros((matrix.shape[0], 2), dtype=np.float32)
    centred = matrix - matrix.mean(dim=0)
    # The smaller Gram matrix has at most min(N, D) rows, so any N fits.
    if centred.shape[0] >= centred.shape[1]:
        _, directions = torch.linalg.eigh(centred.T @ centred)
        axes = centred @ directions[:, -2:].flip(1)
    else:
        values, rows = torch.linalg.eigh(centred @ centred.T)
        axes = (rows * values.clamp_min(0).sqrt())[:, -2:].flip(1)
    points = np.zeros((len(matrix), 2))
    points[:, : axes.shape[1]] = axes.numpy()
    # What is left of a direction without variance is rounding, which would differ between machines.
    spread = np.abs(points).max(axis=0)
    points[:, spread <= 1e-7 * max(float(matrix.abs().max()), 1e-300)] = 0.0
    peaks = np.abs(np.round(points, 9)).argmax(axis=0)
    signs = np.where(points[peaks, [0, 1]] < 0, -1.0, 1.0)
    return (points * signs).astype(np.float32)


def tsne_2d(vectors: NDArray[np.floating], seed: int = 0) -> NDArray[np.float32]:
    """Lay samples out so that near neighbours stay near (t-SNE, started from PCA).

    Source: van der Maaten & Hinton, "Visualizing Data using t-SNE", JMLR 2008; the PCA start after Kobak
    & Berens, "The art of using t-SNE for single-cell transcriptomics", 2019,
    https://doi.org/10.1038/s41467-019-13056-x. Distances between far groups mean nothing.

    Args:
        vectors: Any float type, [N, D].
        seed: Seed of the optimizer.

    Returns:
        Coordinates, float32 [N, 2]. Fewer than 5 samples are laid out by PCA.

    Raises:
        UserError: If scikit-learn is not installed.
    """
    if len(vectors) < 5:
        return pca_2d(vectors, seed)
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        raise UserError("a t-SNE map needs scikit-learn: pip install scikit-learn, or set map: pca") from None
    start = pca_2d(vectors, seed).astype(np.float64)
    if not start.any():
        return np.zeros((len(vectors), 2), dtype=np.float32)  # all samples are one point
    # As scikit-learn scales its own PCA start: small beside the final map.
    start *= 1e-4 / start[:, 0].std()
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(n_components=2, init=start, perplexity=perplexity, random_state=seed, method="barnes_hut")
    points: NDArray[np.float32] = tsne.fit_transform(np.asarray(vectors, dtype=np.float32))
    return points.astype(np.float32)
