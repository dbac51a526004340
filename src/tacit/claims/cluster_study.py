"""A study of unlabelled rows: whether its choice is as good as the best candidate, and what it costs beside the usual commands."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._clusterers import beside
from tacit.claims._runs import tacit

LOSS, NUMBER, SPREAD = "largest loss to the best candidate", "k suggested, largest error", "spread of ACC"
PEERS = {"kmeans": "k-means", "spectral": "scikit-learn's spectral clustering", "umap-hdbscan": "UMAP + HDBSCAN"}


@dataclass(frozen=True)
class Rows:
    """A data set, how it is read, and the number of its classes."""

    name: str
    k: int
    split: str = ""
    counts: bool = False
    below: bool = True
    options: tuple[str, ...] = field(default=())

    def path(self, context: Context) -> str:
        return context.data(self.name) if self.below else self.name

    @property
    def words(self) -> list[str]:
        return [*(["--split", self.split] if self.split else []), *(["--counts"] if self.counts else []), *self.options]


DIGITS, MOONS, CIRCLES = Rows("digits", 10, below=False), Rows("moons", 2, below=False), Rows("circles", 2, below=False)
USPS, MNIST, CELLS = Rows("usps", 10, "all"), Rows("mnist", 10, "all"), Rows("cells", 16, counts=True)


def study(context: Context, rows: Rows, seed: int, base: Path) -> dict[str, Any]:
    """One study in a process of its own, told the number of classes and nothing else of the labels: its ``study.json``."""
    out = base / f"{rows.name}-{seed}"
    words = [rows.path(context), *rows.words, "--k", str(rows.k), "--seed", str(seed), "-o", str(out), "--overwrite", "--quiet"]
    tacit("cluster-study", *words)
    return json.loads((out / "study.json").read_text(encoding="utf-8"))


def run(sets: Sequence[Rows], small_sets: Sequence[Rows], value: str, context: Context) -> Result:
    """Studies of every set with every seed; the peers of each set for the first seed."""
    chosen = small_sets if context.small else sets
    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    found: dict[str, dict[int, dict[str, Any]]] = {r.name: {} for r in chosen}
    for r in chosen:
        for seed in context.seeds:
            facts = found[r.name][seed] = study(context, r, seed, base)
            context.say(
                f"{r.name} seed {seed}: ACC {acc(facts):.3f} by {facts['chosen']}, best candidate {best(facts):.3f}, "
                f"k suggested {facts['suggestion']['k']}, {facts['cpu_seconds'] / 60:.1f} min of processor"
            )
    extra: dict[str, float] = {}
    for r in chosen:
        runs = list(found[r.name].values())
        extra |= {
            f"{r.name} ACC": statistics.fmean(map(acc, runs)), f"{r.name} {SPREAD}": spread(map(acc, runs)),
            f"{r.name} loss": max(map(loss, runs)), f"{r.name} k suggested": statistics.fmean(f["suggestion"]["k"] for f in runs),
            f"{r.name} leftovers": statistics.fmean(f["leftovers"] / f["rows"] for f in runs),
            f"{r.name} processor minutes": statistics.fmean(f["cpu_seconds"] / 60 for f in runs),
            f"{r.name} minutes": statistics.fmean(f["seconds"] / 60 for f in runs),
            f"{r.name} MiB": max(f["peak_memory_mb"] for f in runs),
        }  # fmt: skip
        names = sorted({c["name"] for f in runs for c in f["candidates"]})
        for name in names:
            scores = [c["labels, not used"]["ACC"] for f in runs for c in f["candidates"] if c["name"] == name]
            extra[f"{r.name} candidate {name} ACC"] = statistics.fmean(scores)
        for which, name in PEERS.items():
            peer = beside(which, r.path(context), {"split": r.split} if r.split else {}, r.counts, r.k, context.seeds[0])
            extra |= {f"{r.name} {name} {k}": v for k, v in peer.items()}
    every = [f for by_seed in found.values() for f in by_seed.values()]
    extra[LOSS] = max(map(loss, every))
    extra[NUMBER] = max(abs(f["suggestion"]["k"] - r.k) for r in chosen for f in found[r.name].values())
    pick = {"loss": loss, "ACC": acc}[value]
    values = {s: max(pick(found[r.name][s]) for r in chosen) for s in context.seeds}
    return Result(values, extra, "the study is told the number of classes; candidates and peers on the same rows; peers for one seed")


def acc(facts: dict[str, Any]) -> float:
    """Hungarian ACC of the model's clusters."""
    return float(facts["labels, not used"]["ACC"])


def best(facts: dict[str, Any]) -> float:
    """ACC of the best candidate."""
    return max(float(c["labels, not used"]["ACC"]) for c in facts["candidates"])


