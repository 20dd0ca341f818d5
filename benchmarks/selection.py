"""Selection beside lightly-mundig, scikit-activeml, apricot, submodlib and faiss: seconds and peak memory.

    python benchmarks/selection.py --setup            # the peers, into an environment of their own
    python benchmarks/selection.py                    # the rows that take seconds
    python benchmarks/selection.py kcenter-1m --json out.json
    python benchmarks/selection.py --list

Every figure is taken in a process of its own, ours and the peer's one after the other on the same vectors,
with as many threads as --threads says. Time is that of the call, import and reading excluded; memory is the
peak of the process above what it had when the vectors were read, mapped files not counted. Vectors are
clusters of unit length with 5 % near-copies, drawn from a seed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from selection_rows import ROWS, Row

HERE = Path(__file__).resolve().parent
PEERS = ["lightly-mundig", "scikit-activeml", "apricot-select", "submodlib-py", "faiss-cpu"]


def make_vectors(path: Path, shape: tuple[int, int], dtype: str) -> None:
    """Write clusters of unit vectors, 5 % of them near-copies of others, in blocks."""
    total, dim = shape
    centres = np.random.default_rng(0).normal(size=(200, dim)).astype(np.float32)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    for number, start in enumerate(range(0, total, 10_000)):
        rng = np.random.default_rng([1, number])
        count = min(10_000, total - start)
        spread = rng.uniform(0.4, 1.4, size=(count, 1)).astype(np.float32)
        noise = rng.standard_normal((count, dim), dtype=np.float32)
        x = centres[rng.integers(0, 200, count)] + spread * noise
        copies = count // 20
        x[-copies:] = x[:copies] + 0.1 * noise[-copies:]
        out[start : start + count] = x / np.linalg.norm(x, axis=1, keepdims=True)
    out.flush()


def run_ours(
    path: Path,
    *,
    strategy: str,
    k: int,
    map: bool = False,
    classes: int = 0,
    dedup: Any = None,
    memory: str | None = None,
) -> tuple[Callable[[], Any], Callable[[Any], dict[str, Any]]]:
    """Return the call that is timed, and what to say about its result."""
    import torch

    from sslcore.selection import select

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    x = np.load(path, mmap_mode="r" if map else None)
    probs = None
    if classes:
        logits = np.asarray(x[:, :classes], np.float64) * 20
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    def call() -> Any:
        return select(x, k, strategy=strategy, probs=probs, labelled=[], dedup=dedup, memory=memory, seed=0)

    def say(selection: Any) -> dict[str, Any]:
        said: dict[str, Any] = {"picks": selection.indices[:20_000].tolist()}
        if dedup is not None:
            said["dropped"] = selection.plan["num_duplicates"]
        return said

    return call, say


def run_peer(
    name: str, path: Path, arguments: dict[str, Any]
) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """Return the call of a peer that is timed, and what to say about its result."""
    x = np.load(path)
    k = arguments.get("k", 0)

    def picks(found: Any) -> dict[str, Any]:
        return {"picks": [int(i) for i in found]}

    if name == "numpy":
        return (lambda: by_the_book(x, k)), picks
    if name == "full":
        return (lambda: full_herding(x, k)), picks
    if name == "lightly-mundig":
        from lightly_mundig import Selection

        chooser = Selection()  # its reading of the vectors is not in its time
        try:
            chooser.add_diversifying_strategy(x, 1.0)
        except TypeError:
            chooser.add_diversifying_strategy(x.tolist(), 1.0)
        return (lambda: chooser.run_selection([], len(x), k)), picks
    if name == "apricot":
        from apricot import FacilityLocationSelection

        def apricot() -> Any:
            kernel = np.exp(-np.maximum(2 - 2 * (x @ x.T), 0))
            return FacilityLocationSelection(k, metric="precomputed", optimizer="lazy").fit(kernel).ranking

        return apricot, picks
    if name == "submodlib":
        from submodlib import FacilityLocationFunction

        def submodlib() -> Any:
            kernel = np.exp(-np.maximum(2 - 2 * (x @ x.T), 0))
            function = FacilityLocationFunction(n=len(x), mode="dense", sijs=kernel, separate_rep=False)
            return [i for i, _ in function.maximize(budget=k, optimizer="LazyGreedy", show_progress=False)]

        return submodlib, picks
    if name == "scikit-activeml":
        from skactiveml import pool

        query = getattr(pool, arguments["what"])(random_state=0)
        y = np.full(len(x), np.nan)
        return (lambda: query.query(X=x, y=y, batch_size=k)), picks
    return run_faiss(x, arguments)


def run_faiss(x: Any, arguments: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """Return faiss's k-means with the nearest row of each centre, or all pairs within a distance."""
    import faiss

    faiss.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

    def kmeans() -> Any:
        found = faiss.Kmeans(x.shape[1], arguments["k"], niter=20, seed=0)
        found.train(x)
        index = faiss.IndexFlatL2(x.shape[1])
        index.add(x)
        return index.search(found.centroids, 1)[1][:, 0]

    def pairs() -> Any:
        index = faiss.IndexFlatL2(x.shape[1])
        index.add(x)
        limits, _, others = index.range_search(x, arguments["distance"] ** 2)
        kept = np.ones(len(x), bool)
        for row in range(len(x)):
            near = others[limits[row] : limits[row + 1]]
            kept[row] = not kept[near[near < row]].any()
        return np.flatnonzero(~kept)

    if arguments["what"] == "kmeans":
        return kmeans, lambda found: {"picks": [int(i) for i in found]}
    return pairs, lambda found: {"dropped": len(found)}


