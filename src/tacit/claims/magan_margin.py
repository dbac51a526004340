"""MAGAN's margin, followed from its log by the paper's rule."""

from __future__ import annotations

import math
import os
import statistics
from typing import Any

import numpy as np

from tacit.claims import Claim, Context, Result
from tacit.claims._generators import judge, measured


def system() -> Any:
    """Small networks; the prior's and code's widths as for BEGAN on the same data."""
    from tacit.networks.mlp import MLP
    from tacit.priors.gaussian import Gaussian
    from tacit.systems.games.magan import MAGAN

    return MAGAN(networks=MLP(widths=(128, 128), norm="batch"), prior=Gaussian(16), code_dim=8)


def schedule(log: list[dict[str, float]], period: int) -> tuple[list[float], int]:
    """The margins that the rule gives at every step of the game, and how often it lowered them.

    Args:
        log: a line a step, with ``critic/real``, ``generator/adversarial`` and, on the first, ``critic/margin``.
        period: steps of an epoch.
    """
    margin, before, falls, margins = log[0]["critic/margin"], math.inf, 0, []
    for start in range(0, len(log), period):
        epoch = log[start : start + period]
        margins += [margin] * len(epoch)
        real, fake = (statistics.fmean(line[k] for line in epoch) for k in ("critic/real", "generator/adversarial"))
        if real < margin and real < fake and fake > before:
            margin, falls = real, falls + 1
        before = fake
    return margins, falls


def one(seed: int, steps: int, features: str) -> dict[str, float]:
    """One run on ``digits``: the margins of its log beside the rule's, and what its samples are worth."""
    import torch

    import tacit

    torch.set_num_threads(1)
    game, source = system(), tacit.data.load("digits")
    rows, start = torch.as_tensor(source.read(0, source.n)), {}

    def energies(state: dict[str, Any]) -> None:
        """The data's mean energy when D's time alone ends: the margin that the game must begin with."""
        if state["phase"] == "autoencoder":
            net = state["nets"].train(False)
            with torch.no_grad():
                start["energy"] = float(game.energy(net, state["run"].spec.prepare(rows)).mean())
            net.train()

    model = tacit.fit(
        game, source, steps=steps, batch_size=64, seed=seed, precision="float32", log_every=1, callbacks=[energies], progress=False
    )
    log = [line for line in model.log if line["phase"] == "train"]
    ruled, falls = schedule(log, math.ceil(source.n / 64))
    logged = np.array([line["critic/margin"] for line in log])
    finite = all(math.isfinite(v) for line in model.log for k, v in line.items() if "/" in k)
    return {
        "deviation": float(np.abs(logged / np.array(ruled) - 1).max()), "start's deviation": abs(logged[0] / start["energy"] - 1),
        "rises": float((np.diff(logged) > 0).sum()), "falls": float(falls), "not finite": float(not finite),
        "margin at the start": logged[0], "margin at the end": logged[-1], "minutes": model.info["seconds"] / 60,
        **measured(model, "digits", {}, source.n, seed, features),
    }  # fmt: skip


def run(context: Context) -> Result:
    """The largest relative difference between a logged margin and the rule's, over every step of the game."""
    from joblib import Parallel, delayed

    steps, features = 1000 if context.small else 4000, judge(context, "digits", {})
    runs = Parallel(n_jobs=min(2, os.cpu_count() or 1))(delayed(one)(seed, steps, features) for seed in context.seeds)
    for seed, r in zip(context.seeds, runs, strict=True):
        context.say(f"seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in r.items()))
    worst = ("start's deviation", "rises", "not finite")
    extra = {k: max(r[k] for r in runs) if k in worst else statistics.fmean(r[k] for r in runs) for k in runs[0] if k != "deviation"}
    extra["fewest falls"] = min(r["falls"] for r in runs)
    return Result({seed: r["deviation"] for seed, r in zip(context.seeds, runs, strict=True)}, extra)


def holds(result: Result) -> bool:
    """The rule to float32's accuracy, at least one fall in every run, never a rise, and every term finite."""
    e = result.extra
    exact = max(*result.values.values(), e["start's deviation"], 0.0) <= 1e-5
    return exact and e["fewest falls"] >= 1 and e["rises"] == 0 and e["not finite"] == 0


CLAIM = Claim(
    id="magan-margin",
    paper="Wang et al. 2017, arXiv:1704.03817",
    published="the margin falls to the data's energy by the rule (CIFAR-10: inception score 5.67)",
    what="largest relative difference of the margin from the rule's over training on digits (never rising, terms finite)",
    run=run,
    threshold=holds,
    larger=False,
    minutes=3,
)
