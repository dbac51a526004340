"""Density ratios between known densities, matched by Bregman divergences."""

from __future__ import annotations

import numpy as np

from tacit.claims import Claim, Context, Result


def run(context: Context) -> Result:
    """Train D for each f between two known mixtures; compare r with p/q, and D_f as r estimates it with quadrature."""
    from tacit.claims._known import Frozen, Gaussians, Grid, trained
    from tacit.objectives.bregman import Bregman

    p = Gaussians((-1.5, 1.0), (0.7, 0.8), (0.4, 0.6))
    q = Gaussians((0.0, 2.0), (1.4, 0.9), (0.7, 0.3))
    grid = Grid.of(p, q, -9.0, 9.0)
    kinds = {name: Bregman(name) for name in ("logistic", "kl", "pearson")} | {"relative pearson": Bregman("pearson", relative=0.2)}
    found: dict[str, dict[str, list[float]]] = {
        k: {"E_q |r - p/q|": [], "error of E f(r)": [], "error of the bound on D_f": []} for k in kinds
    }
    worst = {}
    for seed in context.seeds:
        for name, objective in kinds.items():
            a = objective.relative
            base = a * grid.p + (1 - a) * grid.q
            v = grid.outputs(trained(p, Frozen(prior=q, objective=objective), seed, steps=1000 if context.small else 2000))
            true = grid.p / base
            found[name]["E_q |r - p/q|"].append(float((base * (objective.ratio(v) - true).abs()).sum()))
            exact, plain = (float((base * f).sum()) for f in (objective.f_at(true), objective.f(v)))
            bound = float((grid.p * objective.slope(v)).sum() - (base * objective.dual(v)).sum())
            floor = float(objective.f_at(true.new_ones(())))
            for kind, estimate in (("error of E f(r)", plain), ("error of the bound on D_f", bound)):
                found[name][kind].append(abs((estimate - floor) / (exact - floor) - 1))
        worst[seed] = max(found[k]["E_q |r - p/q|"][-1] for k in kinds)
        context.say(f"seed {seed}: " + ", ".join(f"{k} {v['E_q |r - p/q|'][-1]:.4f}" for k, v in found.items()))
    extra = {f"{k}: {m}": float(np.mean(v)) for k, by in found.items() for m, v in by.items()}
    extra["worst"] = max(worst.values())
    return Result(worst, extra, "E_q p/q is 1, so that the error is relative; the base is .2 p + .8 q for the relative ratio")


CLAIM = Claim(
    id="bgan-ratio",
    paper="Uehara et al. 2016, arXiv:1610.02920",
    published="the discriminator's step is density-ratio estimation by a Bregman divergence",
    what="largest E_q |r - p/q| of a trained ratio between two known mixtures, over logistic, KL, Pearson and relative Pearson f",
    run=run,
    threshold=lambda r: max(r.values.values()) <= 0.05,
    larger=False,
    minutes=3,
)
