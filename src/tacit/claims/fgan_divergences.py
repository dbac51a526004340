"""Six divergences, each estimated by a network trained on its variational bound."""

from __future__ import annotations

from typing import get_args

import numpy as np

from tacit.claims import Claim, Context, Result


def run(context: Context) -> Result:
    """Train V between two Gaussians for each divergence; compare the bound, by quadrature, with that of q·f(p/q)."""
    from tacit.claims._known import Frozen, Gaussians, Grid, trained
    from tacit.core.part import hints
    from tacit.objectives.f_divergence import FDivergence

    p, q = Gaussians((0.8,), (1.0,), (1.0,)), Gaussians((0.0,), (1.2,), (1.0,))
    grid = Grid.of(p, q, -7.0, 8.0)
    names = get_args(hints(FDivergence)["divergence"])
    errors: dict[str, dict[int, float]] = {name: {} for name in names}
    above = {}
    for seed in context.seeds:
        for name in names:
            objective = FDivergence(name)
            floor = float(objective.f(grid.p.new_ones(())))
            true = float((grid.q * objective.f(grid.p / grid.q)).sum())
            model = trained(p, Frozen(prior=q, objective=objective), seed, steps=1000 if context.small else 2000)
            found = -grid.paid(objective, grid.outputs(model))
            errors[name][seed] = abs((found - floor) / (true - floor) - 1)
            above[name, seed] = found - true
            context.say(f"{name} seed {seed}: {found:.5f} of {true:.5f}")
    worst = {seed: max(errors[name][seed] for name in names) for seed in context.seeds}
    extra = {f"error of {name}": float(np.mean(list(errors[name].values()))) for name in names}
    extra |= {"worst": max(worst.values()), "most above the truth": max(above.values())}
    return Result(worst, extra, "errors relative to D_f less f(1), the value between equals (-log 4 for gan, 0 for the others)")


CLAIM = Claim(
    id="fgan-divergences",
    paper="Nowozin et al. 2016, arXiv:1606.00709",
    published="max over V of E g_f(V(x)) - E f*(g_f(V(G(z)))) is D_f(p || q) (tables 1, 2 and 6)",
    what="largest relative error over six divergences between two Gaussians, by a trained V, against quadrature of q f(p/q)",
    run=run,
    threshold=lambda r: max(r.values.values()) <= 0.05,
    larger=False,
    minutes=5,
)
