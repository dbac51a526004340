"""The least-squares game at its best discriminator, which is a Pearson χ²."""

from __future__ import annotations

import numpy as np

from tacit.claims import Claim, Context, Result


def run(context: Context) -> Result:
    """Train D between two known mixtures with either published code and read the game's whole loss by quadrature.

    With (a, b, c) = (−1, 1, 0) the paper's C(G) = ½E_p(D − c)² + ½E_q(D − c)², the term on real data counted, is
    ½χ²(p + q ‖ 2q) at D* = (p − q)/(p + q); with (0, 1, 1) D* = p/(p + q), as in the original game.
    """
    import tacit
    from tacit.claims._known import Frozen, Gaussians, Grid, trained

    p = Gaussians((-2.0, 1.0), (0.6, 0.8), (0.5, 0.5))
    q = Gaussians((0.0, 3.0), (1.0, 0.5), (0.7, 0.3))
    grid = Grid.of(p, q, -8.0, 8.0)
    chi2 = float(((grid.p - grid.q).square() / (grid.p + grid.q)).sum())
    error, apart, other, wholes = {}, {}, {}, {}
    for seed in context.seeds:
        steps = 1000 if context.small else 2000
        codes = tacit.LeastSquares(-1.0, 1.0, 0.0)
        v = grid.outputs(trained(p, Frozen(prior=q, objective=codes), seed, steps=steps))
        whole = float(((grid.p + grid.q) * 0.5 * (v - codes.c).square()).sum())
        error[seed], wholes[seed] = abs(2 * whole / chi2 - 1), 2 * whole
        apart[seed] = float((v - (grid.p - grid.q) / (grid.p + grid.q)).abs()[grid.support].mean())
        v = grid.outputs(trained(p, Frozen(prior=q, objective=tacit.LeastSquares(0.0, 1.0, 1.0)), seed, steps=steps))
        other[seed] = float((v - grid.p / (grid.p + grid.q)).abs()[grid.support].mean())
        context.say(f"seed {seed}: 2C(G) {2 * whole:.5f} of {chi2:.5f}, |D − D*| {apart[seed]:.4f} and {other[seed]:.4f}")
    extra = {
        "worst": max(error.values()), "chi2": chi2, "2 C(G)": float(np.mean(list(wholes.values()))),
        "mean |D - D*| (-1, 1, 0)": float(np.mean(list(apart.values()))),
        "mean |D - D*| (0, 1, 1)": float(np.mean(list(other.values()))),
    }  # fmt: skip
    return Result(error, extra)


CLAIM = Claim(
    id="lsgan-chi2",
    paper="Mao et al. 2017, arXiv:1611.04076",
    published="with a, b, c = -1, 1, 0 the game minimises Pearson's chi2(p + q || 2q) (section 3.2)",
    what="relative error of twice the whole loss at a trained D, codes (-1, 1, 0), against chi2(p + q || 2q)",
    run=run,
    threshold=lambda r: max(r.values.values()) <= 0.02,
    larger=False,
    minutes=1.5,
)