def by_the_book(x: Any, k: int) -> list[int]:
    """Return farthest-first picks, one pass over all float64 vectors per pick."""
    wide = x.astype(np.float64)
    squared = (wide * wide).sum(axis=1)
    pick = int(((wide - wide.mean(axis=0)) ** 2).sum(axis=1).argmin())
    best, picks = np.full(len(x), np.inf), []
    for _ in range(k):
        picks.append(pick)
        best = np.minimum(best, squared + squared[pick] - 2 * (wide @ wide[pick]))
        best[pick] = -1
        pick = int(best.argmax())
    return picks


def full_herding(x: Any, k: int) -> list[int]:
    """Return MaxHerding's picks with the kernel of all pairs kept (5 GB at 50k)."""
    from sslcore.selection import covering, select

    covering.WHOLE = len(x) ** 2
    return select(x, k, strategy="maxherding", labelled=[], memory="7GB").indices.tolist()


def coverage(x: Any, picks: list[int]) -> float:
    """Return the mean coverage of all vectors."""
    best, chosen = np.zeros(len(x)), x[picks]
    for start in range(0, len(x), 2000):
        squared = np.maximum(2 - 2 * (x[start : start + 2000] @ chosen.T), 0)
        best[start : start + 2000] = np.exp(-squared).max(axis=1)
    return float(best.mean())


def radius(x: Any, picks: list[int]) -> float:
    """Return the covering radius."""
    worst, chosen = 0.0, x[picks]
    for start in range(0, len(x), 2000):
        squared = np.maximum(2 - 2 * (x[start : start + 2000] @ chosen.T), 0)
        worst = max(worst, float(squared.min(axis=1).max()))
    return worst**0.5


def spread(x: Any, picks: list[int]) -> float:
    """Return the mean squared distance to the nearest pick."""
    total, chosen = 0.0, x[picks]
    for start in range(0, len(x), 2000):
        squared = np.maximum(2 - 2 * (x[start : start + 2000] @ chosen.T), 0)
        total += float(squared.min(axis=1).sum())
    return total / len(x)


QUALITY = {
    "kcenter": ("radius", radius),
    "maxherding": ("coverage", coverage),
    "kmeans": ("mean d^2", spread),
}


def one(side: str, path: Path, arguments: dict[str, Any]) -> None:
    """Run one side and print what was measured, as JSON."""
    call, say = run_ours(path, **arguments) if side == "ours" else run_peer(side, path, arguments)
    before, peak = Peak.now(), Peak()
    start = time.perf_counter()
    found = call()
    seconds = time.perf_counter() - start
    peak.stop.set()
    print(json.dumps({"seconds": seconds, "mb": peak.mb - before, **say(found)}))


class Peak:
    """The most memory of this process that is no mapped file, looked at 50 times a second."""

    def __init__(self) -> None:
        """Begin to look."""
        self.mb, self.stop = self.now(), threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)
        self.thread.start()

    def _look(self) -> None:
        while not self.stop.wait(0.02):
            self.mb = max(self.mb, self.now())

    @staticmethod
    def now() -> float:
        """Return what it is now, in MB."""
        with open("/proc/self/status", encoding="ascii") as lines:
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon"))


