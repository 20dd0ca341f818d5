"""Speed of the strategies that ask a model, on drawn vectors: BADGE beside k-means++ on the same two factors.

The peer is what a careful NumPy program does: the distances of all samples to each new centre, in two
factors, in float32, one centre after the other (the full gradients of the usual program would be 50,000 x
3,840 numbers, and scikit-activeml's needed 24.6 GB for 100 classes). Both draw in proportion to squared
distances.

    OMP_NUM_THREADS=2 python benchmarks/selection_models.py [--json FILE]
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sslcore.selection import select


def plain_badge(p: NDArray[np.float64], x: NDArray[np.float32], k: int, seed: int) -> list[int]:
    """Return centres by k-means++ on gradients in two factors, one centre at a time."""
    a = p.astype(np.float32)
    a[np.arange(len(a)), a.argmax(axis=1)] -= 1
    squared = (a**2).sum(axis=1) * (x**2).sum(axis=1)
    rng, picks = np.random.default_rng(seed), [int(squared.argmax())]
    nearest = np.full(len(x), np.inf, np.float32)
    while len(picks) < k:
        last = picks[-1]
        to_last = squared + squared[last] - 2 * (a @ a[last]) * (x @ x[last])
        nearest = np.minimum(nearest, np.clip(to_last, 0, None))
        total = np.cumsum(nearest, dtype=np.float64)
        picks.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return picks


def seconds(call: Callable[[], Any], times: int) -> float:
    """Return the least of the times a call took."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return min(found)


def main() -> None:
    """Time both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--n", type=int, default=50_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--k", type=int, default=1000)
    parser.add_argument("--times", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=(args.n, args.dim)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    p = rng.dirichlet(np.full(args.classes, 0.3), size=args.n)
    what = f"badge {args.n} x {args.dim}, {args.classes} classes, k = {args.k}"
    ours = seconds(lambda: select(x, args.k, strategy="badge", probs=p), args.times)
    peer = seconds(lambda: plain_badge(p, x, args.k, 0), args.times)
    rows = [
        {
            "name": what,
            "ours": round(ours, 2),
            "peer": round(peer, 2),
            "peer_name": "k-means++ on two factors, NumPy",
            "ratio": round(peer / ours, 2),
            "unit": "s",
            "note": f"least of {args.times}; ours float64 with ties decided, the peer float32",
        }
    ]
    for row in rows:
        print(
            f"{row['name']}: ours {row['ours']} s, {row['peer_name']} {row['peer']} s, ratio {row['ratio']}"
        )
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
