"""The original game against a generator that stands still: its best discriminator and its value."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from tacit.claims import Claim, Context, Result


def run(context: Context) -> Result:
    """Train D between two known mixtures on the line and compare it, cell by cell, with p/(p + q)."""
    import tacit
    from tacit.claims._known import Frozen, Gaussians, Grid, numpy_log, trained

    p = Gaussians((-2.0, 1.0), (0.6, 0.8), (0.5, 0.5))
    q = Gaussians((0.0, 3.0), (1.0, 0.5), (0.7, 0.3))
    grid = Grid.of(p, q, -8.0, 8.0)
    true = float(tacit.metrics.divergence_1d("gan", numpy_log(p), numpy_log(q), -8.0, 8.0))
    best = grid.p / (grid.p + grid.q)
    apart, value, jsd, sampled = {}, {}, {}, {}
    for seed in context.seeds:
        model = trained(p, Frozen(prior=q, objective=tacit.Minimax()), seed, steps=300 if context.small else 2000)
        v = grid.outputs(model)
        apart[seed] = float((v.sigmoid() - best).abs()[grid.support].mean())
        found = -grid.paid(tacit.Minimax(), v)
        value[seed] = abs(found / true - 1)
        jsd[seed] = abs((found - true) / (true + math.log(4)))
        sampled[seed] = abs(_sampled(model, p, q, seed) / true - 1)
        context.say(f"seed {seed}: |D − D*| {apart[seed]:.4f}, V {found:.5f} of {true:.5f}")
    extra = {
        "error of V": float(np.mean(list(value.values()))), "worst error of V": max(value.values()),
        "worst |D - D*|": max(apart.values()), "error of 2 JSD": float(np.mean(list(jsd.values()))),
        "worst error of V on 100,000 fresh rows": max(sampled.values()), "V*": true,
    }  # fmt: skip
    return Result(apart, extra, "mean over an even grid of where (p + q)/2 has all but 0.1 % of its mass; V by quadrature")


def _sampled(model: Any, p: Any, q: Any, seed: int) -> float:
    from tacit.claims._known import rows
    from tacit.objectives.minimax import Minimax

    with torch.no_grad():
        real, fake = (model.nets.D(torch.from_numpy(rows(law, 100_000, 5000 + 2 * seed + i))) for i, law in enumerate((p, q)))
        return -float(Minimax().critic(real, fake))


CLAIM = Claim(
    id="gan-optimum",
    paper="Goodfellow et al. 2014, arXiv:1406.2661",
    published="D* = p/(p + q), V = -log 4 + 2 JSD (theorem 1)",
    what="mean |D - D*| of a trained D between two Gaussian mixtures with G standing still, V within 2 % of -log 4 + 2 JSD",
    run=run,
    threshold=lambda r: max(r.values.values()) <= 0.05 and r.extra["worst error of V"] <= 0.02,
    larger=False,
    minutes=1,
)