def measure(
    side: str, python: str, path: Path, arguments: dict[str, Any], options: argparse.Namespace
) -> Any:
    """Run one side in a process of its own."""
    threads = str(options.threads)
    environment = {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        "RAYON_NUM_THREADS": threads,
        "PYTHONPATH": str(HERE.parent),
    }
    command = [python, __file__, "--one", side, str(path), json.dumps(arguments)]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=options.timeout)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["killed"])[-1]
        return {"failed": last}
    return json.loads(ran.stdout.splitlines()[-1])


def run_row(name: str, options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """Measure one row, print it, and return what goes into the JSON."""
    row = ROWS[name]
    path = work / f"{row.shape[0]}-{row.shape[1]}-{row.dtype}.npy"
    if not path.exists():
        make_vectors(path, row.shape, row.dtype)
    best: Any = None
    for _ in range(options.repeat):
        got = measure("ours", sys.executable, path, row.ours, options)
        if "failed" not in got and (best is None or got["seconds"] < best["seconds"]):
            best = got
    if best is None:
        print(f"{row.work}: ours failed: {got['failed']}")
        return []
    found = f", {best['dropped']} dropped" if "dropped" in best else _quality(row, path, best)
    print(f"{row.work}\n    ours {best['seconds']:.2f} s, {best['mb']:.0f} MB{found}", flush=True)
    lines = []
    for peer, arguments in row.peers.items():
        python = sys.executable if peer in ("numpy", "full") else str(options.peers / "bin" / "python")
        given = {key: value for key, value in arguments.items() if key != "times"}
        try:
            got = measure(peer, python, path, given, options)
        except subprocess.TimeoutExpired:
            got = {"failed": f"more than {options.timeout} s"}
        if "failed" in got:
            print(f"    {peer}: {got['failed']}", flush=True)
            continue
        seconds = got["seconds"] * arguments.get("times", 1)
        note = f"{best['mb']:.0f} MB, peer {got['mb']:.0f} MB" + _agreement(best, got)
        ratio = seconds / best["seconds"]
        print(
            f"    {peer} {seconds:.2f} s, {got['mb']:.0f} MB{_quality(row, path, got)}: {ratio:.1f}x",
            flush=True,
        )
        print(f"    {note}", flush=True)
        lines.append(
            {
                "name": row.work,
                "ours": best["seconds"],
                "peer": seconds,
                "peer_name": peer,
                "ratio": ratio,
                "unit": "s",
                "note": note,
            }
        )
    return lines or [{"name": row.work, "ours": best["seconds"], "peer": None, "peer_name": None}]


def _agreement(ours: dict[str, Any], peer: dict[str, Any]) -> str:
    if "picks" in ours and "picks" in peer and len(ours["picks"]) == len(peer["picks"]) > 1:
        same = len(set(ours["picks"]) & set(peer["picks"]))
        order = ", in the same order" if ours["picks"] == peer["picks"] else ""
        return f"; {same} of {len(ours['picks'])} picks are the same{order}"
    if "dropped" in peer:
        return f"; {ours.get('dropped')} dropped, peer {peer['dropped']}"
    return ""


def _quality(row: Row, path: Path, got: dict[str, Any]) -> str:
    if (
        row.ours["strategy"] not in QUALITY
        or row.shape[0] > 100_000
        or len(got.get("picks", "")) not in range(2, 1001)
    ):
        return ""
    name, function = QUALITY[row.ours["strategy"]]
    return f", {name} {function(np.load(path), got['picks']):.5f}"


def main() -> None:
    """Read the command line and run."""
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help="which rows; all that take seconds if none is named"
    )
    parser.add_argument("--setup", action="store_true", help="install the peers and stop")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "sslflow-selection-peers")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "sslflow-selection-bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=1, help="runs of ours, of which the best counts")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one run")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.setup:
        subprocess.run([sys.executable, "-m", "venv", str(options.peers)], check=True)
        subprocess.run([str(options.peers / "bin" / "python"), "-m", "pip", "install", *PEERS], check=True)
        return
    if options.list:
        print("\n".join(f"{name:22}{row.work}" for name, row in ROWS.items()))
        return
    wrong = sorted(set(options.rows) - set(ROWS))
    if wrong:
        parser.error(f"no row {', '.join(wrong)}; there are {', '.join(ROWS)}")
    options.work.mkdir(parents=True, exist_ok=True)
    lines = []
    for name in options.rows or [name for name, row in ROWS.items() if row.quick]:
        lines += run_row(name, options, options.work)
    if options.json:
        options.json.write_text(json.dumps(lines, indent=1))


if __name__ == "__main__":
    main()
