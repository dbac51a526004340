"""What a user would run instead of a cluster study, each in a process of its own: ACC, wall time, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

from tacit.errors import TacitError

EXACT_ROWS = 20_000
"""Rows that scikit-learn's spectral clustering is given, at most; its eigenvectors of more take too long."""


def beside(which: str, path: str, load: dict[str, Any], counts: bool, k: int, seed: int) -> dict[str, float]:
    """``which`` of kmeans, spectral, umap-hdbscan on the rows of a data set: ACC, minutes and MiB, measured in a fresh process.

    Raises:
        TacitError: the process failed; with its last line.
    """
    code = "import sys; from tacit.claims._clusterers import main; main(*sys.argv[1:])"
    given = json.dumps({"path": path, "load": load, "counts": counts, "k": k, "seed": seed})
    env = dict(os.environ) | {n: "1" for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code, which, given], capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise TacitError(f"{which} on {path} failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def main(which: str, given: str) -> None:
    """Run one of them and print its figures as JSON."""
    from sklearn.cluster import HDBSCAN, KMeans, SpectralClustering
    from sklearn.neighbors import KNeighborsClassifier

    from tacit import data
    from tacit.engine import peak_memory_mb
    from tacit.metrics import accuracy
    from tacit.study.rows import prepare

    g = json.loads(given)
    k, seed = g["k"], g["seed"]
    source = data.load(g["path"], **g["load"])
    x = prepare(source, g["counts"], seed, 1_000_000).flat
    began = time.monotonic()
    if which == "kmeans":
        labels = KMeans(k, n_init=3, random_state=seed).fit_predict(x)
    elif which == "spectral":
        some = np.random.default_rng(seed).permutation(len(x))[:EXACT_ROWS]
        labels = SpectralClustering(k, affinity="nearest_neighbors", random_state=seed).fit_predict(x[some])
        labels = KNeighborsClassifier(5).fit(x[some], labels).predict(x)
    else:
        import umap

        codes = umap.UMAP(n_components=min(10, x.shape[1]), n_neighbors=20, min_dist=0.0, random_state=seed, n_jobs=1).fit_transform(x)
        found = HDBSCAN(min_cluster_size=max(len(x) // 120, 5), min_samples=10, copy=True).fit_predict(codes)
        kept = found >= 0
        labels = KNeighborsClassifier(5).fit(codes[kept], found[kept]).predict(codes)
    minutes = (time.monotonic() - began) / 60
    assert source.labels is not None
    acc = accuracy(source.labels, labels, bootstrap=0).value
    print(json.dumps({"ACC": acc, "clusters": len(np.unique(labels)), "minutes": minutes, "MiB": peak_memory_mb()}))
