"""Autoencoders against principal components, at the same size of the code."""

from __future__ import annotations

import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.core import System, from_json, to_json

NOISE = 0.3
"""σ of the denoising form, and of the rows that it is tried on."""


def systems(small: bool) -> dict[tuple[str, int], tuple[System, int]]:
    """By kind and code size: the system and its steps."""
    from tacit.networks.dcgan import DCGAN
    from tacit.networks.mlp import MLP
    from tacit.systems.autoencoders.autoencoder import Autoencoder

    dense, conv = MLP(widths=(500, 250), critic_act="relu"), DCGAN(width=16, dense=256, critic_norm="batch", init_std=0.0)
    steps = 1000 if small else 4000
    made: dict[tuple[str, int], tuple[System, int]] = {
        ("dense", d): (Autoencoder(latent_dim=d, networks=dense), steps) for d in ((4, 10) if small else (10, 32))
    }
    made["convolutional", 10] = Autoencoder(latent_dim=10, networks=conv), steps
    made["denoising", 10] = Autoencoder(latent_dim=10, networks=dense, noise=NOISE), steps
    return made


def errors(
    system: dict[str, Any], size: int, steps: int, seed: int, data: str, load: dict[str, Any], test: dict[str, Any]
) -> dict[str, float]:
    """Mean squared errors per element of the scaled rows of ``test``, of the system and of PCA, shown clean and shown noisy."""
    import torch
    from sklearn.decomposition import PCA

    import tacit

    torch.set_num_threads(1)
    model = tacit.fit(from_json(system), data, load=load, steps=steps, batch_size=128, seed=seed)
    train, fresh = (tacit.data.load(data, **kw) for kw in (load, test))
    x, y = (model.spec.prepare(s.read(0, s.n)).flatten(1).numpy() for s in (train, fresh))
    noisy = y + NOISE * np.random.default_rng(1000 + seed).normal(size=y.shape).astype(np.float32)
    pca = PCA(size, random_state=seed).fit(x)

    def rebuilt(rows: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            made = model.nets.D(model.nets.E(torch.from_numpy(rows).reshape(-1, *model.spec.shape)))
        return np.asarray(made.flatten(1).float().numpy())

    def linear(rows: np.ndarray) -> np.ndarray:
        return np.asarray(pca.inverse_transform(pca.transform(rows)))

    return {
        f"{who} {what}": float(np.square(f(rows) - y).mean())
        for who, f in (("AE", rebuilt), ("PCA", linear)) for what, rows in (("clean", y), ("noisy", noisy))
    } | {"minutes": model.info["seconds"] / 60}  # fmt: skip


def run(context: Context) -> Result:
    """Fitted on the training rows, measured on the others; ``small``: on the 8 × 8 digits, 1,797 rows for both."""
    from joblib import Parallel, delayed

    data, load, test = ("digits", {}, {}) if context.small else (context.data("mnist"), {"split": "train"}, {"split": "test"})
    jobs = [(kind, size, seed, system, steps) for seed in context.seeds for (kind, size), (system, steps) in systems(context.small).items()]
    rows = Parallel(n_jobs=min(2, os.cpu_count() or 1))(
        delayed(errors)(to_json(system), size, steps, seed, data, load, test) for _, size, seed, system, steps in jobs
    )
    ratio: dict[int, float] = {}
    extra: dict[str, list[float]] = {}
    for (kind, size, seed, *_), row in zip(jobs, rows, strict=True):
        context.say(f"{kind}, {size} numbers, seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
        for k, v in row.items():
            extra.setdefault(k if k == "minutes" else f"{kind} {size}: {k}", []).append(v)
        if kind != "denoising":
            ratio[seed] = min(ratio.get(seed, np.inf), row["PCA clean"] / row["AE clean"])
    return Result(
        ratio, {k: statistics.fmean(v) for k, v in extra.items()},
        f"mean squared error per element of scaled rows that were not fitted; noisy rows: σ = {NOISE}, compared with the clean ones",
    )  # fmt: skip


CLAIM = Claim(
    id="autoencoder-pca",
    paper="Hinton & Salakhutdinov 2006, doi:10.1126/science.1127647",
    published="reconstruction better than principal components at 30 numbers (figure)",
    what="PCA's mean squared error over the autoencoder's at the same code size, the least over sizes and architectures (more than 1)",
    run=run,
    threshold=lambda result: all(v > 1 for v in result.values.values()),
    minutes=3,
    data=("mnist",),
)
