"""Codes of an adversarial autoencoder that a test cannot tell from draws of the prior."""

from __future__ import annotations

import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.core import System, from_json, to_json

POINTS, LEVEL = 1_000, 0.05


def systems(small: bool) -> dict[str, System]:
    """A flower of ten Gaussians and a spiral, both in the plane, on the same networks."""
    from tacit.networks.mlp import MLP
    from tacit.priors.petals import Petals
    from tacit.priors.swiss_roll import SwissRoll
    from tacit.systems.autoencoders.aae import AAE

    width = 256 if small else 500
    same: dict[str, Any] = {
        "networks": MLP(widths=(width, width), critic_act="relu"), "critic_networks": MLP(widths=(width, width)),
    }  # fmt: skip
    return {"ten Gaussians": AAE(prior=Petals(), **same), "swiss roll": AAE(prior=SwissRoll(), **same)}


def one(system: dict[str, Any], data: str, steps: int, seed: int) -> dict[str, float]:
    """p-values of the MMD and energy tests on the codes of rows that were not fitted, and the error of their reconstruction."""
    import torch

    import tacit
    from tacit.core import Rng
    from tacit.metrics import two_sample_test

    torch.set_num_threads(1)
    model = tacit.fit(from_json(system), data, load={"split": "train"}, steps=steps, seed=seed)
    codes = model.encode(data, split="test")
    codes = codes[np.random.default_rng(seed).permutation(len(codes))[:POINTS]]
    drawn = model.system.prior.sample(POINTS, Rng(10_000 + seed)).numpy()  # type: ignore[attr-defined]
    fresh = tacit.data.load(data, split="test")
    x = model.spec.prepare(fresh.read(0, fresh.n)).numpy()
    mmd, energy = (two_sample_test(codes, drawn, statistic=s, permutations=999) for s in ("mmd", "energy"))
    return {
        "p": mmd.p_value, "MMD²": mmd.statistic.value, "energy p": energy.p_value,
        "error over variance": float(np.square(model.reconstruct(data, split="test", raw=False) - x).mean() / x.var(0).mean()),
        "minutes": model.info["seconds"] / 60,
    }  # fmt: skip


def run(context: Context) -> Result:
    """The value of a seed is the smaller of its two p-values; ``small``: usps."""
    from joblib import Parallel, delayed

    data = context.data("usps" if context.small else "mnist")
    jobs = [(name, seed) for seed in context.seeds for name in systems(context.small)]
    made = {name: to_json(s) for name, s in systems(context.small).items()}
    rows = Parallel(n_jobs=min(2, os.cpu_count() or 1))(
        delayed(one)(made[name], data, 2_000 if context.small else 10_000, seed) for name, seed in jobs
    )
    least: dict[int, float] = {}
    extra: dict[str, list[float]] = {}
    for (name, seed), row in zip(jobs, rows, strict=True):
        context.say(f"{name} seed {seed}: " + ", ".join(f"{k} {v:.4g}" for k, v in row.items()))
        least[seed] = min(least.get(seed, 1.0), row["p"])
        for k, v in row.items():
            extra.setdefault(f"{name} {k}", []).append(v)
    figures = {k: statistics.fmean(v) for k, v in extra.items()}
    figures |= {f"{name} least p": min(extra[f"{name} p"]) for name in made}
    return Result(
        least, figures | {"tests": float(len(jobs))},
        f"codes of {POINTS} rows that were not fitted against as many draws; not rejected at {LEVEL} over all tests together (Bonferroni)",
    )  # fmt: skip


CLAIM = Claim(
    id="aae-priors",
    paper="Makhzani et al. 2016, arXiv:1511.05644",
    published="codes fill a mixture of ten 2-D Gaussians and a swiss roll (figures)",
    what="the smaller p of two MMD tests, 1,000 codes of unseen rows against 1,000 draws of the prior (not rejected)",
    run=run,
    threshold=lambda result: all(v >= LEVEL / result.extra["tests"] for v in result.values.values()),
    minutes=5,
    data=("mnist",),
)
