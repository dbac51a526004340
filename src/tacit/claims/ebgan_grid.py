"""How many settings of a grid an energy-based GAN survives, and a GAN."""

from __future__ import annotations

import itertools
import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import judge
from tacit.core import System, from_json, to_json

LEAST = 0.2
"""A run has collapsed when it diverged, or when its samples reach fewer than this share of the data's rows: coverage, the rows
with a sample nearer than their own fifth neighbour, by the features of a classifier of the digits."""
ARMS = ("GAN", "EBGAN", "EBGAN-PT")


def grid() -> list[tuple[int, str, str, float]]:
    """24 settings: hidden layers, normalisation, optimiser, learning rate; of all networks of a system alike."""
    return list(itertools.product((1, 2, 3), ("none", "batch"), ("adam", "rmsprop"), (1e-3, 2e-4)))


def system(arm: str, layers: int, norm: str, optimiser: str, lr: float) -> System:
    """One setting: G has the same layers in all arms, and so have D, E and their decoder."""
    from tacit.networks.mlp import MLP
    from tacit.objectives.energy_margin import EnergyMargin
    from tacit.priors.gaussian import Gaussian
    from tacit.rules.optimisers import Adam, RMSProp
    from tacit.systems.games.energy import EBGAN
    from tacit.systems.games.gan import GAN

    rule = Adam(lr) if optimiser == "adam" else RMSProp(lr)
    networks = MLP(widths=(128,) * layers, norm=norm, critic_norm=norm)
    same: dict[str, Any] = {"networks": networks, "prior": Gaussian(16), "rule": rule, "critic_rule": rule}
    if arm == "GAN":
        return GAN(**same)
    return EBGAN(objective=EnergyMargin(2.0), code_dim=8, pulling_away=0.1 if arm == "EBGAN-PT" else 0.0, **same)


def one(arm: str, setting: int, value: Any, seed: int, steps: int, features: str) -> tuple[str, int, dict[str, float]]:
    """Fit on ``digits`` and measure as many samples as there are rows."""
    import torch
    from scipy.spatial.distance import pdist

    import tacit
    from tacit import metrics

    torch.set_num_threads(1)
    source, net = tacit.data.load("digits"), metrics.load_classifier(features)
    rows = source.read(0, source.n)
    try:
        model = tacit.fit(
            from_json(value), "digits", steps=steps, batch_size=64, seed=seed, precision="float32", log_every=100, progress=False
        )
    except tacit.Diverged:
        return arm, setting, {"coverage": 0.0, "recall": 0.0, "distance": 0.0, "FID": float("nan"), "minutes": 0.0}
    made = model.sample(source.n, seed=seed).reshape(rows.shape)
    real, fake = metrics.extract(net, rows), metrics.extract(net, made)
    reach = metrics.prdc(real, fake)
    return arm, setting, {
        "coverage": reach.coverage.value, "recall": reach.recall.value, "FID": metrics.fid(real, fake, error=False).value,
        "distance": float(pdist(fake).mean() / pdist(real).mean()), "minutes": model.info["seconds"] / 60,
    }  # fmt: skip


def run(context: Context) -> Result:
    """The seeds are dealt over the settings, so that more of them cost nothing; a setting has the same one in every arm."""
    from joblib import Parallel, delayed

    features = judge(context, "digits", {})
    steps = 2500 if context.small else 4000
    chosen = [i for i in range(len(grid())) if not context.small or i % 4 == 0]
    seeds = {i: context.seeds[at % len(context.seeds)] for at, i in enumerate(chosen)}
    tasks = [(arm, i, to_json(system(arm, *grid()[i])), seeds[i], steps, features) for i in chosen for arm in ARMS]
    found: dict[tuple[str, int], dict[str, float]] = {}
    for arm, i, scores in Parallel(n_jobs=min(2, os.cpu_count() or 1), return_as="generator_unordered")(
        delayed(one)(*t) for t in tasks
    ):
        found[arm, i] = scores
        context.say(f"{arm} {grid()[i]} seed {seeds[i]}: " + ", ".join(f"{k} {v:.3g}" for k, v in scores.items()))

    def share(arm: str, of: list[int], least: float = LEAST) -> float:
        return statistics.fmean(found[arm, i]["coverage"] >= least for i in of)

    extra: dict[str, float] = {}
    for arm in ARMS:
        extra |= {f"{arm} not collapsed": share(arm, chosen)}
        extra |= {f"{arm} coverage >= {least}": share(arm, chosen, least) for least in (0.05, 0.1, 0.4)}
        extra |= {f"{arm} {k}": statistics.fmean(found[arm, i][k] for i in chosen) for k in ("coverage", "recall", "distance", "minutes")}
    for k in ("recall", "distance", "coverage"):
        gains = [found["EBGAN-PT", i][k] - found["EBGAN", i][k] for i in chosen]
        extra[f"{k} gained by PT"] = statistics.fmean(gains)
        extra[f"{k} gained by PT, standard error"] = float(np.std(gains, ddof=1) / len(gains) ** 0.5)
        extra[f"settings in which PT gains {k}"] = sum(g > 0 for g in gains)
    by_seed = {s: [i for i in chosen if seeds[i] == s] for s in seeds.values()}
    values = {s: share("EBGAN-PT", of) - share("GAN", of) for s, of in sorted(by_seed.items())}
    return Result(values, extra, f"{len(chosen)} settings; collapsed: coverage below {LEAST}, or diverged")


def holds(result: Result) -> bool:
    """EBGAN survives more settings than GAN, with PT and without, and PT raises recall and the mean distance between samples."""
    e = result.extra
    survives = all(e[f"{arm} not collapsed"] > e["GAN not collapsed"] for arm in ("EBGAN", "EBGAN-PT"))
    return survives and e["recall gained by PT"] > 0 and e["distance gained by PT"] > 0


CLAIM = Claim(
    id="ebgan-grid",
    paper="Zhao et al. 2017, arXiv:1609.03126",
    published="over a grid of settings EBGANs are far more often good than GANs; PT adds to it",
    what="share of 24 settings on digits in which EBGAN-PT does not collapse, less GAN's (and PT raises recall and distances)",
    run=run,
    threshold=holds,
    minutes=11,
)
