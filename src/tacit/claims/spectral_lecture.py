"""Spectral clustering as it is taught: where k-means fails, what a sweep is worth, and scikit-learn's labels."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from tacit.claims import Claim, Context, Result
from tacit.files import write_text

NODES, GRAPHS, NEAR = 14, 200, 1.05
COLOURS = ("#0072b2", "#e69f00")


def run(context: Context) -> Result:
    """All three parts for every seed; the labels of the worlds are read only to score."""
    values: dict[int, float] = {}
    rows: list[dict[str, float]] = []
    for seed in context.seeds:
        found = small_graphs(seed)
        agreement = scikit(seed)
        shown, page = worlds(seed)
        values[seed] = found.pop("sweep")
        rows.append(found | agreement | shown)
        if context.folder is not None:
            context.folder.mkdir(parents=True, exist_ok=True)
            write_text(Path(context.folder) / f"moons-circles-{seed}.svg", page)
        context.say(f"seed {seed}: sweep {values[seed]:.3f}, " + ", ".join(f"{k} {v:.3f}" for k, v in rows[-1].items()))
    least = {k for k in rows[0] if k.startswith("ARI with scikit-learn")}
    extra = {k: (min if k in least else statistics.fmean)(row[k] for row in rows) for k in rows[0]}
    notes = f"shares of {GRAPHS} graphs of {NODES} nodes; ARI with scikit-learn is the least over seeds, others are means"
    return Result(values, extra, notes)


# ---------------------------------------------------------------------- small graphs


def graphs(seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """The lecture's two graphs, on points with and without two groups: each kind in equal parts; only connected ones."""
    from tacit.uses.affinity import Affinity

    rng = np.random.default_rng(seed)
    for i in range(GRAPHS):
        while True:
            groups = rng.integers(2, size=NODES) * (3.0 if i % 2 else 0.0)
            x = rng.normal(size=(NODES, 2))
            x[:, 0] += groups
            affinity = Affinity("neighbors", "one", 3, 0, 1, "exact") if i % 4 < 2 else Affinity("full", "gaussian", 1, 1.0, 1, "auto")
            w = affinity.fit(x.astype(np.float32), 0)[0]
            w = w.toarray() if sp.issparse(w) else w
            np.fill_diagonal(w, 0)
            if sp.csgraph.connected_components(w)[0] == 1:
                break
        yield ("k-NN" if i % 4 < 2 else "Gaussian"), w


def best_ratio(w: np.ndarray) -> float:
    """The least ratio cut over all partitions of the nodes."""
    n = len(w)
    s = ((np.arange(1, 2 ** (n - 1))[:, None] >> np.arange(n)) & 1).astype(np.float64)
    size = s.sum(1)
    cuts = ((s @ w) * (1 - s)).sum(1)
    return float((cuts / size + cuts / (n - size)).min())


def small_graphs(seed: int, make: Callable[[int], Iterator[tuple[str, np.ndarray]]] = graphs) -> dict[str, float]:
    """Shares of graphs on which the sweep, the sign and the minimum cut reach 1.05 times the best ratio cut."""
    from tacit.uses.cuts import minimum_cut, ratio_cut, sweep
    from tacit.uses.spectrum import spectrum

    kinds: list[str] = []
    worth: dict[str, list[float]] = {"sweep": [], "sign cut": [], "minimum cut": []}
    alone: list[bool] = []
    for kind, w in make(seed):
        best, v = best_ratio(w), spectrum(w, 2, "unnormalised").vectors[:, 1]
        _, least = minimum_cut(w)
        kinds.append(kind)
        alone.append(min(least.sum(), len(w) - least.sum()) == 1)
        for name, cost in (
            ("sweep", sweep(w, v).cost), ("sign cut", ratio_cut(w, (v > 0).astype(int))), ("minimum cut", ratio_cut(w, least)),
        ):  # fmt: skip
            worth[name].append(cost / best)
    near = {name: np.array(v) <= NEAR for name, v in worth.items()}
    found = {name: float(v.mean()) for name, v in near.items()}
    found |= {f"{name}, {kind} graphs": float(v[np.array(kinds) == kind].mean()) for name, v in near.items() for kind in sorted(set(kinds))}
    return found | {"worst sweep over best": float(max(worth["sweep"])), "minimum cut parts one node": float(np.mean(alone))}


# ---------------------------------------------------------------------- scikit-learn


def affinities(seed: int) -> dict[str, tuple[Any, int]]:
    """The graphs of scikit-learn's own tests of spectral clustering, and three of this library's, with their numbers of clusters."""
    from sklearn.datasets import load_digits, make_blobs, make_circles, make_moons
    from sklearn.metrics.pairwise import rbf_kernel

    from tacit.uses.affinity import Affinity

    blocks = np.zeros((7, 7))
    blocks[:3, :3] = blocks[3:, 3:] = 1.0
    blocks[:3, 3] = blocks[3, :3] = 0.2
    pair, _ = make_blobs(20, centers=[[1, 1], [-1, -1]], cluster_std=0.01, random_state=seed)
    triple, _ = make_blobs(60, centers=np.array([[1, 1], [-1, -1], [1, -1]]) + 10, cluster_std=0.4, random_state=0)
    near = Affinity("neighbors", "one", 10, 0, 7, "exact")

    def joined(x: np.ndarray) -> Any:
        return near.fit(x.astype(np.float32), 0)[0]

    return {
        "seven nodes": (blocks, 2), "seven nodes, sparse": (sp.csr_matrix(blocks), 2),
        "two blobs, thinned kernel": (sp.csr_matrix(np.maximum(rbf_kernel(pair, gamma=1) - 1e-4, 0)), 2),
        "two blobs, kernel": (rbf_kernel(pair, gamma=2), 2), "three blobs, kernel": (rbf_kernel(triple, gamma=1), 3),
        "moons": (joined(make_moons(300, noise=0.05, random_state=seed)[0]), 2),
        "circles, kernel": (rbf_kernel(make_circles(300, noise=0.03, factor=0.5, random_state=seed)[0], gamma=50), 2),
        "digits": (joined(load_digits().data[:500]), 10),
    }  # fmt: skip


