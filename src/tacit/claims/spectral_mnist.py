"""All 70,000 digits of MNIST, clustered by the eigenvectors of their neighbour graph in little memory."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tacit.claims import Claim, Context, Result
from tacit.claims._runs import tacit

LAPLACIANS = ("random_walk", "symmetric", "unnormalised")


def run(context: Context) -> Result:
    """Fit each Laplacian in a process of its own, one thread, and read its peak memory; labels are read only to score.

    The small variant takes the 10,000 of the test split and the random walk alone.
    """
    from tacit import data, load
    from tacit.metrics import accuracy, nmi

    path, split = context.data("mnist"), "test" if context.small else "all"
    truth = data.load(path, split=split).labels
    assert truth is not None
    base = context.folder or Path(tempfile.mkdtemp(prefix="tacit-claim-"))
    values: dict[int, float] = {}
    extra: dict[str, float] = {}
    for seed in context.seeds:
        peaks = []
        for laplacian in LAPLACIANS[:1] if context.small else LAPLACIANS:
            run = base / f"{laplacian}-{seed}"
            tacit(
                "fit", "spectralclustering", path, "--split", split, "--n-clusters", "10", "--laplacian", laplacian, "--seed", str(seed),
                "-o", str(run), "--overwrite", "--no-report", "--quiet",
            )  # fmt: skip
            info = json.loads((run / "system.json").read_text())["info"]
            labels = load(run).nets.memory["labels"].numpy()
            found = {
                "ACC": accuracy(truth, labels).value, "NMI": nmi(truth, labels).value, "minutes": info["seconds"] / 60,
                "peak MiB": info["peak_memory_mb"],
            }  # fmt: skip
            peaks.append(info["peak_memory_mb"])
            extra |= {f"{laplacian}: {k}, seed {seed}": float(v) for k, v in found.items()}
            context.say(f"{laplacian} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in found.items()))
        values[seed] = max(peaks)
    return Result(values, extra, f"{len(truth)} rows of pixels, 10-NN graph by or with weight 1, 10 eigenvectors, k-means; in sample")


CLAIM = Claim(
    id="spectral-mnist",
    paper="von Luxburg 2007, arXiv:0711.0189",
    published="no figure for MNIST; the graph is sparse, so its eigenvectors are found without an n × n matrix",
    what="peak MiB of a process that clusters all 70,000 MNIST digits by the eigenvectors of their neighbour graph",
    run=run,
    threshold=2048.0,
    larger=False,
    minutes=6,
    data=("mnist",),
)