def loss(facts: dict[str, Any]) -> float:
    """What the choice, as the model has it, loses to the best candidate."""
    return max(best(facts) - acc(facts), 0.0)


def spread(values: Any) -> float:
    """Largest minus smallest."""
    values = list(values)
    return max(values) - min(values)


def near(result: Result) -> bool:
    """No choice loses more than .03 to the best candidate, and no suggested number is off by more than one."""
    return result.extra[LOSS] <= 0.03 and result.extra[NUMBER] <= 1


def high(result: Result) -> bool:
    """A mean of .97 or more whose seeds lie within .02, and no more than .03 below the best candidate; ten minutes a seed."""
    values = list(result.values.values())
    quick = result.extra["mnist processor minutes"] <= 10
    return statistics.fmean(values) >= 0.97 and max(values) - min(values) <= 0.02 and near(result) and quick


def thinned(name: str, seed: int, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rows and labels of a set of which half of the classes keep one row in ten, at least 15."""
    from tacit import data

    source = data.load(name)
    assert source.labels is not None
    y, rng = source.labels, np.random.default_rng(seed)
    keep = rng.permutation(source.n)[:3000]
    few = rng.permutation(int(y.max()) + 1)[: (int(y.max()) + 1) // 2]
    for c in few:
        at = keep[y[keep] == c]
        keep = np.r_[keep[y[keep] != c], at[: max(round(share * len(at)), 15)]]
    keep = np.sort(keep)
    return source.take(keep), y[keep]


def blobs(seed: int, small: int, each: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Four Gaussian groups in five columns, 5 standard deviations apart at least; two of them of ``small`` rows."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(4), [each, small, each, small])
    return (6.0 * np.eye(5)[y] + rng.normal(size=(len(y), 5))).astype(np.float32), y


def imbalance(context: Context) -> Result:
    """ACC with classes of one size minus ACC with half of them at one tenth, k known to the study in both."""
    from tacit.metrics import accuracy
    from tacit.study import cluster_study

    values: dict[int, float] = {}
    losses: dict[str, list[float]] = {}
    names = ("blobs", "moons") if context.small else ("blobs", "moons", "circles", "digits")
    for seed in context.seeds:
        for name in names:
            both = []
            for share in (1.0, 0.1):
                x, y = blobs(seed, round(400 * share)) if name == "blobs" else thinned(name, seed, share)
                found = cluster_study(x, n_clusters=int(y.max()) + 1, seed=seed)
                both.append(accuracy(y, found.labels, bootstrap=0).value)
            losses.setdefault(name, []).append(both[0] - both[1])
            context.say(f"{name} seed {seed}: ACC {both[0]:.3f} even, {both[1]:.3f} at 1 : 10")
        values[seed] = max(losses[name][-1] for name in names)
    extra = {f"{n} loss at 1 : 10": statistics.fmean(v) for n, v in losses.items()}
    return Result(values, extra, "the largest loss of a seed; half of the classes keep one row in ten")


SOURCE = "this project's own procedure"
CLAIMS = (
    Claim(
        id="cluster-study", paper=SOURCE, published="none of the peers has one",
        what="what the study's choice loses in ACC to the best of its candidates, the worst of usps, digits, moons and circles; k within 1",
        run=partial(run, (USPS, DIGITS, MOONS, CIRCLES), (DIGITS, MOONS, CIRCLES), "loss"), threshold=near, larger=False, minutes=8,
        data=(),
    ),
    Claim(
        id="cluster-study-mnist", paper=SOURCE, published="autoencoder + UMAP + Gaussian mixture: .828 to .968 by the epoch",
        what="mean ACC of a study of MNIST's 70,000 pictures; ≥ .97 with seeds within .02, k within 1, ten minutes of processor",
        run=partial(run, (MNIST,), (DIGITS,), "ACC"), threshold=high, small_threshold=0.9, minutes=12, data=("mnist",),
    ),
    Claim(
        id="cluster-study-cells", paper=SOURCE, published="none of the peers has one",
        what="what the study's choice loses in ACC to the best of its candidates on 2,100 cells of 16 types; ≤ .03",
        run=partial(run, (CELLS,), (CELLS,), "loss"), threshold=0.03, larger=False, minutes=3, data=("cells",),
    ),
    Claim(
        id="cluster-study-imbalance", paper=SOURCE, published="none",
        what="the largest loss of ACC where half of the classes have a tenth of their rows: blobs, moons, circles, digits; ≤ .05",
        run=imbalance, threshold=0.05, larger=False, minutes=8,
    ),
)  # fmt: skip