def reference(graph: Any, k: int, laplacian: str, seed: int) -> np.ndarray:
    """scikit-learn's labels: its class for the random walk; its embedding and k-means for the Laplacians that the class does not have."""
    from sklearn.cluster import KMeans, SpectralClustering
    from sklearn.manifold import spectral_embedding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if laplacian == "random_walk":
            return np.asarray(SpectralClustering(k, affinity="precomputed", random_state=seed).fit_predict(graph))
        plain = laplacian == "unnormalised"
        y = spectral_embedding(graph, n_components=k, norm_laplacian=not plain, drop_first=False, random_state=seed)
    if not plain:
        w = sp.csr_matrix(graph, copy=True)
        w.setdiag(0)
        y = y * np.sqrt(np.asarray(w.sum(1)))
        y = y / np.linalg.norm(y, axis=1, keepdims=True)
    return np.asarray(KMeans(k, n_init=10, random_state=seed).fit_predict(y))


def scikit(seed: int) -> dict[str, float]:
    """ARI with scikit-learn's labels on the same affinities, for every Laplacian: the least over graphs."""
    from tacit.uses.partition import partition
    from tacit.uses.spectrum import Laplacian

    laplacians: tuple[Laplacian, ...] = ("random_walk", "symmetric", "unnormalised")
    given = affinities(seed)
    return {
        f"ARI with scikit-learn, {laplacian}": float(
            min(
                adjusted_rand_score(reference(graph, k, laplacian, seed), partition(graph, k, laplacian, seed=seed))
                for graph, k in given.values()
            )
        )
        for laplacian in laplacians
    }


# ---------------------------------------------------------------------- moons and circles


def worlds(seed: int, n: int = 1000) -> tuple[dict[str, float], str]:
    """ARI with the truth on moons and circles, of the fitted rows and of unseen ones, and a picture of the fitted ones."""
    import tacit
    from tacit.data import worlds as made

    systems = {
        "k-means": tacit.KMeans(n_clusters=2), "Gaussian mixture": tacit.GaussianMixture(n_clusters=2),
        "spectral": tacit.SpectralClustering(n_clusters=2),
        "spectral, Gaussian kernel": tacit.SpectralClustering(n_clusters=2, graph="full", weight="gaussian", sigma=0.2),
    }  # fmt: skip
    found: dict[str, float] = {}
    panels: list[tuple[str, np.ndarray, np.ndarray]] = []
    for world, make in (("moons", made.moons), ("circles", made.circles)):
        old, new = make(n, seed), make(n, seed + 10_000)
        for name, system in systems.items():
            model = tacit.fit(system, old, seed=seed)
            labels = model.cluster(old)
            found[f"ARI on {world}, {name}"] = float(adjusted_rand_score(old.labels, labels))
            found[f"ARI on {world}, {name}, unseen rows"] = float(adjusted_rand_score(new.labels, model.cluster(new)))
            panels.append((f"{world}, {name}: ARI {found[f'ARI on {world}, {name}']:.2f}", old.read(0, old.n), labels))
    return found, drawn(panels, len(systems))


def drawn(panels: list[tuple[str, np.ndarray, np.ndarray]], columns: int) -> str:
    """Points coloured by cluster, one panel each, as SVG."""
    size, head = 220, 20
    out = []
    for i, (title, x, labels) in enumerate(panels):
        left, above = size * (i % columns), (size + head) * (i // columns) + head
        low = x.min(0)
        at = (x - low) / (x.max(0) - low).max() * (size - 20) + 10
        out.append(f'<text x="{left + 8}" y="{above - 6}" font-size="11" font-family="sans-serif">{title}</text>')
        out += [
            f'<circle cx="{left + a:.1f}" cy="{above + size - b:.1f}" r="1.5" fill="{COLOURS[c % 2]}"/>'
            for (a, b), c in zip(at, labels, strict=True)
        ]
    width, height = size * columns, (size + head) * -(-len(panels) // columns)
    view = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}><rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n'


def holds(result: Result) -> bool:
    """The sweep near the best on 95 %, scikit-learn's labels always, and both worlds parted where k-means and the mixture fail."""
    e = result.extra
    same = all(v == 1 for k, v in e.items() if k.startswith("ARI with scikit-learn"))
    parted = all(v >= 0.99 for k, v in e.items() if k.startswith("ARI on") and ", spectral" in k)
    failed = all(v < 0.9 for k, v in e.items() if k.startswith("ARI on") and ", spectral" not in k)
    return statistics.fmean(result.values.values()) >= 0.95 and same and parted and failed


CLAIM = Claim(
    id="spectral-lecture",
    paper="von Luxburg 2007, arXiv:0711.0189; Shi & Malik 2000, doi:10.1109/34.868688",
    published="k-means and mixtures fail on moons and circles, graph cuts do not; the second eigenvector relaxes the ratio cut",
    what="share of 200 small graphs on which a sweep over the second eigenvector is within 1.05 of the best ratio cut (brute force)",
    run=run,
    threshold=holds,
    minutes=0.3,
)
