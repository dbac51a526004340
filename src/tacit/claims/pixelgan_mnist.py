"""PixelCNN's likelihood and the PixelGAN autoencoder's clusters, on MNIST thresholded at one half."""

from __future__ import annotations

import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._clusters import on_mnist
from tacit.core import System, from_json, to_json


def clusterers(small: bool) -> dict[str, System]:
    """A PixelCNN that fits two cores, in which a pixel sees little, so that the code must say the rest.

    Two layers of 8 channels; ``small``: three of 16. The last has not the term on changed rows, which the paper lacks.
    """
    from tacit.networks.mlp import MLP
    from tacit.systems.autoencoders.pixelgan import ClusterPixelGAN

    width, layers, channels = (128, 3, 16) if small else (500, 2, 8)
    nets: dict[str, Any] = {
        "networks": MLP(widths=(width, width), critic_act="relu"), "critic_networks": MLP(widths=(width, width)), "layers": layers,
        "channels": channels,
    }  # fmt: skip
    made: dict[str, System] = {f"K={k}": ClusterPixelGAN(n_clusters=k, **nets) for k in ((10,) if small else (30, 10))}
    k = 10 if small else 30
    return made | {f"K={k}, the paper's game": ClusterPixelGAN(n_clusters=k, stability=0.0, **nets)}


def run_clusters(context: Context) -> Result:
    """With 30 and 10 clusters; ``small``: 10."""
    return on_mnist(
        context, clusterers(context.small), 9_000, 500,
        "% of unseen rows whose cluster bears another label; clusters are named by the fitted row that is surest of each (many-to-one); "
        "with the term on changed rows; "
        "pictures thresholded at 1/2, two gated layers of 8 channels (small: three of 16)",
    )  # fmt: skip


def likelihood(system: dict[str, Any], data: str, load: dict[str, Any], test: dict[str, Any], steps: int, seed: int) -> dict[str, float]:
    """Nats a picture on rows that were not fitted, and of a product of independent pixels."""
    import torch

    import tacit

    torch.set_num_threads(1)
    model = tacit.fit(from_json(system), data, load=load, steps=steps, seed=seed)
    train, fresh = (tacit.data.load(data, **kw) for kw in (load, test))
    x, y = (np.rint(model.spec.prepare(s.read(0, s.n)).flatten(1).numpy() - 1e-6) for s in (train, fresh))
    p = (x.sum(0) + 0.5) / (len(x) + 1)
    return {
        "nats": float(-model.score(data, **test).mean()), "independent pixels": float(-(y @ np.log(p) + (1 - y) @ np.log1p(-p)).mean()),
        "minutes": model.info["seconds"] / 60,
    }  # fmt: skip


def run_likelihood(context: Context) -> Result:
    """Fitted on the 60,000, measured on the 10,000; ``small``: the 8 × 8 digits, 1,797 rows for both."""
    from joblib import Parallel, delayed

    from tacit.systems.autoencoders.pixelcnn import PixelCNN

    small = context.small
    where = ("digits", {}, {}) if small else (context.data("mnist"), {"split": "train"}, {"split": "test"})
    system = PixelCNN(channels=16, layers=4)
    rows = Parallel(n_jobs=min(2, os.cpu_count() or 1))(
        delayed(likelihood)(to_json(system), *where, 600 if small else 6_000, seed) for seed in context.seeds
    )
    for seed, row in zip(context.seeds, rows, strict=True):
        context.say(f"seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
    return Result(
        {seed: row["nats"] for seed, row in zip(context.seeds, rows, strict=True)},
        {k: statistics.fmean(row[k] for row in rows) for k in rows[0]},
        "exact, nats a picture; pictures thresholded at 1/2, once for all, where published figures near 81 are for pictures drawn at "
        "random from their grey values",
    )  # fmt: skip


CLAIMS = (
    Claim(
        id="pixelgan-mnist",
        paper="Makhzani & Frey 2017, arXiv:1706.00531",
        published="clustering error 5.27 % ± 1.81 with 30 clusters (many-to-one)",
        what="clustering error of the PixelGAN autoencoder with 30 clusters on MNIST's test split, % (small: 10 on digits)",
        run=run_clusters,
        threshold=7.27,
        target=5.27,
        larger=False,
        small_threshold=30.0,
        minutes=30,
        data=("mnist",),
    ),
    Claim(
        id="pixelcnn-mnist",
        paper="van den Oord et al. 2016, arXiv:1606.05328",
        published="near 81 nats for MNIST binarised at random (PixelCNN, another binarisation)",
        what="PixelCNN's nats a picture on MNIST's test split thresholded at 1/2 (small: digits)",
        run=run_likelihood,
        threshold=90.0,
        larger=False,
        minutes=4,
        data=("mnist",),
    ),
)
