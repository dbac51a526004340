"""BEGAN's measure of convergence, beside the quality that it stands for."""

from __future__ import annotations

import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import judge

WINDOWS = 20
"""M is smoothed by its mean over each twentieth of the steps; the samples are judged at the end of each."""
ALLOWED = 0.01
"""A smoothed M may lie above the lowest before it by this share of the whole fall, and no more."""


def system() -> Any:
    """A narrow code, so that what is not a digit is not rebuilt; λ raised with the length of the run, from .001 over 200,000 steps."""
    from tacit.networks.mlp import MLP
    from tacit.objectives.equilibrium import Equilibrium
    from tacit.priors.gaussian import Uniform
    from tacit.rules.optimisers import Adam
    from tacit.systems.games.energy import BEGAN

    rule = Adam(5e-4)
    networks = MLP(widths=(128, 128), norm="batch", act="elu", critic_act="elu")
    return BEGAN(objective=Equilibrium(0.5, 0.1), networks=networks, prior=Uniform(16), code_dim=6, rule=rule, critic_rule=rule)


def course(seed: int, steps: int, features: str) -> dict[str, Any]:
    """One run on ``digits``: every M and k, smoothed M and FID at the end of each window."""
    import torch

    import tacit
    from tacit import metrics
    from tacit.core.rng import Rng

    torch.set_num_threads(1)
    game, source, net = system(), tacit.data.load("digits"), metrics.load_classifier(features)
    rows = source.read(0, source.n)
    real, every, fids = metrics.extract(net, rows), steps // WINDOWS, []

    def judged(state: dict[str, Any]) -> None:
        if state["step"] % every == 0:
            with torch.no_grad():
                made = game.sample(state["nets"].train(False), len(rows), Rng(seed))
            state["nets"].train()
            made = state["run"].spec.undo(made).reshape(rows.shape)
            fids.append(metrics.fid(real, metrics.extract(net, made), error=False).value)

    model = tacit.fit(
        game, "digits", steps=steps, batch_size=64, seed=seed, precision="float32", log_every=1, callbacks=[judged], progress=False
    )
    # The measure is logged a step late, and the first line has none.
    late = [line["critic/convergence"] for line in model.log[1:]]
    smooth = [float(np.mean(part)) for part in np.array_split(late, WINDOWS)]
    return {"k": [line["critic/k"] for line in model.log], "M": smooth, "FID": fids, "minutes": model.info["seconds"] / 60}


def rise(smooth: list[float]) -> float:
    """The furthest that M lies above the lowest before it, as a share of its whole fall."""
    lowest = np.minimum.accumulate(smooth)
    return float((np.asarray(smooth) - lowest).max() / (smooth[0] - lowest[-1]))


def run(context: Context) -> Result:
    """ρ is Spearman's, over the windows of a run."""
    from joblib import Parallel, delayed
    from scipy.stats import spearmanr

    steps, features = 1000 if context.small else 4000, judge(context, "digits", {})
    runs = Parallel(n_jobs=min(2, os.cpu_count() or 1))(delayed(course)(seed, steps, features) for seed in context.seeds)
    values = {}
    for seed, r in zip(context.seeds, runs, strict=True):
        values[seed] = float(spearmanr(r["M"], r["FID"]).statistic)
        context.say(f"seed {seed}: rho {values[seed]:.3f}, k up to {max(r['k']):.3f}, FID {r['FID'][0]:.1f} to {r['FID'][-1]:.1f}")
    extra = {
        "k least": min(min(r["k"]) for r in runs), "k most": max(max(r["k"]) for r in runs),
        "largest rise of M, of its fall": max(rise(r["M"]) for r in runs), "least rho": min(values.values()),
        **{f"{what} first": statistics.fmean(r[what][0] for r in runs) for what in ("M", "FID")},
        **{f"{what} last": statistics.fmean(r[what][-1] for r in runs) for what in ("M", "FID")},
        "minutes a run": statistics.fmean(r["minutes"] for r in runs),
    }  # fmt: skip
    return Result(values, extra, f"M is its mean over each of {WINDOWS} equal windows, FID that of the samples at their ends")


def holds(result: Result) -> bool:
    """ρ ≥ .7 on average, k in [0, 1] at every step, and M falling in every run."""
    e = result.extra
    rho = statistics.fmean(result.values.values())
    return rho >= 0.7 and e["k least"] >= 0 and e["k most"] <= 1 and e["largest rise of M, of its fall"] <= ALLOWED


CLAIM = Claim(
    id="began-convergence",
    paper="Berthelot et al. 2017, arXiv:1703.10717",
    published="M tracks the quality of the pictures",
    what="Spearman's correlation of smoothed M with FID over training on digits (and k in [0, 1], smoothed M falling)",
    run=run,
    threshold=holds,
    minutes=4,
)
