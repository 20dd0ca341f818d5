"""Average-link agglomerative clustering of a few thousand vectors."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_link"]


def average_link(x_ND: NDArray[np.float64], num_clusters: int) -> NDArray[np.int64]:
    """Merge the two clusters with the least mean distance until ``num_clusters`` are left.

    By chains of nearest neighbours (Murtagh, "A Survey of Recent Advances in Hierarchical Clustering
    Algorithms", 1983), which finds the same tree in O(N^2) time. N x N distances are in memory, float32.

    Args:
        x_ND: Vectors.
        num_clusters: From 1 to N.

    Returns:
        Number of each vector's cluster, numbered by their first member [N].
    """
    return _cut(_merges(_distances(x_ND)), len(x_ND), num_clusters)


def _distances(x_ND: NDArray[np.float64]) -> NDArray[np.float32]:
    squared = np.einsum("nd,nd->n", x_ND, x_ND)
    found = np.empty((len(x_ND), len(x_ND)), np.float32)
    for start in range(0, len(x_ND), 1024):
        rows = slice(start, start + 1024)
        between = squared[rows, None] + squared - 2 * (x_ND[rows] @ x_ND.T)
        found[rows] = np.sqrt(np.clip(between, 0, None))
    np.fill_diagonal(found, np.inf)
    return found


def _merges(d_NN: NDArray[np.float32]) -> list[tuple[float, int, int]]:
    """Return (height, a, b) of all N - 1 merges, each with members of both sides; not in order of height."""
    sizes = np.ones(len(d_NN))
    alive = np.ones(len(d_NN), bool)
    chain: list[int] = []
    merges = []
    for _ in range(len(d_NN) - 1):
        if not chain:
            chain = [int(alive.argmax())]
        while True:
            last = chain[-1]
            nearest = int(d_NN[last].argmin())
            # The one before wins a tie, or the chain would go round in circles.
            if len(chain) > 1 and d_NN[last, chain[-2]] <= d_NN[last, nearest]:
                break
            chain.append(nearest)
        a, b = sorted((chain.pop(), chain.pop()))
        merges.append((float(d_NN[a, b]), a, b))
        merged = (sizes[a] * d_NN[a] + sizes[b] * d_NN[b]) / (sizes[a] + sizes[b])
        merged[[a, b]] = np.inf
        sizes[a] += sizes[b]
        alive[b] = False
        d_NN[a] = d_NN[:, a] = merged
        d_NN[b] = d_NN[:, b] = np.inf
    return merges


def _cut(merges: list[tuple[float, int, int]], total: int, num_clusters: int) -> NDArray[np.int64]:
    root = np.arange(total)

    def find(item: int) -> int:
        while root[item] != item:
            root[item] = root[root[item]]
            item = int(root[item])
        return item

    for _, a, b in sorted(merges, key=lambda each: each[0])[: total - num_clusters]:
        first, second = sorted((find(a), find(b)))
        root[second] = first
    roots = np.array([find(item) for item in range(total)])
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)
