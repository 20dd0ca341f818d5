"""How good the picks are: accuracy of a classifier trained on them, against labels drawn at random.

CIFAR-10 with features that are learnt without labels (patch_features.py), so that it runs without a GPU. In
each run (a seed) a pool is drawn from the training images, the same for all strategies; each picks 10, then
up to 50, 100, 500 and 1000 samples, whose labels it is then given, and multinomial logistic regression (C =
10) and 1-NN are trained on them and scored on all 10,000 test images. Strategies that ask a classifier
begin with auto's first 10. Differences to random are paired by run.

    python benchmarks/selection_quality.py --cifar DIR --cache DIR [--runs 10] [--minutes 6] [--json FILE]

Runs are kept in the cache one by one: called again, it goes on, so that it can be run in parts.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))
from patch_features import patch_features  # noqa: E402

from sslcore.selection import select  # noqa: E402
from sslcore.selection.strategies import PICKERS  # noqa: E402

BUDGETS = (10, 50, 100, 500, 1000)
STRATEGIES = (
    *("random", "auto", "uherding", "kmeans", "kcenter", "typiclust", "maxherding", "margin", "badge"),
    *("bait", "dropquery", "alfamix", "cluster_margin", "entropy"),
)
Scores = dict[str, dict[int, dict[int, tuple[float, float, float]]]]  # strategy -> budget -> run


def main() -> None:
    """Run what is missing, then print the table."""
    args = _arguments()
    data = patch_features(args.cifar, args.cache)
    kept = args.cache / f"selection-quality-{args.pool}.jsonl"
    scores = _read(kept)
    end = time.monotonic() + 60 * args.minutes
    wanted = [name for name in args.strategies if name in PICKERS]
    for name in sorted(set(args.strategies) - set(wanted)):
        print(f"no strategy is called {name} here; passed over", file=sys.stderr)
    for run in range(max(args.runs, args.first_runs)):
        budgets = BUDGETS if run < args.runs else BUDGETS[:1]
        for name in wanted:
            missing = [each for each in budgets if run not in scores.get(name, {}).get(each, {})]
            if missing and time.monotonic() < end:
                _one_run(name, run, budgets, data, args.pool, kept)
    _report(_read(kept), wanted, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--cifar", type=Path, required=True, help="folder with train/CLASS/*.jpg and test/CLASS/*.jpg"
    )
    parser.add_argument("--cache", type=Path, required=True, help="where features and runs are kept")
    parser.add_argument("--pool", type=int, default=20_000, help="images drawn for each run")
    parser.add_argument("--runs", type=int, default=10, help="paired runs")
    parser.add_argument("--first-runs", type=int, default=30, help="paired runs at 10 labels")
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after so long")
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--json", type=Path, help="write the table there")
    return parser.parse_args()


def _one_run(name: str, run: int, budgets: tuple[int, ...], data: Any, pool: int, kept: Path) -> None:
    """Pick, label and score, budget after budget; append to the file."""
    x_train, y_train, x_test, y_test = data
    rows = np.sort(np.random.default_rng(run).choice(len(x_train), pool, replace=False))
    x, y = x_train[rows], y_train[rows]
    chosen: list[int] = []
    for budget in budgets:
        known = np.full(len(x), -1)
        known[chosen] = y[chosen]
        classes = len(np.unique(y[chosen]))
        needs = PICKERS[name].needs & {"predictions", "models", "labels"}
        strategy = "auto" if needs and classes < 2 else name
        started = time.perf_counter()
        got = select(x, budget - len(chosen), strategy=strategy, labels=known, seed=run)
        seconds = time.perf_counter() - started
        chosen += got.indices.tolist()
        linear, nearest = _accuracy(x[chosen], y[chosen], x_test, y_test)
        line = {"strategy": name, "budget": budget, "run": run, "linear": linear, "nearest": nearest}
        with kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | {"seconds": round(seconds, 2)}) + "\n")
        print(
            f"{name} run {run} budget {budget}: {linear:.2f} {nearest:.2f} in {seconds:.1f} s",
            file=sys.stderr,
        )


def _accuracy(
    x: NDArray[np.float32], y: NDArray[np.int64], x_test: NDArray[np.float32], y_test: NDArray[np.int64]
) -> tuple[float, float]:
    """Return the accuracy of logistic regression and of the nearest neighbour, in percent."""
    from sklearn.linear_model import LogisticRegression

    nearest = y[(x_test @ x.T).argmax(axis=1)]
    linear = np.full(len(y_test), y[0])
    if len(np.unique(y)) > 1:
        linear = LogisticRegression(C=10, max_iter=300).fit(x, y).predict(x_test)
    return 100 * float((linear == y_test).mean()), 100 * float((nearest == y_test).mean())


def _read(kept: Path) -> Scores:
    scores: Scores = {}
    for text in kept.read_text(encoding="utf-8").splitlines() if kept.is_file() else ():
        line = json.loads(text)
        of_budget = scores.setdefault(line["strategy"], {}).setdefault(line["budget"], {})
        of_budget[line["run"]] = (line["linear"], line["nearest"], line["seconds"])
    return scores


def _report(scores: Scores, names: list[str], args: argparse.Namespace) -> None:
    """Print a table of accuracies and paired differences to random, and write it as JSON."""
    print(f"\nCIFAR-10, pools of {args.pool}: logistic regression (1-NN), mean over the runs; difference to")
    print("random of logistic regression with its standard error, over the runs that both have")
    rows = []
    for name in names:
        cells = []
        for budget in BUDGETS:
            ours, base = scores.get(name, {}).get(budget, {}), scores.get("random", {}).get(budget, {})
            both = sorted(ours.keys() & base.keys())
            if not both:
                cells.append("-")
                continue
            linear, nearest = (float(np.mean([ours[run][which] for run in both])) for which in (0, 1))
            gains = np.array([ours[run][0] - base[run][0] for run in both])
            error = float(gains.std(ddof=1) / len(gains) ** 0.5) if len(gains) > 1 else float("nan")
            cells.append(f"{linear:.1f} ({nearest:.1f}) {gains.mean():+.1f}±{error:.1f} n={len(both)}")
            random = float(np.mean([base[run][0] for run in both]))
            rows.append(
                {
                    "name": f"{name} at {budget} labels",
                    "ours": round(linear, 2),
                    "peer": round(random, 2),
                    "peer_name": "random",
                    "ratio": round(linear / random, 4),
                    "unit": "% accuracy of logistic regression",
                    "note": f"{len(both)} paired runs, difference {gains.mean():+.2f} ± {error:.2f}",
                }
            )
        print(f"| {name} | " + " | ".join(cells) + " |")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
